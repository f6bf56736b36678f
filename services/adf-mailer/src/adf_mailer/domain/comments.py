"""The customer's comments: everything a salesperson should read that ADF has no element for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from urllib.parse import quote

from leadbus.contracts.lead import Call, Company, Lead, Product, TranscriptLine
from leadbus.contracts.web_link import is_web_link

from adf_mailer.domain import as_given, moment, text
from adf_mailer.domain.fixed_texts import ENGLISH, Language, label

LEAD_SOURCE = "lead_source"
"""Key of `Lead.extras`: the site or portal the shopper was on."""
_SHOWN = frozenset({LEAD_SOURCE})
_NO_COMPANY = Company()
_URI_CHARACTERS = ":/?#[]@!$&'()*+,;=%-._~"


def recording_url(call: Call | None) -> str | None:
    """The link to the call audio as an ASCII URI without blanks, so that no reader cuts it.

    None for anything but an http or https address: that is shown as given, and nobody is led to it.
    """
    if call is None or not is_web_link(call.recording_url or ""):
        return None
    return quote(text.line(call.recording_url or ""), safe=_URI_CHARACTERS)


def customer_comments(
    lead: Lead, notes: list[str], where: tzinfo | None, language: Language = ENGLISH
) -> str:
    """Blocks in the order a person needs them; `notes` are what the elements had no room for."""
    # Nearly every lead has nothing else in its extras.
    given = as_given.lines(lead, language) if lead.extras.keys() - _SHOWN else []
    blocks = [
        _lines(_facts(lead, language), language),
        text.block(lead.message or ""),
        _lines(_call(lead.call, where, language), language),
        "\n".join([*notes, *given]),
        _transcript(lead.transcript, where, language),
    ]
    return "\n\n".join(filter(None, blocks))


_Facts = Iterator[tuple[str, str | None]]
"""Key of the label and value."""


def _lines(facts: _Facts, language: Language) -> str:
    told = ((key, text.line(value or "")) for key, value in facts)
    return "\n".join(f"{label(key, language)}: {cleaned}" for key, cleaned in told if cleaned)


def _facts(lead: Lead, language: Language) -> _Facts:
    customer, contract = lead.customer, lead.contract
    company = customer.company or _NO_COMPANY
    intents = (intent for intent in lead.intents if intent != "inquiry")
    yield "test_lead", label("yes", language) if lead.test else None
    yield "lead_source", lead.extras.get(LEAD_SOURCE)
    yield "asks_for", ", ".join(label(f"intent_{intent}", language) for intent in intents)
    yield "urgency", label(f"urgency_{lead.urgency}", language) if lead.urgency != "normal" else None
    yield "subject", lead.subject
    yield "salutation", customer.name.salutation
    yield "position", customer.position
    yield "company_kind", company.kind
    yield "company_sector", company.sector
    yield "company_size", company.size
    yield "company_website", company.website
    yield "language", customer.language
    yield "contract", " ".join(filter(None, (contract.kind, contract.number))) if contract else None
    yield "contract_ends", contract.ends_on if contract else None
    for product in lead.products:
        yield "product", _product(product)


def _product(product: Product) -> str:
    return ", ".join(filter(None, (product.name or product.id, product.category, product.url)))


def _call(call: Call | None, where: tzinfo | None, language: Language) -> _Facts:
    if call is None:
        return
    duration, link = call.duration_seconds, recording_url(call)
    yield "call_recording", link
    yield "call_recording_as_given", None if link else call.recording_url
    yield "call_started", moment.clock(call.started_at, where) if call.started_at else None
    yield "call_duration", label("seconds", language, number=duration) if duration is not None else None
    if call.answered is not None:
        yield "call_answered", label("yes" if call.answered else "no", language)
    yield "number_called", call.tracking_number


def _transcript(lines: tuple[TranscriptLine, ...], where: tzinfo | None, language: Language) -> str:
    if not lines:
        return ""
    return "\n".join([f"{label('transcript', language)}:", *(_said(line, where, language) for line in lines)])


def _said(line: TranscriptLine, where: tzinfo | None, language: Language) -> str:
    time = f"[{moment.clock(line.at, where)}] " if line.at else ""
    name = text.line(line.name or "")
    speaker = label(f"speaker_{line.speaker}", language) + (f" ({name})" if name else "")
    # Indented, so that what somebody types can never look like somebody else's line.
    words = text.block(line.text).replace("\n", "\n  ")
    return f"{time}{speaker}: {words}"
