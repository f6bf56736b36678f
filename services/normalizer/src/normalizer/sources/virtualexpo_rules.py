"""What a VirtualExpo lead means: its category decides, and its type says what was asked for.

The vendor's own table: three categories with the buttons of a stand, who waits for an answer, and who agreed
to be contacted. `Price options` is in two of them, so that a type alone decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from leadbus.contracts.lead import Consent
from leadbus.contracts.virtualexpo import REQUEST_TYPES, Category, VirtualExpoLead
from leadbus.contracts.vocabulary import Channel, ConsentBasis, Intent

from normalizer.domain.text import clean

_INTENTS: Mapping[str, Intent] = {
    "documentation": "documentation",
    "quote": "quote",
    "price options": "price",
}
_OFFERED = frozenset(
    {
        ("request", ("documentation",)),
        ("request", ("quote",)),
        ("request", ("documentation", "quote")),
        ("request", ("price options",)),
        ("request", ("documentation", "price options")),
        ("prospect", ("price options",)),
        ("visit", ()),
    }
)


@dataclass(frozen=True, slots=True)
class _Meaning:
    channel: Channel
    basis: ConsentBasis
    purposes: tuple[str, ...]
    otherwise: Intent
    """What is wanted where no known type says it."""


_MEANINGS: Mapping[Category, _Meaning] = {
    "request": _Meaning("portal", "form", ("reply", "sales"), "inquiry"),
    "prospect": _Meaning("portal", "form", ("sales",), "inquiry"),
    "visit": _Meaning("visit", "none", ("nurture",), "nurture"),
}


def channel_of(lead: VirtualExpoLead) -> Channel:
    """How the person came."""
    return _MEANINGS[lead.category].channel


def source_type_of(lead: VirtualExpoLead) -> str:
    """Category and type in one spelling: `request/documentation/quote`, `visit`."""
    return "/".join((lead.category, *lead.types))


def intents_of(lead: VirtualExpoLead) -> tuple[Intent, ...]:
    """What is wanted. Nobody who only looked wants anything, whatever type stands there."""
    known = tuple(_INTENTS[part] for part in lead.types if part in _INTENTS)
    meaning = _MEANINGS[lead.category]
    return known if known and lead.category != "visit" else (meaning.otherwise,)


def type_warning(lead: VirtualExpoLead) -> str | None:
    """`type_unknown` (a word nobody knows), `type_unexpected` (no button of a stand makes it), or None."""
    if not set(lead.types).issubset(REQUEST_TYPES):
        return "type_unknown"
    return None if (lead.category, lead.types) in _OFFERED else "type_unexpected"


@dataclass(frozen=True, slots=True)
class ConsentReading:
    """`warning`: `consent_unread` (neither yes nor no), or `consent_contradicts_category` (a form was filled
    in, and contact refused)."""

    consent: Consent
    warning: str | None = None


def consent_of(
    lead: VirtualExpoLead, occurred_at: datetime | None, told_at: datetime | None
) -> ConsentReading:
    """On what ground the buyer may be contacted. What was said by itself goes before the category.

    `told_at` is when it was said, `occurred_at` when the form was filled in. A no is a withdrawal: no later
    form of another lead undoes it.
    """
    meaning, told = _MEANINGS[lead.category], lead.consent
    text = clean((told.text or "") if told else "") or None
    said = told.is_given if told else None
    unread = bool(told and (told.given or "").strip() and said is None)
    if said is True:
        basis: ConsentBasis = "granted" if lead.category == "visit" else meaning.basis
        consent = Consent(basis=basis, purposes=meaning.purposes, text=text, at=told_at or occurred_at)
        return ConsentReading(consent)
    if said is False:
        refused = Consent(basis="withdrawn", text=text, at=told_at or occurred_at)
        return ConsentReading(refused, None if lead.category == "visit" else "consent_contradicts_category")
    at = None if meaning.basis == "none" else occurred_at
    default = Consent(basis=meaning.basis, purposes=meaning.purposes, text=text, at=told_at or at)
    return ConsentReading(default, "consent_unread" if unread else None)
