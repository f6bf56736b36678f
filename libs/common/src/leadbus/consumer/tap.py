"""Deliveries are taken off a connection before aiormq reads them; all other frames go on to it byte for byte.

aiormq spends three turns of the loop, a task and 80 µs on each delivery. It has an extension point for the
transport, and that is where this stands: docs/adr/0050-deliveries-are-read-off-the-wire.md.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any

from aiormq.abc import AbstractConnection
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

from leadbus.consumer.content import Content, Delivery, message_of, read_content, read_delivery
from leadbus.messages import IncomingMessage

OnDelivery = Callable[[IncomingMessage], None]

_FRAME = struct.Struct(">BHI")
"""Type, channel and payload size; the payload and one end byte follow."""
_METHOD, _HEADER, _BODY = 1, 2, 3
_END = 0xCE
_BASIC_DELIVER = b"\x00\x3c\x00\x3c"
_HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"
_SIGN_OF_LIFE_SECONDS = 1.0


class TappedTransport(TransportFactory):
    """Makes the streams of one connection at a time, with a tap in what is received."""

    def __init__(self) -> None:
        self.tap: Tap | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await factory.create(url, **kwargs)
        self.tap = Tap(reader)
        return reader, writer


def tap_on(connection: AbstractConnection) -> Tap:
    """The tap in a connection that was opened over a TappedTransport."""
    transport = connection._transport_factory  # type: ignore[attr-defined]  # noqa: SLF001 -- gives it to nobody
    if not isinstance(transport, TappedTransport) or transport.tap is None:
        raise TypeError("the connection is not of a broker that make_broker built")
    return transport.tap


class Tap:
    """Splits what a connection receives into frames, and hands over the deliveries of chosen channels."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._pass_on = reader.feed_data
        self._channels: dict[int, _Assembly] = {}
        self._rest = b""
        self._broken = False
        self._sign_of_life = 0.0
        reader.feed_data = self.feed  # type: ignore[method-assign,assignment]

    def deliver(self, channel: int, on_delivery: OnDelivery) -> None:
        """Call `on_delivery` for every delivery on `channel` from now on; it must not raise."""
        self._channels[channel] = _Assembly(on_delivery)

    def leave(self, channel: int, on_delivery: OnDelivery) -> None:
        """Undo `deliver`, unless the number has gone to somebody else."""
        assembly = self._channels.get(channel)
        if assembly is not None and assembly.on_delivery == on_delivery:
            del self._channels[channel]

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        if self._broken:
            self._pass_on(data)
            return
        data = self._rest + data
        start = position = 0
        while len(data) - position >= _FRAME.size:
            kind, channel, size = _FRAME.unpack_from(data, position)
            end = position + _FRAME.size + size + 1
            if end > len(data) and kind <= _HEARTBEAT[0]:
                break
            if end > len(data) or data[end - 1] != _END:
                # Not AMQP: aiormq says what is wrong with it.
                self._broken, position = True, len(data)
                break
            assembly = self._channels.get(channel)
            if assembly and assembly.takes(kind, data[position + _FRAME.size : end - 1]):
                self._go_on(data[start:position], taken=True)
                start = end
            position = end
        self._go_on(data[start:position])
        self._rest = data[position:]

    def _go_on(self, frames: bytes, *, taken: bool = False) -> None:
        if frames:
            self._pass_on(frames)
        if taken and time.monotonic() - self._sign_of_life > _SIGN_OF_LIFE_SECONDS:
            # The server sends no heartbeats while it delivers, and aiormq takes silence for death.
            self._sign_of_life = time.monotonic()
            self._pass_on(_HEARTBEAT)


class _Assembly:
    """Puts the deliveries of one channel together."""

    def __init__(self, on_delivery: OnDelivery) -> None:
        self.on_delivery = on_delivery
        self._delivery: Delivery | None = None
        self._content: Content | None = None
        self._body: list[bytes] = []
        self._missing_bytes = 0

    def takes(self, kind: int, payload: bytes) -> bool:
        """Whether this frame is part of a delivery."""
        if kind == _METHOD:
            if not payload.startswith(_BASIC_DELIVER):
                return False
            self._delivery = read_delivery(payload)
        elif self._delivery is None:
            return False
        elif kind == _HEADER:
            self._content = read_content(payload)
            self._missing_bytes = self._content.body_bytes
            self._end_if_complete()
        elif kind == _BODY:
            self._body.append(payload)
            self._missing_bytes -= len(payload)
            self._end_if_complete()
        return True

    def _end_if_complete(self) -> None:
        if self._missing_bytes > 0 or self._delivery is None or self._content is None:
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        message = message_of(self._delivery, self._content, body)
        self._delivery = self._content = None
        self._body = []
        self.on_delivery(message)
