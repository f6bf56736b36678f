"""The events that ingest emits, as messages for the outbox."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import uuid5

from leadbus.contracts import NAMESPACE
from leadbus.contracts.events import RawQuarantined
from leadbus.contracts.raw import RawIdentity
from leadbus.envelope import Envelope
from leadbus.messages import OutgoingMessage, event_message

from ingest.domain.arrival import Faulty

SOURCE = "leadbus/ingest"
QUARANTINED = "raw.quarantined.v1"


def quarantined(faulty: Faulty, now: datetime) -> OutgoingMessage:
    """An arrival is kept here and not published; sent again, it is still the same event."""
    arrival = faulty.arrival
    raw_id = str(arrival.raw_id)
    data = RawQuarantined(
        raw=RawIdentity(source=arrival.source, account=arrival.account, id=raw_id),
        reason=faulty.reason,
        quarantine_id=arrival.raw_id,
        quarantined_at=now,
    )
    extensions = {"correlationid": arrival.attributes.get("correlationid", raw_id)}
    if arrival.test:
        extensions["test"] = "true"
    return event_message(
        Envelope(
            id=str(uuid5(NAMESPACE, json.dumps(["raw-event", raw_id, QUARANTINED]))),
            source=SOURCE,
            type=QUARANTINED,
            time=now,
            subject=raw_id,
            datacontenttype="application/json",
            extensions=extensions,
            data=data.to_json(),
        )
    )
