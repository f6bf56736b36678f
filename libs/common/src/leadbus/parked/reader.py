"""Reading a holding queue without eating of it.

A message that was got and not acknowledged is invisible to everybody else until it is given back; then it is
in its old place. Each look counts as a delivery: without the policy of holding queues RabbitMQ 4 drops a
message at its 21st.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Coroutine
from dataclasses import replace
from typing import Any, Literal, TypeVar

from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.connection import Connection
from aiormq.exceptions import AMQPError, ChannelAccessRefused, ChannelNotFoundEntity
from pamqp import commands
from pydantic import SecretStr
from yarl import URL

from leadbus.cancellation import really_cancelled
from leadbus.jobs import Interrupted
from leadbus.messages import DOORS_BODY_BYTES, IncomingMessage
from leadbus.parked.held import Held
from leadbus.parked.mending import mending_transport, unreadable_because
from leadbus.wire.content import Content, Delivery, content_of, message_of

ANSWER_SECONDS = 10.0
_CLOSE_SECONDS = 3.0
_NEXT_SECONDS = 2.0
"""Longest wait for one more message that was counted as ready."""
_LOOKS = 1
_EVERYTHING = 0
"""As a delivery tag: all that is not settled."""
_HEARTBEAT_SECONDS = "10"

TAKE_BYTES = 16 * 1024 * 1024
"""Bodies that one take has in memory, however many messages that is; a larger one comes alone."""

NoQueueCode = Literal["no_queue", "not_allowed"]

T = TypeVar("T")


class BrokerAway(Interrupted):
    """RabbitMQ does not answer, or the connection went while we waited."""


class NoQueue(Exception):  # noqa: N818 -- it names a condition
    """The queue is not there, or this service may not read it."""

    def __init__(self, code: NoQueueCode) -> None:
        super().__init__(code)
        self.code = code


class HoldingReader:
    """The service's connection to its holding queues, opened when it is needed and kept.

    Of its own, so that nothing done here disturbs consuming or publishing. The service's user needs the right
    to read the queues, and no other.
    """

    def __init__(self, url: SecretStr, app_id: str, take_bytes: int = TAKE_BYTES) -> None:
        self._take_bytes = take_bytes
        self._url = URL(url.get_secret_value())
        self._app_id = app_id
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self.looks = asyncio.Semaphore(_LOOKS)
        """Looks at a time: each keeps what it met away from everybody else for its length."""

    @contextlib.asynccontextmanager
    async def walk(self, queue: str) -> AsyncIterator[Walk]:
        """A walk through the queue; what it did not acknowledge is back after it.

        Raises BrokerAway, NoQueue.
        """
        channel = await self._channel()
        try:
            yield Walk(channel, queue, self._take_bytes)
        finally:
            await _ended(channel)

    async def depth(self, queue: str) -> int:
        """Messages that nobody is just looking at. Raises BrokerAway, NoQueue."""
        async with self.walk(queue) as walk:
            return await walk.depth()

    async def close(self) -> None:
        """Give the connection up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.wait([asyncio.ensure_future(connection.close())], timeout=_CLOSE_SECONDS)

    async def _channel(self) -> AbstractChannel:
        connection = await self._live()
        try:
            return await answered(connection.channel(publisher_confirms=False))
        except BrokerAway:
            await self.close()
            raise

    async def _live(self) -> Connection:
        async with self._opening:
            if self._connection is None or not self._connection.is_opened:
                await self.close()
                heartbeat = self._url.query.get("heartbeat", _HEARTBEAT_SECONDS)
                url = self._url.update_query(heartbeat=heartbeat, name=f"{self._app_id} holding queues")
                connection = Connection(url, transport_factory=mending_transport())
                await answered(connection.connect())
                self._connection = connection
            return self._connection


