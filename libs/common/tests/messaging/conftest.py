"""A broker of the module's own, a client that bypasses leadbus, and consumers that end with their test."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiormq
import pytest
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from leadbus.consumer import BatchConsumer, make_broker
from leadbus.messages import IncomingMessage
from leadbus.publisher import Publisher
from leadbus.topology import TOPOLOGY, apply
from leadbus_devstack import rabbitmq
from leadbus_devstack.data import scratch_directory
from leadbus_devstack.pytest_plugin import in_ci
from leadbus_devstack.servers import Servers
from leadbus_devstack.threads import run_apart
from leadbus_devstack.vhosts import Vhost, new_vhost
from pamqp import commands
from pydantic import SecretStr

QUEUE = "adf-mailer.leads"
DEADLINE_SECONDS = 30.0


class Eventually:
    """`await eventually(condition)`: fails when it does not come true within the deadline."""

    async def __call__(
        self, condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = DEADLINE_SECONDS
    ) -> None:
        async with asyncio.timeout(seconds):
            while True:
                holds = condition()
                if holds if isinstance(holds, bool) else await holds:
                    return
                await asyncio.sleep(0.02)


@pytest.fixture
def eventually() -> Eventually:
    return Eventually()


@dataclass
class Wire:
    """The broker as a stranger with plain AMQP sees it."""

    connection: AbstractConnection
    channel: AbstractChannel

    @classmethod
    async def open(cls, url: str) -> Wire:
        connection = await aiormq.connect(url)
        return cls(connection, await connection.channel())

    async def put(
        self,
        *bodies: bytes,
        queue: str = QUEUE,
        exchange: str = "",
        mandatory: bool = False,
        **properties: Any,
    ) -> None:
        await asyncio.gather(
            *(
                self.channel.basic_publish(
                    body,
                    exchange=exchange,
                    routing_key=queue,
                    mandatory=mandatory,
                    properties=commands.Basic.Properties(**{"delivery_mode": 2, **properties}),
                )
                for body in bodies
            )
        )

    async def ready(self, queue: str = QUEUE) -> int:
        """Messages that nobody was given."""
        return (await self.channel.queue_declare(queue, passive=True)).message_count or 0

    async def take_all(self, queue: str = QUEUE) -> list[DeliveredMessage]:
        """What is in the queue, taken out of it."""
        taken: list[DeliveredMessage] = []
        while True:
            got = await self.channel.basic_get(queue, no_ack=True)
            if isinstance(got.delivery, commands.Basic.GetEmpty):
                return taken
            taken.append(got)

    async def bodies(self, queue: str = QUEUE) -> list[bytes]:
        return [bytes(message.body) for message in await self.take_all(queue)]

    async def close(self) -> None:
        await self.connection.close()


def delivery_count(message: DeliveredMessage) -> int:
    count = (message.header.properties.headers or {}).get("x-delivery-count", 0)
    assert isinstance(count, int)
    return count


@pytest.fixture(scope="session")
def shared_vhost(servers: Servers, worker_label: str) -> Iterator[Vhost]:
    made = new_vhost(servers.amqp_url, servers.management_url, f"{worker_label}-messaging")
    run_apart(lambda: apply(made.amqp_url, made.management_url))
    yield made
    made.delete()


@pytest.fixture
async def topology(shared_vhost: Vhost) -> Vhost:
    """The topology with empty queues. Shared to be quick: a test that changes it uses `clean_vhost`."""
    wire = await Wire.open(shared_vhost.amqp_url)
    for queue in TOPOLOGY.queues:
        await wire.channel.queue_purge(queue.name)
    await wire.close()
    return shared_vhost


@pytest.fixture
async def fresh_topology(clean_vhost: Vhost) -> Vhost:
    """The topology in a virtual host of the test's own."""
    await apply(clean_vhost.amqp_url, clean_vhost.management_url)
    return clean_vhost


@pytest.fixture
async def wire(topology: Vhost) -> AsyncIterator[Wire]:
    opened = await Wire.open(topology.amqp_url)
    yield opened
    await opened.close()


