"""One connection with one publishing channel: opened, used, and thrown away whole."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from aiormq.connection import Connection, TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

from leadbus.publisher.channel import ConfirmChannel
from leadbus.wire.frames import METHOD, Frames, SignsOfLife

HEARTBEAT_SECONDS = 10
"""Where the URL says nothing else (`?heartbeat=10`)."""
_CLOSE_SECONDS = 3.0
_DISCARD_UNSENT = struct.pack("ii", 1, 0)
"""struct linger, on with no time: close() sends a reset and drops what the kernel still holds."""
_BLOCKED, _UNBLOCKED = b"\x00\x0a\x00\x3c", b"\x00\x0a\x00\x3d"


class _KeptTransport(TransportFactory):
    """Keeps the writer, which aiormq hides, so that a dead connection can be cut off at the socket.

    What the broker answers goes to the channel as it is received: aiormq takes three turns of the loop and
    40 µs for it.
    """

    def __init__(self) -> None:
        self.writer: asyncio.StreamWriter | None = None
        self.channel: ConfirmChannel | None = None
        self.blocked = False
        self._life = SignsOfLife()

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, self.writer = await factory.create(url, **kwargs)
        Frames(reader, self._look)
        return reader, self.writer

    def _look(self, kind: int, number: int, payload: bytes) -> bytes | None:
        channel = self.channel
        if kind == METHOD and number == 0 and payload[:4] in (_BLOCKED, _UNBLOCKED):
            self.blocked = payload[:4] == _BLOCKED
        if kind != METHOD or channel is None or number != channel.number or not channel.takes(payload):
            return None
        return self._life.instead()

    def write(self, frames: bytes) -> None:
        """Whole frames, to be sent behind what was written before."""
        assert self.writer is not None, "there is a connection"
        self.writer.write(frames)

    def cut(self) -> None:
        if self.writer is None:
            return
        sock = self.writer.get_extra_info("socket")
        if sock is not None and sock.fileno() != -1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD_UNSENT)
        self.writer.transport.abort()


class Link:
    """A live connection and its channel."""

    def __init__(self, connection: Connection, transport: _KeptTransport, channel: ConfirmChannel) -> None:
        self._connection = connection
        self._transport = transport
        self._cut = False
        self.channel = channel

    @classmethod
    async def open(cls, url: URL, app_id: str) -> Link:
        """Raises what aiormq raises (AMQPError, OSError), and leaves nothing open then."""
        transport = _KeptTransport()
        heartbeat = url.query.get("heartbeat", str(HEARTBEAT_SECONDS))
        connection = Connection(
            url.update_query(heartbeat=heartbeat, name=app_id), transport_factory=transport
        )
        try:
            await connection.connect()
            channel = ConfirmChannel(connection, 1, app_id, transport.write)
            connection.channels[1] = transport.channel = channel
            await channel.open()
        except BaseException:
            await _cut_off(connection, transport)
            raise
        return cls(connection, transport, channel)

    @property
    def alive(self) -> bool:
        return not self._cut and self._connection.is_opened and not self.channel.is_closed

    @property
    def blocked(self) -> bool:
        """Whether the broker takes no publishes now: a memory or disk alarm."""
        return self._transport.blocked

    async def unblocked(self) -> None:
        """Wait until the broker takes publishes; it says when a memory or disk alarm stops it."""
        await self._connection.ready()

    async def closed(self) -> None:
        """Wait until the connection or the channel is gone, whoever ended it."""
        ends = [self._connection.closing, self.channel.closing]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                if not end.done():
                    end.cancel()

    async def close(self) -> None:
        """Say goodbye; cut the connection where the broker does not answer."""
        # Waited for, not awaited: aiormq may end a call on a dying connection with a CancelledError.
        closing = asyncio.ensure_future(self._connection.close())
        _, unfinished = await asyncio.wait([closing], timeout=_CLOSE_SECONDS)
        if unfinished:
            await self.cut_off()

    def cut(self) -> None:
        """End the connection at the socket; nothing that was not yet on its way is sent any more."""
        self._cut = True
        self._transport.cut()

    async def cut_off(self) -> None:
        """`cut`, and wait until the connection knows it."""
        self._cut = True
        await _cut_off(self._connection, self._transport)


async def _cut_off(connection: Connection, transport: _KeptTransport) -> None:
    if not hasattr(connection, "_reader_task"):
        transport.cut()
        return  # never got as far as opening: aiormq closed what there was
    connection._reader_task.cancel()  # noqa: SLF001 -- else it logs the end of the stream as a fault of the broker
    transport.cut()
    await asyncio.wait([asyncio.ensure_future(connection.close())], timeout=_CLOSE_SECONDS)
