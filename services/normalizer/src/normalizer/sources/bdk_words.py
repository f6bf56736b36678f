"""Words in a BDK lead that stand for one of ours; German and English, capitals do not matter."""

from __future__ import annotations

from collections.abc import Mapping

from leadbus.contracts.vocabulary import Channel, FinanceProduct, Precheck

CHANNELS: Mapping[str, Channel] = {
    **dict.fromkeys(("call", "phone", "anruf", "telefon", "telefonat"), "phone"),
    **dict.fromkeys(("message", "mail", "email", "e-mail", "nachricht"), "email"),
    **dict.fromkeys(("form", "formular", "kontaktformular"), "form"),
    "chat": "chat",
    "sms": "text",
    "portal": "portal",
}
"""How a lead reached the bank; a message to the bank counts as mail."""

PRODUCTS: Mapping[str, FinanceProduct] = {
    **dict.fromkeys(("cash", "bar", "barkauf", "barzahlung"), "cash"),
    **dict.fromkeys(("financing", "finanzierung", "kredit", "loan"), "financing"),
    **dict.fromkeys(("leasing", "lease"), "leasing"),
}

PRECHECKS: Mapping[str, Precheck] = {
    **dict.fromkeys(("positive", "positiv"), "positive"),
    **dict.fromkeys(("negative", "negativ"), "negative"),
    **dict.fromkeys(("none", "ohne", "keine"), "none"),
    **dict.fromkeys(("done", "done_unknown", "durchgeführt"), "done_unknown"),
    **dict.fromkeys(("not_stated", "unbekannt"), "not_stated"),
}
"""Whatever claims an approval is not among them: a check beforehand never is one."""


def key(written: str) -> str:
    """`written` as these tables have it."""
    return written.strip().casefold()
