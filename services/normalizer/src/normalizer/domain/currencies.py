"""Currencies as people and forms write them, as ISO 4217. Cases CU1.. in the README."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CODE = re.compile("[A-Za-z]{3}")
_SIGNS: Mapping[str, str] = {
    "€": "EUR",
    "£": "GBP",
    "₽": "RUB",
    "₴": "UAH",
    "₺": "TRY",
    "zł": "PLN",
    "us$": "USD",
    "u$s": "USD",
    "c$": "CAD",
    "ca$": "CAD",
    "cad$": "CAD",
    "a$": "AUD",
    "au$": "AUD",
    "nz$": "NZD",
    "mx$": "MXN",
    "sfr": "CHF",
    "kč": "CZK",
}
_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("euro", "euros", "евро"), "EUR"),
    **dict.fromkeys(("pound", "pounds", "poundsterling", "sterling"), "GBP"),
    **dict.fromkeys(("usdollar", "usdollars"), "USD"),
    **dict.fromkeys(("canadiandollar", "canadiandollars"), "CAD"),
    **dict.fromkeys(("руб", "рубль", "рубли", "рублей", "ruble", "rubles"), "RUB"),
    **dict.fromkeys(("swissfranc", "swissfrancs", "franken", "schweizerfranken"), "CHF"),
    **dict.fromkeys(("złoty", "zloty", "złotych"), "PLN"),
}
_SPACES = re.compile(r"[\s.]+")


def read_currency(written: str) -> str | None:
    """The currency that `written` is a code, sign or name of; None for a mere dollar sign, and where none is.

    Three letters are taken for a code, whichever they are: there are more of them than a table knows.
    """
    bare = written.strip()
    folded = bare.casefold().rstrip(".")
    if found := _SIGNS.get(folded) or _WORDS.get(_SPACES.sub("", folded)):
        return found
    return bare.upper() if _CODE.fullmatch(bare) else None


def sign_in(text: str) -> str | None:
    """The currency of the longest sign that stands in `text`."""
    folded = text.casefold()
    found = [sign for sign in _SIGNS if sign in folded]
    return _SIGNS[max(found, key=len)] if found else None
