"""The rows and messages of the bare normalizer: those of the product's sample, with places to fill in."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.bench import leads
from tests.bench.sample import DEALER, NUMBER, Sample


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
    """`headers` and `properties` as the outbox holds them, `publish_properties` as the broker gets them."""

    attributes: Template
    document: Template
    event: Template
    headers: Template
    properties: Template
    publish_properties: Template

    @classmethod
    def of(cls, sample: Sample) -> Templates:
        places = {
            "vin": leads.vin(NUMBER),
            "number": str(NUMBER),
            "dealer": DEALER,
            "wire_id": sample.wire_id,
            "raw_key": sample.raw_key,
            "lead_id": sample.lead_id,
            "event_id": sample.event_id,
            "now": sample.now,
            "now_seconds": sample.now_seconds,
        }
        properties = {
            "content_type": "application/json",
            "message_id": sample.event_id,
            "correlation_id": sample.wire_id,
            "timestamp": f"{sample.now}+00:00",
            "type": "lead.received.v1",
        }
        return cls(
            attributes=Template.of(sample.attributes, places),
            document=Template.of(sample.document, places),
            event=Template.of(sample.event, places),
            headers=Template.of(json.dumps(sample.headers), places),
            properties=Template.of(json.dumps(properties), places),
            publish_properties=Template.of(sample.properties, places),
        )


def moment(now: datetime) -> dict[str, str]:
    """The places that are the same for a whole batch."""
    if now.microsecond == 0:
        now += timedelta(microseconds=1)  # isoformat would leave it out, and lengths are fixed
    return {
        "now": now.isoformat().removesuffix("+00:00"),
        "now_seconds": struct.pack(">Q", int(now.timestamp())).decode("latin-1"),
    }
