"""A lead out of a BDK mail, whose form nobody promises: what labelled lines tell, and the text itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from leadbus.contracts.bdk_reading import read_lead
from leadbus.contracts.lead import SourceId
from leadbus.contracts.references import LONGEST_REFERENCE_CHARS

from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.domain.text import clean, clean_line
from normalizer.sources.bdk import draft_of, findings_of
from normalizer.sources.bdk_findings import Findings
from normalizer.sources.bdk_mail import MailReading, read_mail
from normalizer.sources.bdk_mail_labels import labelled
from normalizer.sources.bdk_moments import read_moment
from normalizer.sources.bdk_types import TYPES, LeadType, LeadTypes

_UNTOLD_ID = "untold"


@dataclass(frozen=True, slots=True)
class LeadMail:
    """A mail as its mailbox tells it: `text` is plain, `location` the dealer reference of where it went."""

    sender: str
    location: str
    subject: str
    text: str
    location_field: str = "location"
    message_id: str | None = None
    sent_at: datetime | None = None


def read(mail: LeadMail, types: LeadTypes = TYPES) -> Draft:
    """The draft that a mail makes; `location` is the partner number where it is told, else the mail's.

    The whole text is the message, so that nothing is lost. Without a lead id in it the lead has none, and
    its circumstances are its identity. A type that is not decided is told by the warning
    `lead_type_undecided`, and the candidates' common reading counts. Raises Rejection `not_a_lead` for a mail
    of which no type can be told, `payload_invalid` for one of no dealer; nothing else.
    """
    candidates = read_mail(mail.sender, mail.subject, mail.text, types)
    if candidates.evidence == "none":
        raise Rejection("not_a_lead", "a mail of nobody who sends leads", field="sender", kind="string")
    fields = _without_own_addresses(labelled(clean(mail.text)), types)
    lead_id, partner_number = _reference(fields, "leadId"), _reference(fields, "partnerNumber")
    location = partner_number or clean_line(mail.location)
    if not 0 < len(location) <= LONGEST_REFERENCE_CHARS:
        raise Rejection("payload_invalid", "no dealer is told", field=mail.location_field, kind="string")
    told = {**fields, "leadId": lead_id or _UNTOLD_ID, "partnerNumber": location}
    if mail.sent_at is not None and read_moment(told.get("createdAt", "")).at is None:
        told["createdAt"] = mail.sent_at.isoformat()
    reading = read_lead(json.dumps(told).encode())
    findings = findings_of(reading)
    findings.keep("mail.sender", mail.sender)
    draft = draft_of(reading.payload, _type_of(candidates, types, findings), findings)
    return replace(
        draft,
        external_id=lead_id,
        ids=(*(draft.ids if lead_id else ()), *_message_id(mail)),
        location_field="partnerNumber" if partner_number else mail.location_field,
        subject=clean_line(mail.subject) or None,
        message=clean(mail.text) or None,
    )


def _type_of(candidates: MailReading, types: LeadTypes, findings: Findings) -> LeadType:
    kind = types.undecided(candidates.types)
    if len(candidates.types) > 1:
        findings.warn("lead_type_undecided", "source_type", f"one of {', '.join(candidates.types)}")
    elif not kind.known:
        findings.warn("lead_type_unknown", "source_type")
    return kind


def _reference(fields: dict[str, Any], name: str) -> str | None:
    """An id that was told, on one line; what is too long to be one is none."""
    told = clean_line(fields.pop(name, ""))
    return told if 0 < len(told) <= LONGEST_REFERENCE_CHARS else None


def _message_id(mail: LeadMail) -> tuple[SourceId, ...]:
    told = clean_line(mail.message_id or "")
    return (SourceId(source="Message-ID", value=told),) if told else ()


def _without_own_addresses(fields: dict[str, Any], types: LeadTypes) -> dict[str, Any]:
    """Without an e-mail address of the bank's own domains: nobody answers a customer there."""
    customer = fields.get("customer", {})
    own = {family.sender.rpartition("@")[2].lower() for family in types.families.values() if family.sender}
    if customer.get("email", "").strip(" <>").rpartition("@")[2].lower() in own:
        del customer["email"]
    return fields
