"""One lead that went through the real services: what they wrote is the pattern of the bare stages."""

from __future__ import annotations

import asyncio
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from leadbus_devstack import databases
from leadbus_devstack.processes import GuardedProcess

from tests.bench import amqp_frames, leads
from tests.bench.amqp_link import Delivery, Link

NUMBER = 9_876_543
DEALER = leads.DEALERS[NUMBER % len(leads.DEALERS)]
_PROPERTIES_AT = 12
"""Where flags and properties begin in a content header frame."""
_RAW = "SELECT raw_key, wire_id, attributes::text FROM raw"
_MAIL = """
SELECT mail.lead_id, mail.route, mail.recipient, mail.message_id, mail.raw, delivery.key
  FROM mail JOIN delivery ON delivery.id = mail.delivery_id
"""
_DATE = re.compile(r"^Date: (.+)\r$", re.MULTILINE)
_WAIT_SECONDS = 60.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """Texts as they were; `properties` and `mail` are bytes as latin-1. `now` is when the event was made."""

    wire_id: str
    raw_key: str
    lead_id: str
    event_id: str
    now: str
    attributes: str
    headers: Mapping[str, str]
    properties: str
    event: str
    delivery_key: str
    route: str
    recipient: str
    message_id: str
    date: str
    mail: str

    @classmethod
    def read(cls, path: Path) -> Sample:
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @property
    def document(self) -> str:
        """The lead within the event."""
        return self.event[len('{"lead":') : self.event.rindex(',"changed"')]

    @property
    def now_seconds(self) -> str:
        """The event's timestamp property."""
        moment = datetime.fromisoformat(self.now).replace(tzinfo=UTC)
        return struct.pack(">Q", int(moment.timestamp())).decode("latin-1")


@dataclass(frozen=True, slots=True)
class Stages:
    """What a sample is taken from. `mailer` has to have its destination paused."""

    amqp_url: str
    normalizer: GuardedProcess
    normalizer_database: str
    mailer: GuardedProcess
    mailer_database: str


async def take(stages: Stages) -> Sample:
    """Send the lead through both services, one after the other."""
    link = await Link.open(stages.amqp_url)
    try:
        await link.confirm()
        await link.publish([amqp_frames.publication(leads.message("sample", NUMBER))])
        stages.normalizer.start()
        event = await _event(stages.amqp_url)
        stages.mailer.start()
        mail = await _row(stages.mailer_database, _MAIL)
        raw = await _row(stages.normalizer_database, _RAW)
    finally:
        link.close()
        for process in (stages.normalizer, stages.mailer):
            await asyncio.to_thread(process.stop)
    event_id, headers = amqp_frames.read_strings(event.header)
    content = mail["raw"].decode("latin-1")
    date = _DATE.search(content)
    assert event_id is not None
    assert date is not None
    return Sample(
        wire_id=raw["wire_id"],
        raw_key=str(raw["raw_key"]),
        lead_id=str(mail["lead_id"]),
        event_id=event_id,
        now=headers["cloudEvents_time"].removesuffix("Z"),
        attributes=raw["attributes"],
        headers=headers,
        properties=event.header[_PROPERTIES_AT:].decode("latin-1"),
        event=event.body.decode(),
        delivery_key=mail["key"],
        route=mail["route"],
        recipient=mail["recipient"],
        message_id=mail["message_id"],
        date=date[1],
        mail=content,
    )


async def _event(url: str) -> Delivery:
    """Looked at and left in its queue."""
    link = await Link.open(url)
    try:
        await link.consume("adf-mailer.leads", 1)
        async with asyncio.timeout(_WAIT_SECONDS):
            await link.news.wait()
        return link.arrived.popleft()
    finally:
        link.close()


async def _row(url: str, statement: str) -> asyncpg.Record:
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            while (row := await connection.fetchrow(statement)) is None:  # noqa: ASYNC110 -- another process
                await asyncio.sleep(_LOOK_SECONDS)
        return row
    finally:
        await connection.close()


def pause(mailer_database: str, destination: str) -> None:
    """As an operator would: deliveries are planned and wait."""
    databases.execute(
        mailer_database,
        f"INSERT INTO destination (name, paused_at, created_at) VALUES ('{destination}', now(), now())",
    )
