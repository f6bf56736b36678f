"""A bare AMQP client: one connection, one channel, no objects per message beyond what is consumed."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, cast
from urllib.parse import unquote, urlsplit

from tests.bench import amqp_frames as amqp

_ANSWER_SECONDS = 30.0


class LinkError(Exception):
    """The broker refused something, returned a message or went away."""


class Delivery(NamedTuple):
    """`header` is the payload of the content header frame."""

    tag: int
    header: bytes
    body: bytes


class Link(asyncio.Protocol):
    """Consumes, or publishes with confirms; ask for either with a method below."""

    def __init__(self) -> None:
        self.arrived: deque[Delivery] = deque()
        self.news = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._frames = amqp.Frames()
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._tag = 0
        self._header = b""
        self._parts: list[bytes] = []
        self._missing_bytes = 0
        self._published = 0
        self._unconfirmed: set[int] = set()
        self._all_confirmed: asyncio.Future[None] | None = None
        self._error: LinkError | None = None

    @classmethod
    async def open(cls, url: str) -> Link:
        """`url` as services are given it, virtual host included."""
        address = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(cls, address.hostname or "", address.port or 5672)
        link._write(amqp.PROTOCOL_HEADER)
        await link._next_answer()
        user, password = unquote(address.username or "guest"), unquote(address.password or "guest")
        login = amqp.long(f"\0{user}\0{password}".encode())
        start_ok = amqp.table({}) + amqp.short("PLAIN") + login + amqp.short("en_US")
        tune = await link._call(0, amqp.START_OK, start_ok)
        channel_max, frame_max, _ = struct.unpack_from(">HIH", tune, 4)
        link._write(amqp.method(0, amqp.TUNE_OK, struct.pack(">HIH", channel_max, frame_max, 0)))
        vhost = unquote(address.path[1:]) or "/"
        await link._call(0, amqp.OPEN, amqp.short(vhost) + b"\0\0")
        await link._call(1, amqp.CHANNEL_OPEN, b"\0")
        return link

    async def consume(self, queue: str, prefetch: int) -> None:
        """From now on `arrived` fills, and `news` is set."""
        await self._call(1, amqp.QOS, struct.pack(">IHB", 0, prefetch, 0))
        arguments = b"\0\0" + amqp.short(queue) + b"\0" + b"\0" + amqp.table({})
        await self._call(1, amqp.CONSUME, arguments)

    def ack(self, delivery_tag: int) -> None:
        """Everything up to the tag, with one frame."""
        self._write(amqp.ack(delivery_tag))

    async def confirm(self) -> None:
        """Have publishes on this link confirmed."""
        await self._call(1, amqp.CONFIRM_SELECT, b"\0")

    async def publish(self, publications: Sequence[bytes]) -> None:
        """Write all at once; returns when each is confirmed. Raises LinkError when one is not."""
        if self._error is not None:
            raise self._error
        first = self._published + 1
        self._published += len(publications)
        self._unconfirmed.update(range(first, self._published + 1))
        self._all_confirmed = asyncio.get_running_loop().create_future()
        self._write(b"".join(publications))
        await self._all_confirmed

    async def depth(self, queue: str) -> tuple[int, int]:
        """Messages ready, and consumers, as the queue itself says."""
        arguments = b"\0\0" + amqp.short(queue) + b"\x01" + amqp.table({})
        answer = await self._call(1, amqp.QUEUE_DECLARE, arguments)
        ready, consumers = struct.unpack_from(">II", answer, 5 + answer[4])
        return ready, consumers

    async def purge(self, queue: str) -> None:
        await self._call(1, amqp.QUEUE_PURGE, b"\0\0" + amqp.short(queue) + b"\0")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(LinkError("connection lost"))

    def data_received(self, data: bytes) -> None:
        for kind, payload in self._frames.feed(data):
            if kind == amqp.BODY:
                self._take_body(payload)
            elif kind == amqp.METHOD:
                self._take_method(payload)
            elif kind == amqp.HEADER:
                self._header = payload
                (self._missing_bytes,) = struct.unpack_from(">Q", payload, 4)
                self._parts = []

    def _take_body(self, payload: bytes) -> None:
        self._parts.append(payload)
        self._missing_bytes -= len(payload)
        if self._missing_bytes == 0:
            body = payload if len(self._parts) == 1 else b"".join(self._parts)
            self.arrived.append(Delivery(self._tag, self._header, body))
            self.news.set()

    def _take_method(self, payload: bytes) -> None:
        id_ = amqp.method_id(payload)
        if id_ == amqp.DELIVER:
            (self._tag,) = struct.unpack_from(">Q", payload, 5 + payload[4])
        elif id_ == amqp.ACK:
            self._take_confirm(*struct.unpack_from(">QB", payload, 4))
        elif id_ in (amqp.NACK, amqp.RETURN, amqp.CLOSE, amqp.CHANNEL_CLOSE):
            self._fail(LinkError(f"the broker sent {id_}: {payload[4:200]!r}"))
        elif not self._answer.done():
            self._answer.set_result(payload)

    def _take_confirm(self, tag: int, multiple: int) -> None:
        if multiple:
            self._unconfirmed = {one for one in self._unconfirmed if one > tag}
        else:
            self._unconfirmed.discard(tag)
        if not self._unconfirmed and self._all_confirmed is not None and not self._all_confirmed.done():
            self._all_confirmed.set_result(None)

    def _fail(self, error: LinkError) -> None:
        self._error = error
        for waiting in (self._answer, self._all_confirmed):
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # told to whoever asks next, if nobody waits now
        self.news.set()

    async def _call(self, channel: int, id_: amqp.MethodId, arguments: bytes) -> bytes:
        self._answer = asyncio.get_running_loop().create_future()
        self._write(amqp.method(channel, id_, arguments))
        return await self._next_answer()

    async def _next_answer(self) -> bytes:
        if self._error is not None:
            raise self._error
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await self._answer

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)
