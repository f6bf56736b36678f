"""A loop of ours that hangs where nothing bounds it ends liveness; one whose server is away does not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, cast

import pytest
from leadbus.consumer.fates import Fates
from leadbus.db import Database, DatabaseUnavailable
from leadbus.delivery import DeliveryEngine, Sink
from leadbus.envelope import Properties
from leadbus.health import Health
from leadbus.jobs.runner import JobRunner
from leadbus.messages import IncomingMessage
from leadbus.outbox import OutboxRelay
from leadbus.publisher import PublishResult
from leadbus.pulse import STALL_SECONDS

POLL_SECONDS = 0.01


class Watch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Stub:
    """A database that never answers, or one that says at once that it is away."""

    def __init__(self, *, hangs: bool) -> None:
        self.asked = 0
        self._hangs = hangs

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        self.asked += 1
        if self._hangs:
            await asyncio.Event().wait()
        raise DatabaseUnavailable
        yield

    transaction = acquire


class Publishing:
    connected = True

    async def publish_many(self, messages: Sequence[Any]) -> list[PublishResult]:
        raise AssertionError("there is nothing to publish")


class NoSink:
    name = "nowhere"


def relay(database: Database) -> Callable[[], Awaitable[None]]:
    return OutboxRelay(database, Publishing(), poll_seconds=POLL_SECONDS).run


def engine(database: Database) -> Callable[[], Awaitable[None]]:
    return DeliveryEngine(database, cast("Sink", NoSink()), poll_seconds=POLL_SECONDS).run


def jobs(database: Database) -> Callable[[], Awaitable[None]]:
    return JobRunner(database, [], poll_seconds=POLL_SECONDS).run


LOOPS = pytest.mark.parametrize("loop", [relay, engine, jobs], ids=lambda loop: loop.__name__)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def health(watch: Watch) -> AsyncIterator[Health]:
    made = Health("tester", now=watch)
    yield made
    await made.stop()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 -- nothing there to be notified by
            await asyncio.sleep(0.001)


@LOOPS
async def test_a_loop_that_hangs_ends_liveness(
    loop: Callable[[Any], Callable[[], Awaitable[None]]], health: Health, watch: Watch
) -> None:
    database = Stub(hangs=True)
    health.supervise("loop", loop(database))
    health.start()
    await until(lambda: database.asked == 1)
    watch.seconds += STALL_SECONDS - 1
    assert health.alive()[0]
    watch.seconds += 2
    assert health.alive() == (False, {"loop": "stalled"})


@LOOPS
async def test_a_loop_whose_database_is_away_for_a_day_lives(
    loop: Callable[[Any], Callable[[], Awaitable[None]]], health: Health, watch: Watch
) -> None:
    database = Stub(hangs=False)
    health.supervise("loop", loop(database))
    health.start()
    for hour in range(1, 25):
        asked = database.asked
        await until(lambda before=asked: database.asked > before + 1)  # type: ignore[misc]
        watch.seconds += STALL_SECONDS - 1
        assert health.alive() == (True, {"loop": "running"}), f"hour {hour}"


class Acks:
    """A generation that lasts, and takes every acknowledgement."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    async def ack(self, messages: Sequence[IncomingMessage]) -> None:
        return

    async def park(self, message: IncomingMessage) -> None:
        raise AssertionError("nothing is wrong with the message")


class Handler:
    """Hangs and will not be cancelled, until it is let go."""

    def __init__(self) -> None:
        self.begun, self.free = asyncio.Event(), asyncio.Event()

    async def __call__(self, messages: Sequence[IncomingMessage]) -> None:
        self.begun.set()
        while not self.free.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.free.wait()


async def test_a_consumer_that_hangs_in_a_batch_ends_liveness_and_one_without_work_does_not(
    health: Health, watch: Watch
) -> None:
    hold_seconds = 0.05
    handler, settled = Handler(), asyncio.Event()
    message = IncomingMessage(
        body=b"",
        exchange="leadbus.raw",
        routing_key="raw.adf",
        headers={},
        properties=Properties(),
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
    )

    async def poison(_: IncomingMessage, error: Exception) -> None:
        raise error

    fates = Fates(
        "normalizer.raw",
        handler,
        poison,
        unavailable=lambda _: False,
        hold_seconds=hold_seconds,
        draining=asyncio.Event(),
    )

    async def consume() -> None:
        await fates.settle(Acks(), [message])
        settled.set()
        await asyncio.Event().wait()

    health.supervise("consume", consume)
    health.start()
    await handler.begun.wait()
    assert health.alive()[0]
    watch.seconds += hold_seconds + STALL_SECONDS + 1
    assert health.alive() == (False, {"consume": "stalled"})
    handler.free.set()
    await settled.wait()
    watch.seconds += 86400
    assert health.alive() == (True, {"consume": "running"})
