"""Deliveries are taken off a connection before aiormq reads them; all other frames go on to it byte for byte.

aiormq spends three turns of the loop, a task and 80 µs on each delivery. It has an extension point for the
transport, and that is where this stands: docs/adr/0050-deliveries-are-read-off-the-wire.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiormq.abc import AbstractConnection

from leadbus.messages import IncomingMessage
from leadbus.wire.content import Content, Delivery, message_of, read_content, read_delivery
from leadbus.wire.frames import BODY, HEADER, METHOD, Frames, SignsOfLife, WatchedTransport

OnDelivery = Callable[[IncomingMessage], None]
Keeps = Callable[[int], bool]
"""Whether a body of so many bytes is kept; of one that is not nobody hears, and none of it is in memory."""

_BASIC_DELIVER = b"\x00\x3c\x00\x3c"


class TappedTransport(WatchedTransport):
    """Makes the streams of one connection at a time, with a tap in what is received."""

    def __init__(self) -> None:
        super().__init__(self._tapped)
        self.tap: Tap | None = None

    def _tapped(self, reader: asyncio.StreamReader) -> None:
        self.tap = Tap(reader)


def tap_on(connection: AbstractConnection) -> Tap:
    """The tap in a connection that was opened over a TappedTransport."""
    transport = connection._transport_factory  # type: ignore[attr-defined]  # noqa: SLF001 -- gives it to nobody
    if not isinstance(transport, TappedTransport) or transport.tap is None:
        raise TypeError("the connection is not of a broker that make_broker built")
    return transport.tap


class Tap:
    """Hands over the deliveries of chosen channels."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._channels: dict[int, _Assembly] = {}
        self._life = SignsOfLife()
        Frames(reader, self._look)

    def deliver(self, channel: int, on_delivery: OnDelivery, keeps: Keeps = lambda _: True) -> None:
        """Call `on_delivery` for every delivery on `channel` that is kept, from now on; neither may raise."""
        self._channels[channel] = _Assembly(on_delivery, keeps)

    def leave(self, channel: int, on_delivery: OnDelivery) -> None:
        """Undo `deliver`, unless the number has gone to somebody else."""
        assembly = self._channels.get(channel)
        if assembly is not None and assembly.on_delivery == on_delivery:
            del self._channels[channel]

    def _look(self, kind: int, channel: int, payload: bytes) -> bytes | None:
        assembly = self._channels.get(channel)
        if assembly is None or not assembly.takes(kind, payload):
            return None
        return self._life.instead()


class _Assembly:
    """Puts the deliveries of one channel together."""

    def __init__(self, on_delivery: OnDelivery, keeps: Keeps) -> None:
        self.on_delivery = on_delivery
        self._keeps = keeps
        self._kept = False
        self._delivery: Delivery | None = None
        self._content: Content | None = None
        self._body: list[bytes] = []
        self._missing_bytes = 0

    def takes(self, kind: int, payload: bytes) -> bool:
        """Whether this frame is part of a delivery."""
        if kind == METHOD:
            if not payload.startswith(_BASIC_DELIVER):
                return False
            self._delivery = read_delivery(payload)
        elif self._delivery is None:
            return False
        elif kind == HEADER:
            self._content = read_content(payload)
            self._missing_bytes = self._content.body_bytes
            self._kept = self._keeps(self._missing_bytes)
            self._end_if_complete()
        elif kind == BODY:
            if self._kept:
                self._body.append(payload)
            self._missing_bytes -= len(payload)
            self._end_if_complete()
        return True

    def _end_if_complete(self) -> None:
        if self._missing_bytes > 0 or self._delivery is None or self._content is None:
            return
        delivery, content, body = self._delivery, self._content, self._body
        self._delivery = self._content = None
        self._body = []
        if self._kept:
            whole = body[0] if len(body) == 1 else b"".join(body)
            self.on_delivery(message_of(delivery, content, whole))
