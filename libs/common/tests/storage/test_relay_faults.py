"""REL: a relay on real servers loses nothing when it, the database or the broker goes away in the middle."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import pytest
from leadbus import outbox
from leadbus.db import Database
from leadbus.envelope import Properties
from leadbus.messages import OutgoingMessage
from leadbus.outbox import OutboxRelay, add, stats
from leadbus.outbox.relay import LEADS_PER_CLAIM
from leadbus.publisher import Publisher, PublishResult
from pydantic import SecretStr

Eventually = Callable[..., Awaitable[None]]
QUEUE = "test.relay"


class Queue:
    """A queue on the broker and what a plain client finds in it."""

    def __init__(self, amqp_url: str) -> None:
        self._url = amqp_url

    async def declare(self) -> None:
        async with await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})

    async def bodies(self) -> Counter[bytes]:
        found: Counter[bytes] = Counter()
        async with await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(QUEUE)
            count = queue.declaration_result.message_count or 0
            async with queue.iterator(no_ack=True) as messages:
                while found.total() < count:
                    found[(await anext(messages)).body] += 1
        return found


def numbered(first: int, count: int) -> list[OutgoingMessage]:
    return [
        OutgoingMessage("", QUEUE, str(n).encode(), {}, Properties(message_id=str(n)), mandatory=True)
        for n in range(first, first + count)
    ]


def missing(found: Counter[bytes], count: int) -> set[bytes]:
    return {str(n).encode() for n in range(count)} - set(found)


async def put(database: Database, messages: list[OutgoingMessage]) -> None:
    async with database.transaction() as conn:
        await add(conn, messages)


@pytest.fixture
async def queue(amqp_url: str) -> Queue:
    made = Queue(amqp_url)
    await made.declare()
    return made


@pytest.fixture
async def publisher(amqp_url: str) -> AsyncIterator[Publisher]:
    made = Publisher(SecretStr(amqp_url), app_id="test")
    await made.start()
    yield made
    await made.close()


def is_empty(database: Database) -> Callable[[], Awaitable[bool]]:
    async def empty() -> bool:
        async with database.acquire() as conn:
            return (await stats(conn))[0] == 0

    return empty


async def test_rel1_killed_relays_lose_nothing(
    storage_url: str, database: Database, queue: Queue, amqp_url: str, eventually: Eventually
) -> None:
    count = 8 * LEADS_PER_CLAIM
    await put(database, numbered(0, count))
    left = count
    for _ in range(3):
        command = [sys.executable, str(Path(__file__).with_name("relay_process.py")), storage_url, amqp_url]
        process = subprocess.Popen(command)  # noqa: ASYNC220 -- starting it is quick
        before = left

        async def progressed(before: int = before) -> bool:
            nonlocal left
            async with database.acquire() as conn:
                left = (await stats(conn))[0]
            return left < before

        try:
            await eventually(progressed)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert left > 0, "killed in the middle"
    publisher = Publisher(SecretStr(amqp_url), app_id="test")
    await publisher.start()
    running = asyncio.create_task(OutboxRelay(database, publisher).run())
    await eventually(is_empty(database))
    running.cancel()
    await publisher.close()
    assert missing(await queue.bodies(), count) == set()


class Cutting:
    """A publisher whose connection is cut in the middle of every other batch."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.batches = 0

    @property
    def connected(self) -> bool:
        return self._publisher.connected

    async def publish_many(self, messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        self.batches += 1
        publishing = asyncio.create_task(self._publisher.publish_many(messages))
        await asyncio.sleep(0)
        link = self._publisher._link
        if self.batches % 2 and link is not None:
            link._transport.cut()
        return await publishing


async def test_rel2_connections_cut_under_the_relay(
    database: Database, queue: Queue, publisher: Publisher, eventually: Eventually
) -> None:
    cutting = Cutting(publisher)
    count = 2 * LEADS_PER_CLAIM
    await put(database, numbered(0, count))
    running = asyncio.create_task(OutboxRelay(database, cutting, poll_seconds=0.05).run())
    await eventually(is_empty(database))
    assert not running.done()
    running.cancel()
    assert cutting.batches > 2, "some batches were cut"
    assert missing(await queue.bodies(), count) == set()


async def test_rel3_missing_queue_keeps_the_row_until_it_is_there(
    database: Database, amqp_url: str, publisher: Publisher, eventually: Eventually
) -> None:
    running = asyncio.create_task(OutboxRelay(database, publisher).run())
    await put(database, numbered(0, 1))

    async def returned() -> bool:
        async with database.acquire() as conn:
            return bool(await conn.fetchval("SELECT last_error FROM outbox") == "returned")

    await eventually(returned)
    late = Queue(amqp_url)
    await late.declare()
    await eventually(is_empty(database))
    running.cancel()
    assert await late.bodies() == Counter({b"0": 1})


async def test_rel4_database_killed_and_back(
    private_postgres: Any, queue: Queue, publisher: Publisher, eventually: Eventually
) -> None:
    admin = await asyncpg.connect(private_postgres.url)
    await admin.execute(outbox.DDL_V1)
    await admin.close()
    database = Database(private_postgres.url)
    await database.open()
    await put(database, numbered(0, 2000))
    running = asyncio.create_task(OutboxRelay(database, publisher, poll_seconds=0.1).run())

    async def begun() -> bool:
        async with database.acquire() as conn:
            return (await stats(conn))[0] < 2000

    await eventually(begun)
    private_postgres.kill()
    private_postgres.start()

    async def empty() -> bool:
        return await database.ping() and await is_empty(database)()

    await eventually(empty)
    assert not running.done()
    running.cancel()
    await database.close()
    assert missing(await queue.bodies(), 2000) == set()


@pytest.mark.full
async def test_rel5_broker_frozen_then_killed(
    private_rabbitmq: Any, database: Database, eventually: Eventually
) -> None:
    queue = Queue(private_rabbitmq.url)
    await queue.declare()
    publisher = Publisher(SecretStr(private_rabbitmq.url), app_id="test", confirm_timeout_seconds=2)
    await publisher.start()
    running = asyncio.create_task(OutboxRelay(database, publisher).run())
    await put(database, numbered(0, 100))
    await eventually(is_empty(database))

    private_rabbitmq.freeze()
    await put(database, numbered(100, 100))

    async def unknown() -> bool:
        async with database.acquire() as conn:
            return bool(await conn.fetchval("SELECT count(*) FROM outbox WHERE last_error = 'unknown'"))

    await eventually(unknown)
    private_rabbitmq.thaw()
    await eventually(is_empty(database), 60)

    private_rabbitmq.kill()
    await put(database, numbered(200, 100))
    private_rabbitmq.start()
    await eventually(is_empty(database), 60)
    running.cancel()
    await publisher.close()
    assert missing(await queue.bodies(), 300) == set()
