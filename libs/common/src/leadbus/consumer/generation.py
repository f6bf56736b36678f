"""One consuming channel from its opening to its end.

A delivery tag means something to the channel that delivered it and to no other. So whatever came
through a generation is acknowledged through it or, once it is gone, not at all: the broker has already
given the message to somebody else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from pamqp import commands

from leadbus import checkpoint, metrics
from leadbus.cancellation import really_cancelled
from leadbus.consumer.tap import tap_on
from leadbus.consumer.window import Window
from leadbus.log import logger
from leadbus.messages import IncomingMessage

LARGEST_BATCH_BYTES = 4 * 1024 * 1024
_CLOSE_SECONDS = 3.0

_QUEUE = metrics.configured("queues this service consumes")
DROPPED_ACKS = metrics.counter(
    "leadbus_consumer_dropped_acks_total",
    "Acknowledgements not sent because their channel was gone; the messages come again and change nothing.",
    labels={"queue": _QUEUE},
)
OVERFLOWS = metrics.counter(
    "leadbus_consumer_overflows_total",
    "Times more bytes were delivered than are held in memory; what was above went back, delivered once more.",
    labels={"queue": _QUEUE},
)

_GONE = (AMQPError, ChannelInvalidStateError)
"""The second, no AMQPError, in the turns of the loop between a channel's end and the news of it."""
_log = logger("consumer")


