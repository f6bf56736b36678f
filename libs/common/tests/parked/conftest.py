"""Holding queues on a real broker, jobs on a real database, and a service's handler that a test scripts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiormq
import httpx2
import pytest
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from leadbus import jobs
from leadbus.db import Database
from leadbus.jobs import JobRunner, Kind
from leadbus.messages import IncomingMessage
from leadbus.parked import (
    Handler,
    HoldingReader,
    ParkedDiscard,
    ParkedRedrive,
    UnroutedDiscard,
    UnroutedRedrive,
    parked_router,
    unrouted_router,
)
from leadbus.publisher import Publisher
from leadbus.topology import TOPOLOGY, apply
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.audit import DDL_V1 as AUDIT_DDL_V1
from leadbus.web.tokens import StaticKey
from leadbus_devstack.databases import DatabaseFactory
from leadbus_devstack.servers import Servers
from leadbus_devstack.threads import run_apart
from leadbus_devstack.vhosts import Vhost, new_vhost
from pamqp import commands
from pydantic import SecretStr

QUEUE = "normalizer.raw"
KEY = SecretStr("0123456789abcdef0123456789abcdef")
DEADLINE_SECONDS = 40.0


@dataclass
class Wire:
    """The broker as a stranger with plain AMQP sees it."""

    connection: AbstractConnection
    channel: AbstractChannel

    @classmethod
    async def open(cls, url: str) -> Wire:
        connection = await aiormq.connect(url)
        return cls(connection, await connection.channel())

    async def publish(
        self, *bodies: bytes, key: str = "raw.contactatonce", exchange: str = "leadbus.raw", **properties: Any
    ) -> None:
        await asyncio.gather(
            *(
                self.channel.basic_publish(
                    body,
                    exchange=exchange,
                    routing_key=key,
                    properties=commands.Basic.Properties(delivery_mode=2, **properties),
                )
                for body in bodies
            )
        )

    async def park(self, *bodies: bytes, **properties: Any) -> None:
        """Published, delivered from QUEUE, rejected: what the broker itself does with a dead letter."""
        before = await self.ready(f"{QUEUE}.parked")
        await self.publish(*bodies, **properties)
        channel = await self.connection.channel(publisher_confirms=False)
        await channel.basic_qos(prefetch_count=100)

        async def reject(message: DeliveredMessage) -> None:
            await channel.basic_reject(message.delivery_tag or 0, requeue=False)

        await channel.basic_consume(QUEUE, reject)
        await self.settled(f"{QUEUE}.parked", before + len(bodies))
        await channel.close()

    async def ready(self, queue: str) -> int:
        return (await self.channel.queue_declare(queue, passive=True)).message_count or 0

    async def settled(self, queue: str, number: int) -> None:
        """Wait until so many are there; what others hold comes back a moment after they let go."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await self.ready(queue) != number:  # noqa: ASYNC110 -- the broker rings no bell
                await asyncio.sleep(0.01)

    async def bodies(self, queue: str) -> list[bytes]:
        """What is in the queue, taken out of it."""
        taken: list[bytes] = []
        while True:
            got = await self.channel.basic_get(queue, no_ack=True)
            if not isinstance(got.delivery, commands.Basic.GetOk):
                return taken
            taken.append(bytes(got.body))


@dataclass
class Service:
    """What a service's handler was given, and what a test makes of it."""

    handled: list[IncomingMessage] = field(default_factory=list)
    poisoned: list[IncomingMessage] = field(default_factory=list)
    refuses: set[bytes] = field(default_factory=set)
    cannot_store: set[bytes] = field(default_factory=set)
    before: Callable[[Sequence[IncomingMessage]], Awaitable[None]] | None = None

    async def handle(self, messages: Sequence[IncomingMessage]) -> None:
        if self.before is not None:
            await self.before(messages)
        if any(message.body in self.refuses for message in messages):
            raise ValueError("a defect")
        self.handled += messages

    async def poison(self, message: IncomingMessage, error: Exception) -> None:
        if message.body in self.cannot_store:
            raise KeyError("no such column")
        self.poisoned.append(message)

    @property
    def bodies(self) -> Counter[bytes]:
        return Counter(message.body for message in self.handled)