class Walk:
    """Messages one after the other, oldest first, each met once and held until the walk ends."""

    def __init__(self, channel: AbstractChannel, queue: str, take_bytes: int = TAKE_BYTES) -> None:
        self._channel = channel
        self._queue = queue
        self._take_bytes = take_bytes
        self._arrived: list[DeliveredMessage] = []
        self._arrived_bytes = 0
        self._above: list[int] = []
        self._largest_bytes = DOORS_BODY_BYTES
        """Of the messages met last: how many are asked for is guessed by it."""
        self._consumers = 0
        self._news = asyncio.Event()

    async def depth(self) -> int:
        """Messages that nobody was given.

        What was given back a moment before may not be counted yet, until this walk has taken something.
        """
        declared = await answered(self._channel.queue_declare(self._queue, passive=True))
        return declared.message_count or 0

    async def take(self, at_most: int) -> list[Held]:
        """The next ones: as many as `take_bytes` hold, one at least; none at the end of the queue.

        Consumed, because a quorum queue commits every single `basic.get`; but only that knows the end.
        """
        self._arrived, self._arrived_bytes = [], 0
        while self._asks_for(at_most):
            met = len(self._arrived)
            if ready := await self.depth():
                await self._consume(self._asks_for(at_most), ready)
            if self._above:
                await self._give_back_above()
                break
            if len(self._arrived) > met:
                continue
            got = await answered(self._channel.basic_get(self._queue, no_ack=False))
            if not isinstance(got.delivery, commands.Basic.GetOk):
                break
            self._keep(got)
        taken, self._arrived = self._arrived, []
        return [Held(_incoming(message)) for message in taken]

    async def ack(self, held: Held) -> None:
        """Take it out of the queue. Held ones before it stay held."""
        await answered(self._channel.basic_ack(held.message.delivery_tag))

    def _asks_for(self, at_most: int) -> int:
        """How many more there is room for, if they are like those before; 0: enough are here."""
        room_bytes = self._take_bytes - self._arrived_bytes
        likely = max(room_bytes // self._largest_bytes, 0 if self._arrived else 1)
        return min(at_most - len(self._arrived), likely)

    async def _consume(self, at_most: int, ready: int) -> None:
        """Take what is there, up to a number; the broker keeps the rest for others."""
        met = len(self._arrived)
        expected = met + min(at_most, ready)
        await answered(self._channel.basic_qos(prefetch_count=at_most))
        # By consumer, in the order of their tags, the broker puts back what is given back as one.
        self._consumers += 1
        tag = f"walk-{self._consumers:09}"
        await answered(self._channel.basic_consume(self._queue, self._on_delivery, consumer_tag=tag))
        while len(self._arrived) + len(self._above) < expected and not self._channel.is_closed:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), _NEXT_SECONDS)
            except TimeoutError:
                break  # somebody else had the others
        # Its answer comes after every message that was on its way.
        await answered(self._channel.basic_cancel(tag))
        sizes = [len(message.body) for message in self._arrived[met:]]
        self._largest_bytes = max(sizes, default=self._largest_bytes) or 1

    def _on_delivery(self, delivered: DeliveredMessage) -> Coroutine[Any, Any, None]:
        # Noted here, in aiormq's reader: the task that it makes of what is returned would come later.
        too_much = self._arrived_bytes + len(delivered.body) > self._take_bytes
        if self._above or (self._arrived and too_much):
            self._above.append(delivered.delivery_tag or 0)
        else:
            self._keep(delivered)
        self._news.set()
        return _nothing()

    def _keep(self, message: DeliveredMessage) -> None:
        self._arrived.append(message)
        self._arrived_bytes += len(message.body)

    async def _give_back_above(self) -> None:
        """They were larger than those before; met later in this walk. Of these the broker turns the order."""
        above, self._above = self._above, []
        for tag in above:
            await answered(self._channel.basic_nack(tag, requeue=True))
        self._largest_bytes = max(self._largest_bytes, DOORS_BODY_BYTES)


async def _nothing() -> None:
    pass


async def answered(call: Awaitable[T]) -> T:
    """What the broker answers, within ``ANSWER_SECONDS``. Raises BrokerAway, NoQueue."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await call
    except asyncio.CancelledError:
        # aiormq raises it at whoever waits on a connection that died.
        if really_cancelled():
            raise
        raise BrokerAway("connection lost") from None
    except ChannelNotFoundEntity:
        raise NoQueue("no_queue") from None
    except ChannelAccessRefused:
        raise NoQueue("not_allowed") from None
    except (AMQPError, OSError, TimeoutError, RuntimeError) as error:
        raise BrokerAway(type(error).__name__) from None


async def _ended(channel: AbstractChannel) -> None:
    ending = asyncio.ensure_future(_give_back(channel))
    await asyncio.wait([ending], timeout=_CLOSE_SECONDS)
    if ending.done() and not ending.cancelled():
        ending.exception()  # a channel that the broker closed before says so once more


async def _give_back(channel: AbstractChannel) -> None:
    # Not by closing alone: that gives back too, but a moment later, and the next look would find less.
    if not channel.is_closed:
        await channel.basic_nack(_EVERYTHING, multiple=True, requeue=True)
        await channel.close()


def _incoming(got: DeliveredMessage) -> IncomingMessage:
    told, body = got.delivery, bytes(got.body)
    assert isinstance(told, commands.Basic.Deliver | commands.Basic.GetOk)
    delivery = Delivery(
        told.delivery_tag or 0, bool(told.redelivered), told.exchange or "", told.routing_key or ""
    )
    content = content_of(got.header.properties, len(body))
    if unreadable := unreadable_because(content.headers):
        content = Content(len(body), unreadable=unreadable)
    # The broker counts looks; to whoever handles it, it has not been delivered once.
    return replace(message_of(delivery, content, body), delivery_count=0)