class Generation:
    """A channel that consumes one queue, the deliveries waiting in it, and their acknowledgement.

    Of their bodies as many bytes are in memory as the window holds; one alone may be larger. What comes above
    is not kept, and the generation ends, as if cancelled, when it has settled what is. Why so:
    docs/adr/0112-memory-is-bounded-by-bytes.md.
    """

    def __init__(self, channel: AbstractChannel, queue: str, window: Window) -> None:
        self._channel = channel
        self._queue = queue
        self._window = window
        self._held_bytes = 0
        self._tags: list[str] = []
        self._waiting: deque[IncomingMessage] = deque()
        self._unsettled: deque[int] = deque()
        self._news = asyncio.Event()
        self._over = False
        self._ending = False
        self._cancelled = False
        self._growing: asyncio.Task[None] | None = None
        self._cancelling: asyncio.Task[None] | None = None
        self.lost = asyncio.Event()
        channel.closing.add_done_callback(self._on_closed)
        channel.on_consumer_cancel_callbacks.add(self._on_cancelled_by_broker)

    @classmethod
    async def open(cls, connection: AbstractConnection, queue: str, window: Window) -> Generation:
        """Raises what aiormq raises, ChannelNotFoundEntity where there is no such queue."""
        channel = await connection.channel(publisher_confirms=False)
        generation = cls(channel, queue, window)
        tap = tap_on(connection)
        tap.deliver(channel.number, generation._on_delivery, generation._keeps)
        channel.closing.add_done_callback(lambda _: tap.leave(channel.number, generation._on_delivery))
        try:
            await generation._consume(window.begin())
        except BaseException:
            await generation.close()
            raise
        return generation

    @property
    def consuming(self) -> bool:
        """The broker said yes to consuming, and neither side has ended it since."""
        return bool(self._tags) and not self._cancelled and not self.lost.is_set()

    async def take(self, at_most: int, linger_seconds: float = 0.0) -> list[IncomingMessage]:
        """What is there, waiting for at least one; nothing when the generation has ended.

        With one there, it waits up to `linger_seconds` for more: less when no more fit or can come. After
        `cancel` it still gives out what had already been delivered, at once.
        """
        await self._until(lambda: bool(self._waiting))
        if linger_seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(linger_seconds):
                    await self._until(lambda: self._is_full(at_most))
        return self.take_now(at_most)

    def take_now(self, at_most: int, beside: Sequence[IncomingMessage] = ()) -> list[IncomingMessage]:
        """What is there, perhaps nothing; together with those `beside` it, within the limits of a batch."""
        taken: list[IncomingMessage] = []
        room = at_most - len(beside)
        size = sum(len(message.body) for message in beside)
        while self._waiting and len(taken) < room and size < LARGEST_BATCH_BYTES and not self.lost.is_set():
            taken.append(self._waiting.popleft())
            size += len(taken[-1].body)
        return taken

    async def ack(self, messages: Sequence[IncomingMessage]) -> None:
        """Acknowledge the oldest unsettled messages, all with one frame.

        `multiple` covers every older tag too, so anything but exactly the oldest is an error here.
        """
        if self._settles(messages):
            await self._send(self._channel.basic_ack(messages[-1].delivery_tag, multiple=True, wait=False))
            checkpoint.passed("consumer.acked")

    async def park(self, message: IncomingMessage) -> None:
        """Reject the oldest unsettled message; the broker puts it into the parked queue."""
        if self._settles([message]):
            await self._send(self._channel.basic_reject(message.delivery_tag, requeue=False, wait=False))
            checkpoint.passed("consumer.parked")

    async def cancel(self) -> None:
        """Ask the broker for no more; what waits in the queue stays untouched there."""
        self._ending = True
        if self._growing is not None:
            await asyncio.wait([self._growing])
        if self.consuming:
            for tag in self._tags:
                await self._asked("cancel", self._channel.basic_cancel(tag))
        self._cancelled = True
        self._news.set()

    async def close(self) -> None:
        """Close the channel; what is unsettled returns to the queue, counted as delivered once more."""
        self._waiting.clear()
        closing = asyncio.ensure_future(self._channel.close())
        await asyncio.wait([closing], timeout=_CLOSE_SECONDS)
        self._end("closed")

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Wait for it, or for nothing more to come."""
        while not holds() and not self._cancelled and not self.lost.is_set():
            self._news.clear()
            await self._news.wait()

    def _is_full(self, at_most: int) -> bool:
        """Whether waiting for more is in vain: a batch has no room for it, or the broker gives none before
        something is acknowledged."""
        if len(self._waiting) >= at_most or len(self._unsettled) >= self._window.asked_for:
            return True
        return sum(len(message.body) for message in self._waiting) >= LARGEST_BATCH_BYTES

    def _settles(self, messages: Sequence[IncomingMessage]) -> bool:
        """Whether the messages can be settled now; False, counted, when their generation is gone."""
        if self._channel.is_closed:
            DROPPED_ACKS.labels(queue=self._queue).inc(len(messages))
            return False
        for message in messages:
            if not self._unsettled or self._unsettled[0] != message.delivery_tag:
                raise RuntimeError(f"{self._queue}: only the oldest unsettled message can be settled")
            self._unsettled.popleft()
            self._held_bytes -= len(message.body)
        return True

    async def _send(self, frame: Any) -> None:
        try:
            await frame
        except asyncio.CancelledError:
            if really_cancelled():
                raise
            self._end("closed while acknowledging")
        except _GONE:
            self._end("closed while acknowledging")

    async def _consume(self, number: int) -> None:
        """Have so many more delivered: a count holds for the consumers that come after it, each its own."""
        await self._channel.basic_qos(prefetch_count=number)
        consuming = await self._channel.basic_consume(self._queue, _passed_by_the_tap)
        self._tags.append(consuming.consumer_tag or "")

    async def _asked(self, what: str, call: Awaitable[object]) -> None:
        """What fails here fails because the channel is gone, which is noticed elsewhere."""
        try:
            await call
        except asyncio.CancelledError:
            if really_cancelled():
                raise
        except _GONE as error:
            _log.info(f"consumer.{what}_failed", queue=self._queue, reason=type(error).__name__)

    def _keeps(self, body_bytes: int) -> bool:
        if self._over or (self._held_bytes and self._held_bytes + body_bytes > self._window.held_bytes):
            self._overflow()
            return False
        self._held_bytes += body_bytes
        if (more := self._window.met(body_bytes)) and not self._ending:
            growing = self._asked("grow", self._consume(more))
            self._growing = asyncio.create_task(growing, name=f"grow {self._queue}")
        return True

    def _overflow(self) -> None:
        if self._over:
            return
        self._over = True
        self._window.overflowed()
        OVERFLOWS.labels(queue=self._queue).inc()
        _log.info("consumer.overflow", queue=self._queue, held_bytes=self._held_bytes)
        self._cancelling = asyncio.create_task(self.cancel(), name=f"overflow {self._queue}")

    def _on_delivery(self, message: IncomingMessage) -> None:
        if self.lost.is_set():
            return
        self._unsettled.append(message.delivery_tag)
        self._waiting.append(message)
        self._news.set()
        checkpoint.passed("consumer.delivered")

    def _on_cancelled_by_broker(self, frame: commands.Basic.Cancel) -> None:
        self._end("cancelled by the broker")

    def _on_closed(self, closing: asyncio.Future[Any]) -> None:
        if not closing.cancelled():
            closing.exception()
        self._end("channel closed")

    def _end(self, why: str) -> None:
        if self.lost.is_set():
            return
        _log.info("consumer.generation_ended", queue=self._queue, why=why)
        self.lost.set()
        self._news.set()


async def _passed_by_the_tap(_: DeliveredMessage) -> None:
    raise RuntimeError("a delivery went by its tap")
