"""What the normalizer makes of one of our leads, cut into templates that the reference fills in.

The rows and messages of the reference are those of the product, byte for byte but for the moments in them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from leadbus.contracts.lead import Dealer
from leadbus.envelope import Properties
from leadbus.messages import IncomingMessage, OutgoingMessage
from normalizer import events
from normalizer.domain.placing import Origin, place
from normalizer.domain.revisions import Reading, advance
from normalizer.normalizing import read_raw
from normalizer.receiving import Limits, receive

from tests.bench import amqp_frames, leads
from tests.bench.rig import DEALER

_SAMPLE = 9_876_543
_NOW = datetime(2033, 3, 3, 3, 33, 33, 333_333, UTC)


@dataclass(frozen=True, slots=True)
class Template:
    """Text with named places; bytes are taken as latin-1, and come out by `fill(...).encode("latin-1")`."""

    text: str

    @classmethod
    def of(cls, text: str, places: Mapping[str, str]) -> Template:
        """`places`: what stands in the sample, by the name of what belongs there."""
        text = text.replace("%", "%%")
        for name, sample in places.items():
            text = text.replace(sample, f"%({name})s")
        return cls(text)

    def fill(self, values: Mapping[str, str]) -> str:
        return self.text % values


@dataclass(frozen=True, slots=True)
class Templates:
    """`publish` is the whole of the event's frames before its body."""

    attributes: Template
    document: Template
    event: Template
    headers: Template
    properties: Template
    publish_properties: Template


def incoming(message: OutgoingMessage) -> IncomingMessage:
    """A message of ours as its consumer gets it."""
    return IncomingMessage(
        body=message.body,
        exchange=message.exchange,
        routing_key=message.routing_key,
        headers=message.headers,
        properties=message.properties,
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
    )


def templates() -> Templates:
    """Cut from what the product's own functions make of one sample."""
    raw = receive(incoming(leads.message("sample", _SAMPLE)), Limits(body_bytes=1 << 20), _NOW)
    draft = read_raw(raw).draft
    dealer_id = leads.DEALERS[_SAMPLE % len(leads.DEALERS)]
    spec: dict[str, Any] = {"dealer_id": f"dealer-{dealer_id}", "name": f"Prairie Motors {dealer_id}"}
    dealer = Dealer.model_validate(DEALER | spec)
    lead = place(draft, Origin(raw.source, raw.account, raw.received_at), dealer)  # type: ignore[arg-type]
    (revision,) = advance(None, [Reading(raw.key, lead)])
    event = events.lead_event(revision, raw, _NOW)
    places = {
        "vin": leads.vin(_SAMPLE),
        "number": str(_SAMPLE),
        "dealer": dealer_id,
        "wire_id": raw.wire_id,
        "raw_key": str(raw.key),
        "lead_id": str(lead.lead_id),
        "event_id": str(event.properties.message_id),
        "now": _NOW.isoformat().removesuffix("+00:00"),
        "now_seconds": struct.pack(">Q", int(_NOW.timestamp())).decode("latin-1"),
    }
    body = event.body.decode()
    return Templates(
        attributes=Template.of(raw.attributes, places),
        document=Template.of(revision.lead.model_dump_json(exclude_none=True), places),
        event=Template.of(body, places),
        headers=Template.of(json.dumps(dict(event.headers)), places),
        properties=Template.of(_properties(event.properties), places),
        publish_properties=Template.of(amqp_frames.properties(event).decode("latin-1"), places),
    )


def moment(now: datetime) -> dict[str, str]:
    """The places that are the same for a whole batch."""
    if now.microsecond == 0:
        now += timedelta(microseconds=1)  # isoformat would leave it out, and lengths are fixed
    return {
        "now": now.isoformat().removesuffix("+00:00"),
        "now_seconds": struct.pack(">Q", int(now.timestamp())).decode("latin-1"),
    }


def _properties(properties: Properties) -> str:
    stated = {field.name: getattr(properties, field.name) for field in fields(properties)}
    return json.dumps(
        {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in stated.items()
            if value is not None
        }
    )
