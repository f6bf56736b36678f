"""A connection that survives content headers which nobody can read.

aiormq ends the whole connection over one; a message that was parked for just that could then never be looked
at. Such a header is replaced, before aiormq sees it, by one that says why there is nothing in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import pamqp.frame
from pamqp import commands
from pamqp.header import ContentHeader

from leadbus.wire.content import read_content
from leadbus.wire.frames import HEADER, Frames, WatchedTransport

_MARK = f"unreadable-{secrets.token_hex(8)}"
"""Nobody outside of this process can write it into a message."""


def mending_transport() -> WatchedTransport:
    """Streams whose reader is fed only with headers that can be read."""
    return WatchedTransport(lambda reader: Frames(reader, _mended))


def unreadable_because(headers: Mapping[str, Any]) -> str | None:
    """Why the message's own header could not be read; None when it could."""
    said = headers.get(_MARK)
    return said if isinstance(said, str) else None


def _mended(kind: int, channel: int, payload: bytes) -> bytes | None:
    if kind != HEADER:
        return None
    content = read_content(payload)
    if content.unreadable is None:
        return None
    said = commands.Basic.Properties(headers={_MARK: content.unreadable})
    return pamqp.frame.marshal(ContentHeader(body_size=content.body_bytes, properties=said), channel)
