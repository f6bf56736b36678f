"""One drain of `normalizer.raw`, by the normalizer or by whoever stands in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import asyncpg
from leadbus_devstack import databases
from leadbus_devstack.processes import GuardedProcess

from tests.bench import leads
from tests.bench.drain import WARM_UP_MESSAGES, Drain, Drained, purge
from tests.bench.rig import FINDING_KEY, NORMALIZER, Rig, ask
from tests.bench.same_rows import WROTE_BY_NORMALIZER, DifferentRowsError

RUN = "bench"
QUEUES = ("normalizer.raw", "adf-mailer.leads", "normalizer.ledger")
_ROWS_PER_LEAD = {"inbox": 1, "raw": 1, "lead": 1, "lead_term": 3, "lead_revision": 1}
_EMPTY_AFTER = ("outbox", "quarantine", "ledger")
TABLES = (*_ROWS_PER_LEAD, *_EMPTY_AFTER)


@dataclass
class DrainCase:
    """Messages/s and CPU of one stage, from empty tables. `start` makes its process, not started."""

    name: str
    rig: Rig
    start: Callable[[], GuardedProcess]
    messages: int

    async def run(self) -> Mapping[str, float]:
        await clean(self.rig)
        drained = await drain(self.rig, self.start(), self.messages)
        await check(self.rig.database_url(), self.messages + WARM_UP_MESSAGES)
        await self._check_rows()
        return measures(drained)

    async def _check_rows(self) -> None:
        ids = [str(leads.wire_id(RUN, number)) for number in leads.numbers(WARM_UP_MESSAGES)]
        rows = WARM_UP_MESSAGES * sum(_ROWS_PER_LEAD.values())
        await self.rig.written.check(self.name, self.rig.database_url(), WROTE_BY_NORMALIZER, ids, rows)


async def clean(rig: Rig) -> None:
    """Queues and tables empty."""
    await purge(rig.amqp_url, QUEUES)
    databases.execute(rig.database_url(), f"TRUNCATE {', '.join(TABLES)}")


def normalizer(rig: Rig) -> GuardedProcess:
    """The real one, as deployed."""
    return rig.service(NORMALIZER).process


def bare(rig: Rig, module: str) -> GuardedProcess:
    """Its stand-in."""
    arguments = rig.amqp_url, rig.database_url(), FINDING_KEY, str(rig.sample_file)
    return rig.program(f"tests.bench.{module}", *arguments)


async def drain(
    rig: Rig,
    process: GuardedProcess,
    messages: int,
    *,
    database_url: str | None = None,
    first: int = leads.FIRST,
    began: Callable[[], None] = lambda: None,
) -> Drained:
    """Start `process`, have it drain `messages`, stop it. `began` is called when the backlog stands."""
    connection = await asyncpg.connect(database_url or rig.database_url())

    async def settled() -> bool:
        return not await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)")

    process.start()
    try:
        work = Drain(
            rig.amqp_url,
            process,
            lambda: {"service": process.processes(), **rig.server_roles()},
            RUN,
            settled,
            first=first,
        )
        return await work.measure(messages, began=began)
    finally:
        await connection.close()
        await asyncio.to_thread(process.stop)


async def check(url: str, messages: int) -> None:
    """Raises DifferentRowsError unless every message has its rows and none is left to publish."""
    counts = {table: await ask(url, f"SELECT count(*) FROM {table}") for table in TABLES}
    expected = dict.fromkeys(_EMPTY_AFTER, 0) | {
        name: rows * messages for name, rows in _ROWS_PER_LEAD.items()
    }
    if counts != expected:
        raise DifferentRowsError(f"rows are {counts}, expected {expected}")


def measures(drained: Drained) -> dict[str, float]:
    """A drain as a sample."""
    return {"rate": drained.rate} | {f"cpu_{role}": used for role, used in drained.cpu_us.items()}
