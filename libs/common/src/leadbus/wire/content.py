"""The frames of one delivery, read into an incoming message (AMQP 0-9-1, sections 2.3.5, 4.2.5 and 4.2.6).

What is ordinary is read here, because pamqp takes several times as long; what is not is left to pamqp.
Properties that neither can read do not cost the message: docs/adr/0011-unreadable-properties.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from pamqp import commands, decode
from pamqp.header import ContentHeader

from leadbus.envelope import Properties
from leadbus.messages import IncomingMessage

_TAG_AND_REDELIVERED = struct.Struct(">QB")
_BODY_SIZE_AND_FLAGS = struct.Struct(">QH")
_LENGTH = struct.Struct(">I")
_FIXED_BYTES = 14
"""Class id, weight, body size and flags, which stand before the properties."""
_TEXT = ord("S")

_BEYOND = 0b111
"""Flags of the cluster id, of an unknown property, and of further flags."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What `basic.deliver` says."""

    tag: int
    redelivered: bool
    exchange: str
    routing_key: str


@dataclass(slots=True)
class Content:
    """What a content header says; `unreadable` is why there are no properties."""

    body_bytes: int
    properties: Properties = field(default_factory=Properties)
    headers: dict[str, Any] = field(default_factory=dict)
    reply_to: str | None = None
    user_id: str | None = None
    unreadable: str | None = None


def read_delivery(payload: bytes) -> Delivery:
    """Read the arguments of `basic.deliver`; which consumer it is for is known by the channel."""
    position = 5 + payload[4]
    tag, redelivered = _TAG_AND_REDELIVERED.unpack_from(payload, position)
    exchange, position = _name(payload, position + _TAG_AND_REDELIVERED.size)
    routing_key, _ = _name(payload, position)
    return Delivery(tag, bool(redelivered & 1), exchange, routing_key)


def read_content(payload: bytes) -> Content:
    """Read a content header, whatever a stranger wrote into it."""
    body_bytes, flags = _BODY_SIZE_AND_FLAGS.unpack_from(payload, 4)
    try:
        content = _ordinary(payload, body_bytes, flags) if not flags & _BEYOND else None
    except Exception:  # noqa: BLE001 -- RecursionError among others; pamqp says what is wrong with it
        content = None
    return content or _by_pamqp(payload, body_bytes)


def content_of(read: commands.Basic.Properties, body_bytes: int) -> Content:
    """What pamqp read."""
    properties = Properties(
        read.content_type,
        read.message_id,
        read.correlation_id,
        read.timestamp,
        read.message_type,
        read.app_id,
    )
    return Content(body_bytes, properties, dict(read.headers or {}), read.reply_to, read.user_id)


def message_of(delivery: Delivery, content: Content, body: bytes) -> IncomingMessage:
    """The delivery as handlers see it."""
    counted = content.headers.get("x-delivery-count", 0) if delivery.redelivered else 0
    return IncomingMessage(
        body=body,
        exchange=delivery.exchange,
        routing_key=delivery.routing_key,
        headers=content.headers,
        properties=content.properties,
        redelivered=delivery.redelivered,
        # A sender can write the header too; on a redelivery the broker's own stands in its place.
        delivery_count=counted if isinstance(counted, int) and counted >= 0 else 0,
        delivery_tag=delivery.tag,
        user_id=content.user_id,
        unreadable=content.unreadable,
        reply_to=content.reply_to,
    )


def _ordinary(payload: bytes, body_bytes: int, flags: int) -> Content | None:
    """None, or any error, for what is not read here."""
    found: dict[str, Any] = {}
    position = _FIXED_BYTES
    for name, read in _present(flags):
        found[name], position = read(payload, position)
    if position != len(payload):
        return None
    told = found.get
    properties = Properties(
        told("content_type"),
        told("message_id"),
        told("correlation_id"),
        told("timestamp"),
        told("type"),
        told("app_id"),
    )
    return Content(body_bytes, properties, told("headers") or {}, told("reply_to"), told("user_id"))


def _by_pamqp(payload: bytes, body_bytes: int) -> Content:
    header = ContentHeader()
    try:
        header.unmarshal(payload)
    except Exception as error:  # noqa: BLE001 -- whatever a stranger's bytes make of the decoder
        return Content(body_bytes, unreadable=type(error).__name__)
    return content_of(header.properties, body_bytes)


def _name(payload: bytes, position: int) -> tuple[str, int]:
    """The name of an exchange or routing key; one that is not UTF-8 names none of ours."""
    end = position + 1 + payload[position]
    return payload[position + 1 : end].decode("utf-8", "replace"), end


def _short(payload: bytes, position: int) -> tuple[str, int]:
    end = position + 1 + payload[position]
    return payload[position + 1 : end].decode(), end


def _table(payload: bytes, position: int) -> tuple[dict[str, Any], int]:
    end = position + 4 + _LENGTH.unpack_from(payload, position)[0]
    position += 4
    table: dict[str, Any] = {}
    while position < end:
        name, position = _short(payload, position)
        if payload[position] == _TEXT:
            start = position + 5
            position = start + _LENGTH.unpack_from(payload, position + 1)[0]
            table[name] = payload[start:position].decode()
        else:
            size, table[name] = decode.embedded_value(payload[position:end])
            position += size
    if position != end:
        raise ValueError("a table that is longer than it says")
    return table, end


def _octet(payload: bytes, position: int) -> tuple[int, int]:
    return payload[position], position + 1


def _timestamp(payload: bytes, position: int) -> tuple[datetime, int]:
    size, moment = decode.timestamp(payload[position:])
    return moment, position + size


_Read = Callable[[bytes, int], tuple[Any, int]]
_ORDER: tuple[tuple[str, _Read], ...] = (
    ("content_type", _short),
    ("content_encoding", _short),
    ("headers", _table),
    ("delivery_mode", _octet),
    ("priority", _octet),
    ("correlation_id", _short),
    ("reply_to", _short),
    ("expiration", _short),
    ("message_id", _short),
    ("timestamp", _timestamp),
    ("type", _short),
    ("user_id", _short),
    ("app_id", _short),
)
"""By flag, from bit 15 downwards, which is also the order in which values stand."""


@cache
def _present(flags: int) -> tuple[tuple[str, _Read], ...]:
    return tuple(one for bit, one in zip(range(15, -1, -1), _ORDER, strict=False) if flags >> bit & 1)
