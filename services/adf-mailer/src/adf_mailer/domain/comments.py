"""The customer's comments: everything a salesperson should read that ADF has no element for."""

from __future__ import annotations

from datetime import tzinfo
from urllib.parse import quote

from leadbus.contracts.lead import Call, Lead, Product, TranscriptLine
from leadbus.contracts.web_link import is_web_link

from adf_mailer.domain import as_given, moment, text

LEAD_SOURCE = "lead_source"
"""Key of `Lead.extras`: the site or portal the shopper was on."""

_SPEAKERS = {"customer": "Customer", "agent": "Agent", "system": "System"}
_URI_CHARACTERS = ":/?#[]@!$&'()*+,;=%-._~"


def recording_url(call: Call | None) -> str | None:
    """The link to the call audio as an ASCII URI without blanks, so that no reader cuts it.

    None for anything but an http or https address: that is shown as given, and nobody is led to it.
    """
    if call is None or not is_web_link(call.recording_url or ""):
        return None
    return quote(text.line(call.recording_url or ""), safe=_URI_CHARACTERS)


def customer_comments(lead: Lead, notes: list[str], where: tzinfo | None) -> str:
    """Blocks in the order a person needs them; `notes` are what the elements had no room for."""
    blocks = [
        "\n".join(_facts(lead)),
        text.block(lead.message or ""),
        "\n".join(_call(lead.call, where)),
        "\n".join([*notes, *as_given.lines(lead)]),
        _transcript(lead.transcript, where),
    ]
    return "\n\n".join(filter(None, blocks))


def _facts(lead: Lead) -> list[str]:
    asked = ", ".join(intent.replace("_", " ") for intent in lead.intents if intent != "inquiry")
    contract = lead.contract
    facts = [
        ("Test lead", "yes" if lead.test else None),
        ("Lead source", lead.extras.get(LEAD_SOURCE)),
        ("Asks for", asked),
        ("Urgency", lead.urgency if lead.urgency != "normal" else None),
        ("Subject", lead.subject),
        ("Salutation", lead.customer.name.salutation),
        ("Position", lead.customer.position),
        ("Language", lead.customer.language),
        ("Contract", " ".join(filter(None, (contract.kind, contract.number))) if contract else None),
        ("Contract ends", contract.ends_on if contract else None),
        *(("Product", _product(product)) for product in lead.products),
    ]
    return [f"{label}: {cleaned}" for label, value in facts if (cleaned := text.line(value or ""))]


def _product(product: Product) -> str:
    return ", ".join(filter(None, (product.name or product.id, product.category, product.url)))


def _call(call: Call | None, where: tzinfo | None) -> list[str]:
    if call is None:
        return []
    answered = {True: "yes", False: "no", None: None}[call.answered]
    duration, link = call.duration_seconds, recording_url(call)
    facts = [
        ("Call recording", link),
        ("Call recording (as given)", None if link else call.recording_url),
        ("Call started", moment.clock(call.started_at, where) if call.started_at else None),
        ("Call duration", f"{duration} seconds" if duration is not None else None),
        ("Call answered", answered),
        ("Number called", call.tracking_number),
    ]
    return [f"{label}: {cleaned}" for label, value in facts if (cleaned := text.line(value or ""))]


def _transcript(lines: tuple[TranscriptLine, ...], where: tzinfo | None) -> str:
    return "\n".join(["Transcript:", *(_said(line, where) for line in lines)]) if lines else ""


def _said(line: TranscriptLine, where: tzinfo | None) -> str:
    time = f"[{moment.clock(line.at, where)}] " if line.at else ""
    name = text.line(line.name or "")
    speaker = _SPEAKERS[line.speaker] + (f" ({name})" if name else "")
    # Indented, so that what somebody types can never look like somebody else's line.
    words = text.block(line.text).replace("\n", "\n  ")
    return f"{time}{speaker}: {words}"
