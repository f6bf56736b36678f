"""AMQP 0-9-1 on the wire, as little of it as a bare client needs. Numbers are from the specification."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from leadbus.messages import OutgoingMessage

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
HEARTBEAT: Final = 8
_END: Final = b"\xce"
_PREFIX: Final = struct.Struct(">BHI")
_METHOD_ID: Final = struct.Struct(">HH")
_LARGEST_FRAME_BYTES: Final = 131_072
_PERSISTENT: Final = b"\x02"

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"

MethodId = tuple[int, int]
START: Final[MethodId] = (10, 10)
START_OK: Final[MethodId] = (10, 11)
TUNE: Final[MethodId] = (10, 30)
TUNE_OK: Final[MethodId] = (10, 31)
OPEN: Final[MethodId] = (10, 40)
CLOSE: Final[MethodId] = (10, 50)
CHANNEL_OPEN: Final[MethodId] = (20, 10)
CHANNEL_CLOSE: Final[MethodId] = (20, 40)
QUEUE_DECLARE: Final[MethodId] = (50, 10)
QUEUE_PURGE: Final[MethodId] = (50, 30)
QOS: Final[MethodId] = (60, 10)
CONSUME: Final[MethodId] = (60, 20)
PUBLISH: Final[MethodId] = (60, 40)
RETURN: Final[MethodId] = (60, 50)
DELIVER: Final[MethodId] = (60, 60)
ACK: Final[MethodId] = (60, 80)
REJECT: Final[MethodId] = (60, 90)
NACK: Final[MethodId] = (60, 120)
CONFIRM_SELECT: Final[MethodId] = (85, 10)


def short(text: str) -> bytes:
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded


def long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def table(values: Mapping[str, str]) -> bytes:
    """A field table; its values are strings, as all of ours are."""
    return long(b"".join(short(name) + b"S" + long(value.encode()) for name, value in values.items()))


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return _PREFIX.pack(kind, channel, len(payload)) + payload + _END


def method(channel: int, id_: MethodId, arguments: bytes = b"") -> bytes:
    return frame(METHOD, channel, _METHOD_ID.pack(*id_) + arguments)


def ack(delivery_tag: int) -> bytes:
    """Acknowledges everything up to the tag."""
    return method(1, ACK, struct.pack(">QB", delivery_tag, 1))


def publication(message: OutgoingMessage) -> bytes:
    """One persistent publish on channel 1: method, header and body frames."""
    return publish_method(message.exchange, message.routing_key, mandatory=message.mandatory) + content(
        properties(message), message.body
    )


def publish_method(exchange: str, routing_key: str, *, mandatory: bool) -> bytes:
    arguments = b"\x00\x00" + short(exchange) + short(routing_key) + bytes((mandatory,))
    return method(1, PUBLISH, arguments)


def content(written_properties: bytes, body: bytes) -> bytes:
    """Header and body frames. `written_properties`: flags and values, as `properties` writes them."""
    header = struct.pack(">HHQ", PUBLISH[0], 0, len(body)) + written_properties
    return frame(HEADER, 1, header) + frame(BODY, 1, body)


def properties(message: OutgoingMessage) -> bytes:
    """Flags and values of a persistent message's properties."""
    told = message.properties
    values = [
        (15, told.content_type and short(told.content_type)),
        (13, table({name: str(value) for name, value in message.headers.items()})),
        (12, _PERSISTENT),
        (10, told.correlation_id and short(told.correlation_id)),
        (7, told.message_id and short(told.message_id)),
        (6, told.timestamp and _timestamp(told.timestamp)),
        (5, told.type and short(told.type)),
        (3, told.app_id and short(told.app_id)),
    ]
    flags = sum(1 << bit for bit, value in values if value)
    return struct.pack(">H", flags) + b"".join(value for _, value in values if value)


def _timestamp(moment: datetime) -> bytes:
    return struct.pack(">Q", int(moment.timestamp()))


def read_strings(header: bytes) -> tuple[str | None, dict[str, str]]:
    """Message id and the headers that are strings, of a content header frame's payload."""
    (flags,) = struct.unpack_from(">H", header, 12)
    at, message_id = 14, None
    headers: dict[str, str] = {}
    for bit in (15, 14, 13, 12, 11, 10, 9, 8, 7):
        if not flags & (1 << bit):
            continue
        if bit == 13:
            headers, at = _read_table(header, at)
        elif bit in (12, 11):
            at += 1
        else:
            end = at + 1 + header[at]
            if bit == 7:
                message_id = header[at + 1 : end].decode()
            at = end
    return message_id, headers


def _read_table(data: bytes, at: int) -> tuple[dict[str, str], int]:
    (size,) = struct.unpack_from(">I", data, at)
    at += 4
    end, strings = at + size, {}
    while at < end:
        name_end = at + 1 + data[at]
        name = data[at + 1 : name_end].decode()
        if data[name_end : name_end + 1] != b"S":
            break  # of a kind that nobody of ours writes; the rest is not looked at
        (length,) = struct.unpack_from(">I", data, name_end + 1)
        at = name_end + 5 + length
        strings[name] = data[name_end + 5 : at].decode()
    return strings, end


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Kind and payload of each frame that is complete by now. Raises ValueError out of step."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= _PREFIX.size:
            kind, _, size = _PREFIX.unpack_from(data, at)
            if size > _LARGEST_FRAME_BYTES:
                raise ValueError("not a frame of AMQP")
            after = at + _PREFIX.size + size + 1
            if after > end:
                break
            yield kind, data[at + _PREFIX.size : after - 1]
            at = after
        self._rest = data[at:]


def method_id(payload: bytes) -> MethodId:
    return _METHOD_ID.unpack_from(payload)
