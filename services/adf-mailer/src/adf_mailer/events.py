"""Messages of `adf-mailer.leads` as what they tell: a lead as it is now, or that leads were erased."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from leadbus.contracts import Lead
from leadbus.contracts.events import (
    LeadConsentChanged,
    LeadEnriched,
    LeadErased,
    LeadEvent,
    LeadReceived,
    LeadUpdated,
)
from leadbus.envelope import Envelope, EnvelopeError, decode
from leadbus.inbox import InboxEntry
from leadbus.messages import IncomingMessage
from pydantic import ValidationError

_LEAD_EVENTS: dict[str, type[LeadEvent]] = {
    "lead.received.v1": LeadReceived,
    "lead.updated.v1": LeadUpdated,
    "lead.enriched.v1": LeadEnriched,
    "lead.consent_changed.v1": LeadConsentChanged,
}
_ERASED = "lead.erased.v1"


class Unreadable(Exception):  # noqa: N818 -- a statement about the message
    """`reason` of a closed list, `detail` names fields and kinds of error, never values."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class LeadTold:
    entry: InboxEntry
    lead: Lead


@dataclass(frozen=True, slots=True)
class LeadsErased:
    entry: InboxEntry
    erased: LeadErased


Told: TypeAlias = LeadTold | LeadsErased


def read(message: IncomingMessage) -> Told:
    """Raises Unreadable, and nothing else, for what is not an event this service knows."""
    try:
        envelope = decode(message)
    except EnvelopeError as error:
        raise Unreadable("envelope_invalid", f"{error.field}: {error.detail}") from None
    # The broker checked who may publish under the routing key; the type is only what the sender says.
    if envelope.type != message.routing_key:
        raise Unreadable("unsupported_type", "the event type is not the routing key")
    entry = InboxEntry(envelope.source, "", envelope.id, sha256(envelope.data).hexdigest())
    try:
        return _told(envelope, entry)
    except ValidationError as error:
        (first, *_) = error.errors(include_input=False, include_context=False, include_url=False)
        where = ".".join(str(part) for part in first["loc"])
        raise Unreadable("payload_invalid", f"{where}: {first['type']}") from None


def _told(envelope: Envelope, entry: InboxEntry) -> Told:
    if model := _LEAD_EVENTS.get(envelope.type):
        return LeadTold(entry, model.model_validate_json(envelope.data).lead)
    if envelope.type == _ERASED:
        return LeadsErased(entry, LeadErased.model_validate_json(envelope.data))
    raise Unreadable("unsupported_type", "no event this release knows")
