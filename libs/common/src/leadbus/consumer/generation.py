"""One consuming channel from its opening to its end.

A delivery tag means something to the channel that delivered it and to no other. So whatever came
through a generation is acknowledged through it or, once it is gone, not at all: the broker has already
given the message to somebody else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.exceptions import AMQPError
from pamqp import commands

from leadbus import checkpoint, metrics
from leadbus.cancellation import really_cancelled
from leadbus.consumer.tap import tap_on
from leadbus.log import logger
from leadbus.messages import IncomingMessage

LARGEST_BATCH_BYTES = 16 * 1024 * 1024
_CLOSE_SECONDS = 3.0

DROPPED_ACKS = metrics.counter(
    "leadbus_consumer_dropped_acks_total",
    "Acknowledgements not sent because their channel was gone; the messages come again and change nothing.",
    labels={"queue": metrics.configured("queues this service consumes")},
)

_log = logger("consumer")


class Generation:
    """A channel that consumes one queue, the deliveries waiting in it, and their acknowledgement."""

    def __init__(self, channel: AbstractChannel, queue: str) -> None:
        self._channel = channel
        self._queue = queue
        self._tag: str | None = None
        self._waiting: deque[IncomingMessage] = deque()
        self._unsettled: deque[int] = deque()
        self._news = asyncio.Event()
        self._cancelled = False
        self.lost = asyncio.Event()
        channel.closing.add_done_callback(self._on_closed)
        channel.on_consumer_cancel_callbacks.add(self._on_cancelled_by_broker)

    @classmethod
    async def open(cls, connection: AbstractConnection, queue: str, prefetch: int) -> Generation:
        """Raises what aiormq raises, ChannelNotFoundEntity where there is no such queue."""
        channel = await connection.channel(publisher_confirms=False)
        generation = cls(channel, queue)
        tap = tap_on(connection)
        tap.deliver(channel.number, generation._on_delivery)
        channel.closing.add_done_callback(lambda _: tap.leave(channel.number, generation._on_delivery))
        try:
            await channel.basic_qos(prefetch_count=prefetch)
            consuming = await channel.basic_consume(queue, _passed_by_the_tap)
        except BaseException:
            await generation.close()
            raise
        generation._tag = consuming.consumer_tag
        return generation

    @property
    def consuming(self) -> bool:
        """The broker said yes to consuming, and neither side has ended it since."""
        return self._tag is not None and not self._cancelled and not self.lost.is_set()

    async def take(self, at_most: int) -> list[IncomingMessage]:
        """What is there, waiting for at least one; nothing when the generation has ended.

        After `cancel` it still gives out what had already been delivered.
        """
        while not self._waiting and not self._cancelled and not self.lost.is_set():
            self._news.clear()
            await self._news.wait()
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
        if self.consuming and self._tag is not None:
            try:
                await self._channel.basic_cancel(self._tag)
            except asyncio.CancelledError:
                if really_cancelled():
                    raise
            except AMQPError as error:
                _log.info("consumer.cancel_failed", queue=self._queue, reason=type(error).__name__)
        self._cancelled = True
        self._news.set()

    async def close(self) -> None:
        """Close the channel; what is unsettled returns to the queue, counted as delivered once more."""
        self._waiting.clear()
        closing = asyncio.ensure_future(self._channel.close())
        await asyncio.wait([closing], timeout=_CLOSE_SECONDS)
        self._end("closed")

    def _settles(self, messages: Sequence[IncomingMessage]) -> bool:
        """Whether the messages can be settled now; False, counted, when their generation is gone."""
        if self._channel.is_closed:
            DROPPED_ACKS.labels(queue=self._queue).inc(len(messages))
            return False
        for message in messages:
            if not self._unsettled or self._unsettled[0] != message.delivery_tag:
                raise RuntimeError(f"{self._queue}: only the oldest unsettled message can be settled")
            self._unsettled.popleft()
        return True

    async def _send(self, frame: Any) -> None:
        try:
            await frame
        except asyncio.CancelledError:
            if really_cancelled():
                raise
            self._end("closed while acknowledging")
        except AMQPError:
            self._end("closed while acknowledging")

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
