"""The frames that a connection receives, looked at before aiormq reads them (AMQP 0-9-1, section 2.3.5)."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any

from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

FRAME = struct.Struct(">BHI")
"""Type, channel and payload size; the payload and one end byte follow."""
METHOD, HEADER, BODY = 1, 2, 3
HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"
_SIGN_OF_LIFE_SECONDS = 1.0
_NOTHING = b""
_END = 0xCE

Look = Callable[[int, int, bytes], bytes | None]
"""Of type, channel and payload of a frame: None lets it through; bytes, whole frames or none, go instead."""


class SignsOfLife:
    """What goes on to aiormq instead of frames that are taken.

    The server sends no heartbeats while it sends anything else, and aiormq takes silence for death.
    """

    def __init__(self) -> None:
        self._given = 0.0

    def instead(self) -> bytes:
        now = time.monotonic()
        if now - self._given <= _SIGN_OF_LIFE_SECONDS:
            return _NOTHING
        self._given = now
        return HEARTBEAT


class WatchedTransport(TransportFactory):
    """Makes the streams of a connection, and has every frame received on them looked at.

    `watch` is called with the reader of each connection before anything has come.
    """

    def __init__(self, watch: Callable[[asyncio.StreamReader], object]) -> None:
        self._watch = watch

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await factory.create(url, **kwargs)
        self._watch(reader)
        return reader, writer


class Frames:
    """Splits what `reader` is fed with into frames; each goes on to it as `look` says, in order."""

    def __init__(self, reader: asyncio.StreamReader, look: Look) -> None:
        self._pass_on = reader.feed_data
        self._look = look
        self._rest = b""
        self._broken = False
        reader.feed_data = self.feed  # type: ignore[method-assign,assignment]

    def feed(self, data: bytes) -> None:
        """Take what was received; what is no AMQP goes on as it is, aiormq says what is wrong with it."""
        if self._broken:
            self._pass_on(data)
            return
        data = self._rest + data
        start = position = 0
        look = self._look
        while len(data) - position >= FRAME.size:
            kind, channel, size = FRAME.unpack_from(data, position)
            end = position + FRAME.size + size + 1
            if end > len(data) and kind <= HEARTBEAT[0]:
                break
            if end > len(data) or data[end - 1] != _END:
                self._broken, position = True, len(data)
                break
            instead = look(kind, channel, data[position + FRAME.size : end - 1])
            if instead is not None:
                self._go_on(data[start:position])
                self._go_on(instead)
                start = end
            position = end
        self._go_on(data[start:position])
        self._rest = data[position:]

    def _go_on(self, frames: bytes) -> None:
        if frames:
            self._pass_on(frames)
