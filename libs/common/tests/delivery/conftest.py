"""A sink's database, a sink that answers what the test says, and engines moved step by step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from leadbus import delivery, inbox, outbox
from leadbus.clock import FakeClock
from leadbus.contracts import EVENTS
from leadbus.contracts.delivery_events import DeliveryEvent
from leadbus.contracts.destination_events import DestinationEvent
from leadbus.contracts.wire import WireModel
from leadbus.db import Database
from leadbus.delivery import Delivered, DeliveryEngine, Job, NewDelivery, Outcome, Schedule, plan
from leadbus.delivery.breaker import BreakerSettings
from leadbus.web.audit import DDL_V1 as AUDIT_DDL_V1
from leadbus_devstack.databases import DatabaseFactory
from leadbus_devstack.threads import run_apart

DELIVERY_DDL = (delivery.DDL_V1, delivery.DDL_V2, delivery.DDL_V3, delivery.DDL_V4, delivery.DDL_V5)
Answer = Callable[[Job], Awaitable[Outcome]]
DEADLINE_SECONDS = 20.0


async def _delivered(_: Job) -> Outcome:
    return Delivered("250 ok")


@dataclass
class ScriptedSink:
    """Remembers every act. ``answer`` decides; ``found`` is what a lookup says."""

    name: str = "test-sink"
    answer: Answer = _delivered
    found: Callable[[Job], Outcome | None] = lambda _: None
    acts: list[Job] = field(default_factory=list)
    lookups: list[Job] = field(default_factory=list)

    async def deliver(self, job: Job) -> Outcome:
        self.acts.append(job)
        return await self.answer(job)

    async def lookup(self, job: Job) -> Outcome | None:
        self.lookups.append(job)
        return self.found(job)

    def always(self, outcome: Outcome) -> None:
        async def answer(_: Job) -> Outcome:
            return outcome

        self.answer = answer

    def in_turn(self, *outcomes: Outcome) -> None:
        left = list(outcomes)

        async def answer(_: Job) -> Outcome:
            return left.pop(0)

        self.answer = answer

    @property
    def keys(self) -> list[str]:
        return [job.key for job in self.acts]


class Gate:
    """An answer that waits until the test opens it."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.opened = asyncio.Event()
        self.waiting: list[Job] = []
        self._outcome = outcome or Delivered()

    async def answer(self, job: Job) -> Outcome:
        self.waiting.append(job)
        await self.opened.wait()
        return self._outcome


