"""A connection that survives content headers which pamqp cannot read.

aiormq ends the whole connection over one; a message that was parked for just that could then never be looked
at. Such a header is replaced, before aiormq sees it, by one that says why there is nothing in it.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Mapping
from typing import Any

import pamqp.frame
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from pamqp import commands
from pamqp.header import ContentHeader
from yarl import URL

_FRAME = struct.Struct(">BHI")
"""Type, channel and payload size; the payload and one end byte follow."""
_CLASS_WEIGHT_SIZE = struct.Struct(">HHQ")
_HEADER = 2
_HIGHEST_TYPE = 8
_MARK = f"unreadable-{secrets.token_hex(8)}"
"""Nobody outside of this process can write it into a message."""


def unreadable_because(headers: Mapping[str, Any]) -> str | None:
    """Why the message's own header could not be read; None when it could."""
    said = headers.get(_MARK)
    return said if isinstance(said, str) else None


class TolerantTransport(TransportFactory):
    """Streams whose reader is fed only with headers that can be read."""

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await factory.create(url, **kwargs)
        mender = _Mender(reader)
        reader.feed_data = mender.feed  # type: ignore[method-assign, assignment]
        return reader, writer


class _Mender:
    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._pass_on = reader.feed_data
        self._rest = b""
        self._frames = True

    def feed(self, data: bytes) -> None:
        """Pass on whole frames, mended where they have to be; what is no AMQP at all as it is."""
        if not self._frames:
            self._pass_on(data)
            return
        data, position = self._rest + data, 0
        while len(data) - position >= _FRAME.size:
            kind, channel, size = _FRAME.unpack_from(data, position)
            if kind > _HIGHEST_TYPE:
                self._frames = False
                self._pass_on(data[position:])
                return
            end = position + _FRAME.size + size + 1
            if end > len(data):
                break
            frame = data[position:end]
            self._pass_on(_mended(frame, channel) if kind == _HEADER else frame)
            position = end
        self._rest = data[position:]


def _mended(frame: bytes, channel: int) -> bytes:
    payload = frame[_FRAME.size : -1]
    try:
        ContentHeader().unmarshal(payload)
    except Exception as error:  # noqa: BLE001 -- whatever a stranger's bytes make of the decoder
        _, _, body_bytes = _CLASS_WEIGHT_SIZE.unpack_from(payload)
        said = commands.Basic.Properties(headers={_MARK: type(error).__name__})
        return pamqp.frame.marshal(ContentHeader(body_size=body_bytes, properties=said), channel)
    return frame
