"""Row (b): all three stages saturated, from what ingest has stored to mails that are written and due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
from ingest.domain.raw import Offer, envelope_of
from leadbus import outbox
from leadbus.messages import raw_message

from tests.bench import leads
from tests.bench.drain import StalledError
from tests.bench.groups import Group, cpu_rows, ratio_row
from tests.bench.pipeline import Pipeline, Starting, product, running, twin
from tests.bench.processes import CpuMeter
from tests.bench.rig import INGEST, MAILER, Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row
from tests.bench.same_rows import WROTE_BY_MAILER

MESSAGES = {"three_stages": 4000, "bare_stages": 6000}
_WARM_UP_MESSAGES = 200
_FILL = 500
_WATCH_SECONDS = 0.05
_STALLED_SECONDS = 90.0
_RAW = """
INSERT INTO raw (raw_id, source, account, key_id, content_type, body, digest, size_bytes, test, accepted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, $9)
"""
ROLES = {
    "ingest": "ingest",
    "normalizer": "normalizer",
    "adf-mailer": "adf_mailer",
    "broker": "broker",
    "postgres": "postgres",
}


@dataclass(frozen=True)
class StagesCase:
    """Leads/s from the ingest database's outbox to the adf-mailer database's mails; none is sent."""

    name: str
    rig: Rig
    make: Starting
    messages: int

    async def run(self) -> Mapping[str, float]:
        async with running(self.rig, self.make, sending=False) as pipeline:
            await store_raws(self.rig, _WARM_UP_MESSAGES)
            await planned(pipeline, _WARM_UP_MESSAGES)
            pipeline.ingest.freeze()
            await store_raws(self.rig, self.messages, start=leads.FIRST + _WARM_UP_MESSAGES)
            cpu = CpuMeter(pipeline.roles())
            thawed = time.perf_counter()
            pipeline.ingest.thaw()
            await planned(pipeline, _WARM_UP_MESSAGES + self.messages)
            seconds = time.perf_counter() - thawed
            used = cpu.microseconds(pipeline.roles(), self.messages)
            await self._check_rows()
        return {"rate": self.messages / seconds} | {f"cpu_{role}": us for role, us in used.items()}

    async def _check_rows(self) -> None:
        ids = [f"CAO-{number}" for number in leads.numbers(_WARM_UP_MESSAGES)]
        url = self.rig.database_url(MAILER)
        await self.rig.written.check(self.name, url, WROTE_BY_MAILER, ids, 3 * _WARM_UP_MESSAGES)


async def store_raws(rig: Rig, messages: int, *, start: int = leads.FIRST) -> None:
    """Raw and outbox rows as ingest's door writes them."""
    connection = await asyncpg.connect(rig.database_url(INGEST))
    try:
        numbers = list(leads.numbers(messages, start))
        for at in range(0, len(numbers), _FILL):
            async with connection.transaction():
                await _store(connection, numbers[at : at + _FILL])
    finally:
        await connection.close()


async def _store(connection: asyncpg.Connection[asyncpg.Record], numbers: Sequence[int]) -> None:
    offers = [
        Offer(leads.SOURCE, leads.ACCOUNT, "bench", "application/json", leads.body(number), False, None)
        for number in numbers
    ]
    raw_ids = [uuid4() for _ in offers]
    pairs = list(zip(offers, raw_ids, strict=True))
    publications = [
        raw_message(leads.SOURCE, envelope_of(offer, raw_id, leads.ACCEPTED_AT)) for offer, raw_id in pairs
    ]
    rows = [
        (raw_id, one.source, one.account, one.key_id, one.content_type, one.body, one.digest, len(one.body))
        for one, raw_id in pairs
    ]
    await connection.executemany(_RAW, [(*row, leads.ACCEPTED_AT) for row in rows])
    await outbox.add(connection, publications, subjects=list(map(str, raw_ids)))


async def planned(pipeline: Pipeline, messages: int) -> None:
    """Returns when so many mails are written. Raises StalledError when no more come."""
    connection = await asyncpg.connect(pipeline.rig.database_url(MAILER))
    seen, since = 0, time.monotonic()
    try:
        while (count := await connection.fetchval("SELECT count(*) FROM mail")) < messages:
            if count != seen:
                seen, since = count, time.monotonic()
            if time.monotonic() - since > _STALLED_SECONDS:
                raise StalledError(f"{count} of {messages} mails")
            await asyncio.sleep(_WATCH_SECONDS)
    finally:
        await connection.close()


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    counts = {name: max(500, round(number * scale)) for name, number in MESSAGES.items()}
    return [
        StagesCase("three_stages", rig, product, counts["three_stages"]),
        StagesCase("bare_stages", rig, twin, counts["bare_stages"]),
    ]


def _rows(samples: Samples) -> list[Row]:
    return [
        ratio_row(samples, "three_stages", "three_stages", "bare_stages"),
        *(row for name in MESSAGES for row in cpu_rows(samples, name, ROLES)),
    ]


STAGES = Group("three_stages", _cases, _rows)
