"""The batch consumer: generations one after the other, one batch at a time in each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity
from faststream.rabbit import RabbitBroker

from leadbus import checkpoint, metrics
from leadbus.backoff import waits
from leadbus.cancellation import really_cancelled
from leadbus.consumer.ahead import ReadAhead
from leadbus.consumer.broker import live_connection
from leadbus.consumer.fates import BatchHandler, Fates, PoisonHandler, ReleasedError
from leadbus.consumer.generation import Generation
from leadbus.consumer.window import Window
from leadbus.db import is_out_of_reach
from leadbus.log import logger
from leadbus.messages import IncomingMessage

BROKER_ACK_TIMEOUT_SECONDS = 1800.0
"""RabbitMQ's default `consumer_timeout`: it takes back what is unacknowledged for longer, and counts it."""
HELD_BYTES = 64 * 1024 * 1024
"""By default, of one consumer: bodies waiting, read ahead and in hand together."""
OPEN_TIMEOUT_SECONDS = 10.0
_CANCEL_SECONDS = 3.0
_CONNECTION_POLL_SECONDS = 0.1

_QUEUE = metrics.configured("queues this service consumes")
GENERATIONS = metrics.counter(
    "leadbus_consumer_generations_total",
    "Consuming channels opened; more than one in a while means lost connections or a database that was away.",
    labels={"queue": _QUEUE},
)
REFUSED = metrics.counter(
    "leadbus_consumer_refused_total",
    "Times the broker did not let us consume.",
    labels={"queue": _QUEUE, "reason": ("no_queue", "not_allowed", "other")},
)
CONSUMING = metrics.gauge(
    "leadbus_consumer_consuming",
    "1 while the broker has agreed to deliver this queue to us.",
    labels={"queue": _QUEUE},
)

_log = logger("consumer")