@dataclass
class Bench:
    """What a test of the engine works with."""

    url: str
    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    sink: ScriptedSink = field(default_factory=ScriptedSink)

    def engine(self, sink: ScriptedSink | None = None, **settings: Any) -> DeliveryEngine:
        defaults: dict[str, Any] = {
            "schedule": Schedule(steps_seconds=(10, 30), then_every_seconds=60, give_up_after_seconds=100),
            "breaker": BreakerSettings(opens_after_failures=3, probe_steps_seconds=(30, 60)),
            "clock": self.clock,
            "poll_seconds": 0.001,
            "luck": lambda: 0.5,
        }
        return DeliveryEngine(self.database, sink or self.sink, **(defaults | settings))

    async def plan(self, *keys: str, destination: str = "host", **more: Any) -> list[UUID]:
        """Deliveries ``key`` or ``destination:key``."""
        planned = []
        for key in keys:
            where, _, name = key.rpartition(":")
            planned.append(NewDelivery(name, f"lead-{name}", where or destination, "route", **more))
        async with self.database.transaction() as conn:
            ids = await plan(conn, planned, now=self.clock.now())
        return [one for one in ids if one is not None]

    async def settle(self, *engines: DeliveryEngine) -> None:
        """Step until nothing is in flight and nothing is due."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            busy = [await engine.step() for engine in engines]
            if not any(busy) and not any(engine.in_flight for engine in engines):
                return
            assert time.monotonic() < deadline, "does not come to rest"
            await asyncio.sleep(0.001)

    async def until(self, condition: Callable[[], bool], *engines: DeliveryEngine) -> None:
        """Step until the condition holds."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            for engine in engines:
                await engine.step()
            assert time.monotonic() < deadline, "did not come about in time"
            await asyncio.sleep(0.001)

    async def execute(self, sql: str, *arguments: Any) -> None:
        async with self.database.acquire() as conn:
            await conn.execute(sql, *arguments)

    async def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self.database.acquire() as conn:
            return [dict(row) for row in await conn.fetch(sql, *arguments)]

    async def row(self, key: str) -> dict[str, Any]:
        (row,) = await self.rows("SELECT * FROM delivery WHERE key = $1", key)
        return row

    async def phase(self, key: str) -> str:
        return str((await self.row(key))["phase"])

    async def attempts(self, key: str) -> list[dict[str, Any]]:
        return await self.rows(
            "SELECT attempt.* FROM attempt JOIN delivery ON delivery.id = delivery_id"
            " WHERE key = $1 ORDER BY n",
            key,
        )

    async def events(self) -> list[tuple[str, DeliveryEvent]]:
        """Type and data of what the outbox tells of deliveries, checked against the contract."""
        return [(kind, event) for kind, event in await self._told() if isinstance(event, DeliveryEvent)]

    async def turns(self) -> list[tuple[str, DestinationEvent]]:
        """The same of destinations."""
        return [(kind, event) for kind, event in await self._told() if isinstance(event, DestinationEvent)]

    async def _told(self) -> list[tuple[str, WireModel]]:
        rows = await self.rows("SELECT routing_key, body FROM outbox ORDER BY id")
        return [
            (
                row["routing_key"].split(".")[1],
                EVENTS[row["routing_key"]].model.model_validate_json(row["body"]),
            )
            for row in rows
        ]

    def stand_still(self, engine: DeliveryEngine, *, seconds: float) -> None:
        """As if the process had been stopped for so long, right after the claim of what it has in hand."""
        for act in engine._acts.values():
            act.began -= seconds

    async def too_slow(self, gate: Gate) -> DeliveryEngine:
        """An engine whose lease ran out, and another one saw it, before the gate let its act end."""
        slow = self.engine()
        await self.until(lambda: bool(gate.waiting), slow)
        await self.expire_leases()
        await self.settle(self.engine())
        return slow

    async def expire_leases(self) -> None:
        """As if the leaseholders had been silent for too long, by the database's clock."""
        await self.execute(
            "UPDATE delivery SET lease_expires_at = now() - interval '1 s' WHERE phase = 'sending'"
        )


async def create_tables(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for ddl in (inbox.DDL_V1, outbox.DDL_V1, *DELIVERY_DDL, AUDIT_DDL_V1):
            await connection.execute(ddl)
        for name, definition in (delivery.INDEXES_V2 | delivery.INDEXES_V3).items():
            await connection.execute(f"CREATE INDEX {name} ON {definition}")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def sink_url(database_factory: DatabaseFactory) -> Iterator[str]:
    """One database for all tests of this worker; ``bench`` empties it."""
    url = database_factory.create()
    run_apart(lambda: create_tables(url))
    yield url
    database_factory.drop(url)


@pytest.fixture
async def bench(sink_url: str) -> AsyncIterator[Bench]:
    database = Database(sink_url)
    await database.open()
    bench = Bench(sink_url, database)
    await bench.execute("TRUNCATE delivery, attempt, destination, outbox, inbox, audit")
    yield bench
    await database.close()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def make_gate() -> Callable[..., Gate]:
    return Gate


@pytest.fixture
def make_sink() -> Callable[..., ScriptedSink]:
    return ScriptedSink


@pytest.fixture
def make_tables() -> Callable[[str], Awaitable[None]]:
    return create_tables


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    return Bench
