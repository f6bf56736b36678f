"""Leads read: from a message's bytes to a canonical lead, one after the other, in one process.

Without queue and tables: what an adapter costs by itself, so that a slow one is seen as its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from leadbus.contracts import virtualexpo_document
from leadbus.contracts.examples.alfatrack import ALFATRACK_LEADS
from leadbus.contracts.examples.bdk import BDK
from leadbus.contracts.examples.contactatonce import CONTACTATONCE_XML
from leadbus.contracts.examples.virtualexpo import VIRTUALEXPO_XML
from leadbus.contracts.lead import Dealer
from leadbus.envelope import Envelope
from leadbus.messages import IncomingMessage, raw_message
from normalizer.domain.revisions import Reading
from normalizer.parting import parted
from normalizer.reading import read_raw, reading_of
from normalizer.receiving import Limits, receive

from tests.bench.groups import Group, value_row
from tests.bench.machine import per_second
from tests.bench.rig import Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row
from tests.fuzz import seeds

_SECONDS = 1.0
_LIMITS = Limits(body_bytes=4_194_304)
_NOW = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
_DEALER = Dealer(dealer_id="bench", name="Bench Motors", country="US", time_zone="America/Chicago")
_SOUND_ADF, _CUT_ADF = seeds.ADF[0], seeds.ADF[3]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as a source sends it."""

    source: str
    content_type: str
    body: bytes


def _json(payload: object) -> bytes:
    return json.dumps(payload, ensure_ascii=False).encode()


_EXPO_LEAD = virtualexpo_document.split(VIRTUALEXPO_XML.encode()).leads[0].data
SENT: Mapping[str, Sent] = {
    "contactatonce": Sent("contactatonce", "application/xml", CONTACTATONCE_XML.encode()),
    "virtualexpo": Sent("virtualexpo", "application/xml", _EXPO_LEAD),
    "bdk": Sent("bdk", "application/json", _json(BDK["1e"])),
    "alfatrack": Sent("alfatrack", "application/json", _json(ALFATRACK_LEADS["form"])),
    "adf": Sent("adf", "application/xml", _SOUND_ADF),
    "adf_mended": Sent("adf", "application/xml", _CUT_ADF),
    "adf_mail": Sent("adf", "message/rfc822", seeds.MAILS[1]),
}
"""By what the row is called. `adf_mended` has to climb the repair ladder."""


@dataclass(frozen=True)
class ReadingCase:
    """Leads/s from bytes to canonical lead."""

    name: str
    sent: Sent
    seconds: float

    async def run(self) -> Mapping[str, float]:
        message = _message(self.sent)
        began = time.process_time()
        rate = per_second(lambda: _read(message), seconds=self.seconds)
        return {"rate": rate, "cpu": (time.process_time() - began) * 1e6 / (rate * self.seconds)}


def _message(sent: Sent) -> IncomingMessage:
    outgoing = raw_message(
        sent.source,
        Envelope(
            id="bench-1",
            source=f"/bench/{sent.source}",
            type=f"raw.{sent.source}.v1",
            time=_NOW,
            datacontenttype=sent.content_type,
            extensions={"account": "main", "receivedat": _NOW.isoformat()},
            data=sent.body,
        ),
    )
    return IncomingMessage(
        body=outgoing.body,
        exchange=outgoing.exchange,
        routing_key=outgoing.routing_key,
        headers=outgoing.headers,
        properties=outgoing.properties,
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
    )


def _read(message: IncomingMessage) -> None:
    (raw,) = parted(receive(message, _LIMITS, _NOW))
    read = read_raw(raw)
    assert read.place is not None, "no lead in it"
    reading = reading_of(read, {read.place: _DEALER})
    assert isinstance(reading, Reading)


def _cases(_rig: Rig, scale: float) -> Sequence[Case]:
    return [ReadingCase(f"read_{name}", sent, _SECONDS * scale) for name, sent in SENT.items()]


def _rows(samples: Samples) -> list[Row]:
    cases = [f"read_{name}" for name in SENT]
    rates = [value_row(samples, case, case, "rate", "leads/s") for case in cases]
    return [*rates, *(value_row(samples, f"{case}_cpu", case, "cpu", "µs/lead") for case in cases)]


READING = Group("reading", _cases, _rows)
