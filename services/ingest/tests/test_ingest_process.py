"""Ingest as a process, on real servers that go away and come back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import asyncpg
import httpx2
import pytest
from leadbus.db import migrate
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.pytest_plugin import MakeDatabase
from leadbus_devstack.services import ServiceName, ServiceProcess
from leadbus_devstack.vhosts import Vhost
from pydantic import SecretStr

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
ADMIN = {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', 'admin')}"}
DEADLINE_SECONDS = 30.0
MANY = 60


class Forwarder:
    """A port that leads to another server while it is open: RabbitMQ can be away for one client alone."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._target = (address.hostname or "", address.port or 0)
        (self._port,) = free_ports(1)
        credentials = f"{address.username}:{address.password}@"
        self.url = urlunsplit(address._replace(netloc=f"{credentials}127.0.0.1:{self._port}"))
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._port)

    async def close(self) -> None:
        """Refuse new connections and cut those there are."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


class Running:
    """An ingest process and its client."""

    def __init__(self, amqp_url: str, database_url: str, log: Path) -> None:
        settings = {"AMQP_URL": amqp_url, "DATABASE_URL": database_url, "TOKEN_KEY": TOKEN_KEY}
        self.process = ServiceProcess(ServiceName("ingest"), free_ports(1)[0], settings, log)
        self.http = httpx2.AsyncClient(base_url=self.process.url, timeout=20)
        self.key = ""

    async def start(self) -> None:
        await asyncio.to_thread(self.process.start)
        await asyncio.to_thread(self.process.wait_ready)

    async def set_up(self) -> None:
        put = await self.http.put("/v1/settings/Source/contactatonce", json={"spec": {}}, headers=ADMIN)
        assert put.status_code == 201, put.text
        made = await self.http.post("/v1/sources/contactatonce/keys", json={}, headers=ADMIN)
        self.key = made.json()["key"]

    async def bring(self, number: int) -> httpx2.Response:
        headers = {
            "X-Api-Key": self.key,
            "Content-Type": "application/json",
            "Idempotency-Key": f"n-{number}",
        }
        return await self.http.post("/v1/raw/contactatonce", content=b'{"n": %d}' % number, headers=headers)

    async def status(self, path: str) -> int:
        return int((await self.http.get(path)).status_code)

    async def published(self, raw_id: str) -> bool:
        answer = await self.http.get(f"/v1/raw/{raw_id}", headers={"X-Api-Key": self.key})
        return bool(answer.json()["status"] == "published")


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[[str, str], Awaitable[Running]]]:
    started: list[Running] = []

    async def start_one(amqp_url: str, database_url: str) -> Running:
        running = Running(amqp_url, database_url, tmp_path / f"ingest-{len(started)}.log")
        started.append(running)
        await running.start()
        await running.set_up()
        return running

    yield start_one
    for running in started:
        await running.http.aclose()
        await asyncio.to_thread(running.process.stop)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is another process's
            await asyncio.sleep(0.05)


async def all_published(database_url: str) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        waiting = await connection.fetchval("SELECT count(*) FROM raw WHERE published_at IS NULL")
        return bool(waiting == 0)
    finally:
        await connection.close()


async def messages(vhost: Vhost, count: int) -> list[Any]:
    """The first ``count`` messages of the normalizer's queue."""
    found: list[Any] = []
    connection = await aio_pika.connect(vhost.amqp_url)
    async with connection, asyncio.timeout(DEADLINE_SECONDS):
        channel = await connection.channel()
        queue = await channel.get_queue("normalizer.raw")
        async with queue.iterator() as iterator:
            async for message in iterator:
                await message.ack()
                found.append(message)
                if len(found) == count:
                    return found
    return found


async def all_come(vhost: Vhost, ids: set[str]) -> None:
    """Returns when each id was met in the normalizer's queue; some come twice after a kill."""
    missing = set(ids)
    connection = await aio_pika.connect(vhost.amqp_url)
    async with connection, asyncio.timeout(DEADLINE_SECONDS):
        channel = await connection.channel()
        queue = await channel.get_queue("normalizer.raw")
        async with queue.iterator() as iterator:
            while missing:
                message = await anext(iterator)
                await message.ack()
                missing.discard(message.message_id or "")


async def test_taken_survives_a_kill_right_after_the_answer(
    topology: Vhost, make_database: MakeDatabase, start: Any
) -> None:
    database_url = make_database("ingest")
    ingest = await start(topology.amqp_url, database_url)
    answered: dict[int, str] = {}

    async def bring(number: int) -> bool:
        """Whether it was answered: a process that is killed answers nobody."""
        try:
            answer = await ingest.bring(number)
        except httpx2.HTTPError:
            return False
        assert answer.status_code == 202
        answered[number] = answer.json()["raw_id"]
        if len(answered) == MANY // 3:
            ingest.process.kill()
        return True

    await asyncio.gather(*(bring(number) for number in range(MANY)))
    before = dict(answered)
    assert len(before) >= MANY // 3

    await ingest.start()
    # As a sender does, until there is an answer: the first that is asked over may be a dead connection.
    await asyncio.gather(*(until(partial(bring, number)) for number in range(MANY)))
    assert {number: answered[number] for number in before} == before

    await until(lambda: all_published(database_url))
    await all_come(topology, set(answered.values()))


async def test_takes_while_rabbitmq_is_away_and_publishes_when_it_is_back(
    topology: Vhost, make_database: MakeDatabase, start: Any
) -> None:
    rabbitmq = Forwarder(topology.amqp_url)
    ingest = await start(rabbitmq.url, make_database("ingest"))
    early = (await ingest.bring(1)).json()
    assert await ingest.status("/readyz") == 200
    assert not await ingest.published(early["raw_id"])

    await rabbitmq.open()
    await until(lambda: ingest.published(early["raw_id"]))

    await rabbitmq.close()
    late = await ingest.bring(2)
    assert late.status_code == 202
    assert [await ingest.status(path) for path in ("/livez", "/readyz")] == [200, 200]
    await rabbitmq.open()
    await until(lambda: ingest.published(late.json()["raw_id"]))
    first, second = await messages(topology, 2)
    assert [first.message_id, second.message_id] == [early["raw_id"], late.json()["raw_id"]]
    assert (first.body, first.content_type) == (b'{"n": 1}', "application/json")
    assert (first.exchange, first.routing_key) == ("leadbus.raw", "raw.contactatonce")
    assert first.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert first.headers["cloudEvents_account"] == "default"
    await asyncio.to_thread(ingest.process.stop)
    assert ingest.process.process.exit_code == 0
    await rabbitmq.close()


async def test_without_its_database_says_when_to_come_again(
    topology: Vhost, private_postgres: Any, start: Any
) -> None:
    await asyncio.to_thread(migrate, "ingest", private_postgres.url)
    ingest = await start(topology.amqp_url, private_postgres.url)
    first = (await ingest.bring(1)).json()

    await asyncio.to_thread(private_postgres.kill)
    refused = await ingest.bring(2)
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0
    assert [await ingest.status(path) for path in ("/livez", "/readyz")] == [200, 503]

    await asyncio.to_thread(private_postgres.start)

    async def taken() -> bool:
        return bool((await ingest.bring(2)).status_code == 202)

    await until(taken)
    assert await ingest.status("/readyz") == 200
    again = (await ingest.bring(1)).json()
    assert (again["raw_id"], again["duplicate"]) == (first["raw_id"], True)
    await until(lambda: ingest.published(first["raw_id"]))