@dataclass
class Recorder:
    """A batch handler whose behaviour a test sets, and what it was given."""

    batches: list[list[bytes]] = field(default_factory=list)
    done: list[bytes] = field(default_factory=list)
    poisoned: list[tuple[bytes, Exception]] = field(default_factory=list)
    messages: list[IncomingMessage] = field(default_factory=list)
    react: Callable[[list[bytes]], Awaitable[None]] | None = None
    react_to_poison: Callable[[bytes], Awaitable[None]] | None = None
    cancelled: int = 0

    async def handle(self, batch: Sequence[IncomingMessage]) -> None:
        bodies = [message.body for message in batch]
        self.batches.append(bodies)
        self.messages += batch
        try:
            if self.react is not None:
                await self.react(bodies)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.done += bodies

    async def poison(self, message: IncomingMessage, error: Exception) -> None:
        if self.react_to_poison is not None:
            await self.react_to_poison(message.body)
        self.poisoned.append((message.body, error))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


Consume = Callable[..., Awaitable[BatchConsumer]]


@pytest.fixture
async def consume(recorder: Recorder, eventually: Eventually) -> AsyncIterator[Consume]:
    """`await consume(amqp_url, **options)`: a running consumer of QUEUE that the recorder handles for."""
    async with AsyncExitStack() as ends:

        async def begin(url: str, *, queue: str = QUEUE, wait: bool = True, **options: Any) -> BatchConsumer:
            broker = make_broker(SecretStr(url), "test")
            ends.push_async_callback(broker.stop)
            connecting = asyncio.create_task(broker.start())
            ends.callback(connecting.cancel)
            chosen = {"handle": recorder.handle, "poison": recorder.poison, **options}
            consumer = BatchConsumer(broker, queue, **chosen)
            running = asyncio.create_task(consumer.run())

            async def end() -> None:
                running.cancel()
                await asyncio.wait([running])

            ends.push_async_callback(end)
            if wait:
                await eventually(lambda: consumer.consuming)
            return consumer

        yield begin


@pytest.fixture
async def publisher(topology: Vhost) -> AsyncIterator[Publisher]:
    async with started_publisher(topology.amqp_url) as publisher:
        yield publisher


class started_publisher:  # noqa: N801 -- used like a function
    """A publisher for the length of an `async with`."""

    def __init__(self, url: str, *, confirm_timeout_seconds: float = 5.0) -> None:
        self.publisher = Publisher(
            SecretStr(url), app_id="test", confirm_timeout_seconds=confirm_timeout_seconds
        )

    async def __aenter__(self) -> Publisher:
        await self.publisher.start()
        return self.publisher

    async def __aexit__(self, *_: object) -> None:
        await self.publisher.close()


@pytest.fixture
def publisher_to() -> type[started_publisher]:
    return started_publisher


@pytest.fixture(scope="session")
def own_rabbitmq() -> Iterator[rabbitmq.NativeRabbitMQ]:
    """One RabbitMQ for all tests here that freeze, alarm, kill or disconnect; each leaves it healthy."""
    programs = rabbitmq.find_programs()
    if programs is None:
        give_up = pytest.fail if in_ci() else pytest.skip
        give_up("needs a RabbitMQ that can be killed: apt-get install rabbitmq-server")
    directory = scratch_directory("messaging")
    server = rabbitmq.NativeRabbitMQ(programs, directory, directory / "rabbitmq.log")
    try:
        server.start()
        yield server
    finally:
        if server.process.running:
            server.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
async def own_vhost(own_rabbitmq: rabbitmq.NativeRabbitMQ) -> AsyncIterator[Vhost]:
    """A virtual host on `own_rabbitmq`, with the topology."""
    made = await asyncio.to_thread(new_vhost, own_rabbitmq.url, own_rabbitmq.management_url, "own")
    await apply(made.amqp_url, made.management_url)
    yield made
    await asyncio.to_thread(made.delete)


@pytest.fixture
async def own_wire(own_vhost: Vhost) -> AsyncIterator[Wire]:
    opened = await Wire.open(own_vhost.amqp_url)
    yield opened
    await opened.close()