class BatchConsumer:
    """Consumes one queue: takes what is there, has it handled as one, acknowledges it with one frame.

    `handle` does a whole batch in one transaction or raises. At least once: after a lost channel, or a
    batch that was halved, it meets messages again that it has done. `poison` stores what cannot be
    handled. `unavailable` tells errors of a database that is away: such a batch is held for up to
    `hold_seconds` and then given back, and nothing is consumed until `reopen` says that the database
    answers. `prefetch` messages at most are with us at any time, and bodies of `held_bytes`, or one.

    A message that comes alone is handled alone, at once. Where nobody waits for it, `linger_seconds` lets it
    wait up to so long for others to share its transaction and its acknowledgement; a batch that is full, and
    draining, end the wait.

    With `read`, a pure function of one message, `handle` gets what it made of each instead: the next batch
    is read while this one is written. `poison` gets the message all the same.

    The broker is connected by whoever runs the service, not from here.
    """

    def __init__(
        self,
        broker: RabbitBroker,
        queue: str,
        handle: BatchHandler | Callable[[Sequence[Any]], Awaitable[None]],
        *,
        poison: PoisonHandler,
        read: Callable[[IncomingMessage], Any] | None = None,
        batch_size: int = 100,
        prefetch: int = 200,
        held_bytes: int = HELD_BYTES,
        linger_seconds: float = 0.0,
        hold_seconds: float = 120.0,
        unavailable: Callable[[BaseException], bool] = is_out_of_reach,
        reopen: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        if linger_seconds < 0:
            raise ValueError("linger_seconds cannot be negative")
        if not 2 * hold_seconds + linger_seconds < BROKER_ACK_TIMEOUT_SECONDS:
            # Twice, because the last try of a hold may itself take as long.
            raise ValueError("hold_seconds must be well below the broker's acknowledgement timeout")
        if not 1 <= batch_size <= prefetch:
            raise ValueError("a batch cannot be larger than what is prefetched")
        self.queue = queue
        self._broker = broker
        self._batch_size = batch_size
        self._window = Window(prefetch, held_bytes)
        self._linger_seconds = linger_seconds
        self._hold_seconds = hold_seconds
        self._reopen = reopen
        self._draining = asyncio.Event()
        self._generation: Generation | None = None
        self._work: asyncio.Task[None] | None = None
        self._ahead = ReadAhead(read, handle) if read else None
        self._fates = Fates(
            queue,
            self._ahead.handle if self._ahead else handle,
            poison,
            unavailable=unavailable,
            hold_seconds=hold_seconds,
            draining=self._draining,
        )

    @property
    def consuming(self) -> bool:
        """The broker confirmed the consumer, on a channel that is still open."""
        return self._generation is not None and self._generation.consuming

    async def run(self) -> None:
        """Consume until drained. Cancelled, it gives back what is unfinished."""
        self._work = asyncio.create_task(self._consume_until_drained(), name=f"consumer {self.queue}")
        try:
            await self._work
        except asyncio.CancelledError:
            if really_cancelled() or not self._draining.is_set():
                raise

    async def drain(self, timeout_seconds: float) -> None:
        """Stop consuming, finish what was already delivered, and close; returns within about the timeout.

        The consumer is cancelled first, so that messages waiting in the queue are not delivered to
        somebody who leaves. What cannot be finished in time goes back and counts as delivered once.
        """
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        self._draining.set()
        if self._work is None:
            return
        if self._generation is not None:
            cancelling = asyncio.ensure_future(self._generation.cancel())
            await asyncio.wait([cancelling], timeout=min(timeout_seconds, _CANCEL_SECONDS))
            checkpoint.passed("consumer.cancelled")
        left_seconds = max(0.0, deadline - asyncio.get_running_loop().time())
        _, unfinished = await asyncio.wait([self._work], timeout=left_seconds)
        if unfinished:
            _log.warning("consumer.drain_timeout", queue=self.queue)
            self._work.cancel()
            await asyncio.wait([self._work])

    async def _consume_until_drained(self) -> None:
        pauses = waits(0.1, 5.0)
        while not self._draining.is_set():
            self._generation = await self._try_to_open()
            if self._generation is None:
                await self._pause(next(pauses))
                continue
            pauses = waits(0.1, 5.0)
            if await self._use(self._generation):
                await self._until_database_answers()

    async def _try_to_open(self) -> Generation | None:
        while (connection := live_connection(self._broker)) is None:
            if await self._pause(_CONNECTION_POLL_SECONDS):
                return None
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_SECONDS):
                return await Generation.open(connection, self.queue, self._window)
        except asyncio.CancelledError:
            if really_cancelled():
                raise
            reason, said = "other", "connection lost"
        except ChannelNotFoundEntity:
            reason, said = "no_queue", "there is no such queue: run `leadbus topology apply`"
        except ChannelAccessRefused:
            reason, said = "not_allowed", "this user may not read the queue"
        except Exception as error:  # noqa: BLE001 -- aiormq raises a dozen kinds, and each means: not now
            reason, said = "other", type(error).__name__
        REFUSED.labels(queue=self.queue, reason=reason).inc()
        _log.warning("consumer.cannot_consume", queue=self.queue, reason=said)
        return None

    async def _use(self, generation: Generation) -> bool:
        """Settle batch after batch until the generation ends. True: the database was away for too long."""
        GENERATIONS.labels(queue=self.queue).inc()
        CONSUMING.labels(queue=self.queue).set(1)
        _log.info("consumer.consuming", queue=self.queue)
        try:
            if self._draining.is_set():
                await generation.cancel()
            await self._settle_all(generation)
        except ReleasedError as released:
            if released.database_away:
                await generation.cancel()
            return released.database_away
        finally:
            CONSUMING.labels(queue=self.queue).set(0)
            await generation.close()
            self._generation = None
        return False

    async def _settle_all(self, generation: Generation) -> None:
        """Settle batch after batch; the next one is read while this one is settled, and not before."""
        if self._ahead:
            self._ahead.forget_all()
        ahead = asyncio.create_task(self._take(generation), name=f"read {self.queue}")
        try:
            while batch := await ahead:
                batch += await self._prepared(generation.take_now(self._batch_size, beside=batch))
                checkpoint.passed("consumer.taken")
                ahead = asyncio.create_task(self._take(generation), name=f"read {self.queue}")
                await self._fates.settle(generation, batch)
                if self._ahead:
                    self._ahead.forget(batch)
        finally:
            ahead.cancel()
            await asyncio.wait([ahead])

    async def _take(self, generation: Generation) -> list[IncomingMessage]:
        return await self._prepared(await generation.take(self._batch_size, self._linger_seconds))

    async def _prepared(self, messages: list[IncomingMessage]) -> list[IncomingMessage]:
        if self._ahead:
            await self._ahead.prepare(messages)
        return messages

    async def _until_database_answers(self) -> None:
        _log.warning("consumer.paused", queue=self.queue, reason="the database is away")
        if self._reopen is None:
            await self._pause(self._hold_seconds)
            return
        for pause_seconds in waits(0.5, 5.0):
            if await self._answers(self._reopen) or await self._pause(pause_seconds):
                return

    async def _answers(self, reopen: Callable[[], Awaitable[bool]]) -> bool:
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_SECONDS):
                return await reopen()
        except Exception as error:  # noqa: BLE001 -- a probe that fails is an answer
            _log.info("consumer.probe_failed", queue=self.queue, reason=type(error).__name__)
            return False

    async def _pause(self, seconds: float) -> bool:
        """Wait; True, at once, when draining began."""
        try:
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        except TimeoutError:
            return False
        return True
