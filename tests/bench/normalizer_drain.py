"""One drain of `normalizer.raw`, by the normalizer or by whoever stands in its place."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import asyncpg
from leadbus_devstack import databases
from leadbus_devstack.processes import GuardedProcess

from tests.bench.drain import WARM_UP_MESSAGES, Drain, Drained, purge
from tests.bench.rig import FINDING_KEY, NORMALIZER, Rig, ask

QUEUES = ("normalizer.raw", "adf-mailer.leads", "normalizer.ledger")
_ROWS_PER_LEAD = {"inbox": 1, "raw": 1, "lead": 1, "lead_term": 3, "lead_revision": 1}
_EMPTY_AFTER = ("outbox", "quarantine", "ledger")
TABLES = (*_ROWS_PER_LEAD, *_EMPTY_AFTER)


class WrongWorkError(Exception):
    """A stage was fast because it did something else."""


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
        return measures(drained)


async def clean(rig: Rig) -> None:
    """Queues and tables empty, and nothing of what was in them left to be written out."""
    await purge(rig.amqp_url, QUEUES)
    databases.execute(rig.database_url(), f"TRUNCATE {', '.join(TABLES)}", "CHECKPOINT")


def normalizer(rig: Rig) -> GuardedProcess:
    """The real one, as deployed."""
    return rig.service(NORMALIZER).process


def bare(rig: Rig, module: str) -> GuardedProcess:
    """Its stand-in."""
    arguments = rig.amqp_url, rig.database_url(), FINDING_KEY, str(rig.sample_file)
    return rig.program(f"tests.bench.{module}", *arguments)


async def drain(
    rig: Rig, process: GuardedProcess, messages: int, *, began: Callable[[], None] = lambda: None
) -> Drained:
    """Start `process`, have it drain `messages`, stop it. `began` is called when the backlog stands."""
    connection = await asyncpg.connect(rig.database_url())

    async def settled() -> bool:
        return not await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)")

    process.start()
    try:
        work = Drain(
            rig.amqp_url,
            process,
            lambda: {"service": process.processes(), **rig.server_roles()},
            secrets.token_hex(4),
            settled,
        )
        return await work.measure(messages, began=began)
    finally:
        await connection.close()
        await asyncio.to_thread(process.stop)


async def check(url: str, messages: int) -> None:
    """Raises WrongWorkError unless every message has its rows and none is left to publish."""
    counts = {table: await ask(url, f"SELECT count(*) FROM {table}") for table in TABLES}
    expected = dict.fromkeys(_EMPTY_AFTER, 0) | {
        name: rows * messages for name, rows in _ROWS_PER_LEAD.items()
    }
    if counts != expected:
        raise WrongWorkError(f"rows are {counts}, expected {expected}")


def measures(drained: Drained) -> dict[str, float]:
    """A drain as a sample."""
    return {"rate": drained.rate} | {f"cpu_{role}": used for role, used in drained.cpu_us.items()}