@dataclass
class Bench:
    """All of it, and the HTTP API that an operator has."""

    vhost: Vhost
    wire: Wire
    service: Service
    database: Database
    reader: HoldingReader
    publisher: Publisher
    http: httpx2.AsyncClient
    kinds: list[Kind]
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def begin(self, **options: Any) -> asyncio.Task[None]:
        runner = JobRunner(
            self.database, self.kinds, **{"poll_seconds": 0.05, "lease_seconds": 30.0, **options}
        )
        task = asyncio.create_task(runner.run())
        self.running.append(task)
        return task

    async def messages(self, path: str = f"/v1/parked/{QUEUE}", **query: Any) -> list[dict[str, Any]]:
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def plan(self, kind: str, **asked: Any) -> httpx2.Response:
        return await self.http.post("/v1/jobs", json={"kind": kind, "rate_per_second": 1000, **asked})

    async def start(self, kind: str, **asked: Any) -> str:
        planned = await self.plan(kind, **asked)
        assert planned.status_code == 201, planned.text
        job_id: str = planned.json()["id"]
        assert (await self.http.post(f"/v1/jobs/{job_id}/run")).status_code == 202
        return job_id

    async def job(self, job_id: str) -> dict[str, Any]:
        story: dict[str, Any] = (await self.http.get(f"/v1/jobs/{job_id}")).json()
        return story

    async def ended(self, job_id: str) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (job := await self.job(job_id))["state"] == "running":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return job

    async def done(self, kind: str, **asked: Any) -> dict[str, Any]:
        return await self.ended(await self.start(kind, **asked))

    async def audited(self, action: str) -> list[dict[str, Any]]:
        async with self.database.acquire() as conn:
            rows = await conn.fetch(
                "SELECT actor, object, detail::text FROM audit WHERE action = $1 ORDER BY id", action
            )
            return [dict(row) for row in rows]


def bearer(role: str = "operator", dealers: list[str] | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(KEY, 'olga', role, dealers)}"}


@pytest.fixture
def as_() -> Callable[..., dict[str, str]]:
    """The header of somebody with a role."""
    return bearer


@pytest.fixture(scope="session")
def shared_vhost(servers: Servers, worker_label: str) -> Iterator[Vhost]:
    made = new_vhost(servers.amqp_url, servers.management_url, f"{worker_label}-parked")
    run_apart(lambda: apply(made.amqp_url, made.management_url))
    yield made
    made.delete()


@pytest.fixture
async def bench(shared_vhost: Vhost, database_factory: DatabaseFactory) -> AsyncIterator[Bench]:
    url = database_factory.create(None)
    database = Database(url, max_size=8)
    await database.open()
    async with database.acquire() as conn:
        for ddl in (AUDIT_DDL_V1, jobs.DDL_V1):
            await conn.execute(ddl)
    wire = await Wire.open(shared_vhost.amqp_url)
    for queue in TOPOLOGY.queues:
        await wire.channel.queue_purge(queue.name)
    amqp_url = SecretStr(shared_vhost.amqp_url)
    reader, publisher, service = (
        HoldingReader(amqp_url, "test"),
        Publisher(amqp_url, app_id="test"),
        Service(),
    )
    await publisher.start()
    kinds: list[Kind] = [
        ParkedRedrive(reader, {QUEUE: Handler(service.handle, service.poison)}, pause_seconds=0.05),
        ParkedDiscard(reader, [QUEUE], pause_seconds=0.05),
        UnroutedRedrive(reader, publisher, pause_seconds=0.05),
        UnroutedDiscard(reader, pause_seconds=0.05),
    ]
    routers = [
        jobs.router(database, kinds),
        parked_router(database, reader, [QUEUE]),
        unrouted_router(database, reader),
    ]
    app = create_app("test", "Test", "1", routers, verifier=TokenVerifier(StaticKey(KEY)))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=bearer()) as http:
        made = Bench(shared_vhost, wire, service, database, reader, publisher, http, kinds)
        yield made
        for task in made.running:
            task.cancel()
        if made.running:
            await asyncio.wait(made.running)
    await reader.close()
    await publisher.close()
    await wire.connection.close()
    await database.close()
    database_factory.drop(url)
