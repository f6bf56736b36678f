"""The events that ingest emits, as messages for the outbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import uuid5

from leadbus.contracts import NAMESPACE
from leadbus.contracts.events import ConnectionMended, ConnectionNeedsPerson, RawQuarantined, RawReleased
from leadbus.contracts.raw import RawIdentity
from leadbus.envelope import Envelope
from leadbus.messages import OutgoingMessage, event_message

from ingest.domain.arrival import Faulty
from ingest.store.connection_told import Told
from ingest.store.quarantine import Discarded

SOURCE = "leadbus/ingest"
QUARANTINED = "raw.quarantined.v1"
RELEASED = "raw.released.v1"
NEEDS_PERSON = "connection.needs_person.v1"
MENDED = "connection.mended.v1"


def quarantined(faulty: Faulty, now: datetime) -> OutgoingMessage:
    """An arrival is kept here and not published."""
    arrival = faulty.arrival
    raw_id = str(arrival.raw_id)
    data = RawQuarantined(
        raw=RawIdentity(source=arrival.source, account=arrival.account, id=raw_id),
        reason=faulty.reason,
        quarantine_id=arrival.raw_id,
        quarantined_at=now,
    )
    correlation_id = arrival.attributes.get("correlationid", raw_id)
    return _message(QUARANTINED, raw_id, data.to_json(), now, correlation_id, test=arrival.test)


def released(discarded: Discarded, now: datetime) -> OutgoingMessage:
    """An operator discarded what was kept here."""
    raw_id = str(discarded.raw_id)
    data = RawReleased(
        raw=RawIdentity(source=discarded.source, account=discarded.account, id=raw_id),
        reason=discarded.reason,
        how="discarded",
        quarantine_id=discarded.raw_id,
        released_at=now,
    )
    return _message(RELEASED, raw_id, data.to_json(), now, raw_id, test=discarded.test)


def connection_needs_person(connection: str, told: Told, now: datetime) -> OutgoingMessage:
    """A connection (kind and name) refuses us until a person mends something."""
    data = ConnectionNeedsPerson(
        service="ingest", connection=connection, reasons=tuple(told.reasons), since=told.since
    )
    return _event(NEEDS_PERSON, connection, data.to_json(), now)


def connection_mended(connection: str, told: Told, now: datetime) -> OutgoingMessage:
    """A connection (kind and name) of which `told` was said last needs nobody any more."""
    data = ConnectionMended(
        service="ingest",
        connection=connection,
        reasons=tuple(told.reasons),
        since=told.since,
        mended_at=now,
    )
    return _event(MENDED, connection, data.to_json(), now)


def _message(
    type_: str, raw_id: str, data: bytes, now: datetime, correlation_id: str, *, test: bool
) -> OutgoingMessage:
    extensions = {"correlationid": correlation_id}
    if test:
        extensions["test"] = "true"
    return _event(type_, raw_id, data, now, extensions)


def _event(
    type_: str, subject: str, data: bytes, now: datetime, extensions: Mapping[str, str] | None = None
) -> OutgoingMessage:
    # The same may happen to the same thing again: what was discarded is quarantined once more.
    occasion = json.dumps(["raw-event", subject, type_, now.isoformat()])
    return event_message(
        Envelope(
            id=str(uuid5(NAMESPACE, occasion)),
            source=SOURCE,
            type=type_,
            time=now,
            subject=subject,
            datacontenttype="application/json",
            extensions=dict(extensions or {}),
            data=data,
        )
    )
