"""The events that this service emits, as messages for the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from leadbus.contracts.events import EVENTS, RawQuarantined, RawReleased
from leadbus.contracts.lead_events import lead_event_json
from leadbus.contracts.raw import RawIdentity
from leadbus.envelope import Envelope
from leadbus.messages import OutgoingMessage, event_message

from normalizer.domain.identity import event_id, raw_event_id
from normalizer.domain.raw import Raw
from normalizer.domain.revisions import Revision
from normalizer.store.quarantine import Entry, How, Verdict

SOURCE = "leadbus/normalizer"
QUARANTINED = "raw.quarantined.v1"
RELEASED = "raw.released.v1"


class Cause(Protocol):
    """The raw message behind an event, as far as the event tells of it."""

    @property
    def key(self) -> UUID: ...
    @property
    def wire_id(self) -> str: ...
    @property
    def test(self) -> bool: ...


def lead_event(revision: Revision, document: str, raw: Cause, now: datetime) -> OutgoingMessage:
    """`lead.received` at revision 1, another later; its id follows from lead and revision.

    `document` is the lead as JSON, which is written once for the revision and for its event.
    """
    lead = revision.lead
    return _message(
        event_id(lead.lead_id, lead.revision, revision.event_type),
        revision.event_type,
        lead_event_json(document, revision.changed),
        raw,
        now,
        subject=str(lead.lead_id),
        test=lead.test,
    )


def quarantined(verdict: Verdict, occasion: int, now: datetime) -> OutgoingMessage:
    """A raw message went into quarantine for the `occasion`-th time."""
    raw = verdict.raw
    data = RawQuarantined(
        raw=_identity(raw),
        reason=verdict.reason,
        field=verdict.field,
        value_kind=verdict.value_kind,
        quarantine_id=raw.key,
        quarantined_at=now,
    )
    id_ = raw_event_id(raw.key, QUARANTINED, occasion)
    return _message(id_, QUARANTINED, data.to_json(), raw, now)


def released(raw: Raw, entry: Entry, how: How, lead_ids: Sequence[UUID], now: datetime) -> OutgoingMessage:
    """The quarantine `entry` of a raw message ended."""
    data = RawReleased(
        raw=_identity(raw),
        reason=entry.reason,
        how=how,
        lead_ids=tuple(lead_ids),
        quarantine_id=raw.key,
        released_at=now,
    )
    return _message(raw_event_id(raw.key, RELEASED, entry.times), RELEASED, data.to_json(), raw, now)


def _identity(raw: Raw) -> RawIdentity:
    return RawIdentity(source=raw.source, account=raw.account, id=raw.wire_id)


def _message(
    id_: UUID,
    type_: str,
    data: bytes,
    raw: Cause,
    now: datetime,
    *,
    subject: str | None = None,
    test: bool = False,
) -> OutgoingMessage:
    extensions = {"correlationid": raw.wire_id, "causationid": str(raw.key)}
    if test or raw.test:
        extensions["test"] = "true"
    return event_message(
        Envelope(
            id=str(id_),
            source=SOURCE,
            type=EVENTS[type_].type,
            time=now,
            subject=subject or str(raw.key),
            datacontenttype="application/json",
            extensions=extensions,
            data=data,
        )
    )
