"""What is counted on the wire, in whatever pieces TCP gives it."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.bench import amqp_frames as amqp
from tests.bench import leads
from tests.bench.counted_amqp import AmqpNames
from tests.bench.counted_postgres import PostgresNames


def _counted(names: Callable[[bytes], Iterator[str]], pieces: Iterable[bytes]) -> Counter[str]:
    return Counter(name for piece in pieces for name in names(piece))


def _cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_frames_that_settle_are_counted_and_bodies_are_not_looked_into(size: int) -> None:
    message = leads.message("counted", leads.FIRST)
    looks_like_acks = amqp.ack(1) * 3
    stream = b"".join(
        (
            amqp.ack(200),
            amqp.publication(message),
            amqp.publish_method("x", "y", mandatory=True),
            amqp.content(struct.pack(">H", 0), looks_like_acks),
            amqp.method(1, amqp.REJECT, struct.pack(">QB", 201, 0)),
            amqp.method(1, amqp.NACK, struct.pack(">QB", 202, 0)),
            amqp.frame(amqp.HEARTBEAT, 0, b""),
        )
    )
    names = AmqpNames()
    counts = _counted(names.sent, [amqp.PROTOCOL_HEADER, *_cut(stream, size)])
    assert counts == {"ack": 3, "publish": 2}


def _typed(kind: bytes, payload: bytes = b"") -> bytes:
    return kind + struct.pack(">I", len(payload) + 4) + payload


_READY, _READY_IN_BLOCK = _typed(b"Z", b"I"), _typed(b"Z", b"T")
_SSL_REQUEST = struct.pack(">II", 8, 80_877_103)
_STARTUP = struct.pack(">II", 20, 196_608) + b"user\0bench\0\0"


@pytest.mark.parametrize("size", [1, 6, 10**6])
def test_statements_are_queries_and_executes(size: int) -> None:
    names = PostgresNames()
    assert list(names.sent(_SSL_REQUEST)) == []
    assert list(names.answered(b"N")) == []
    assert list(names.sent(_STARTUP)) == []
    stream = b"".join(
        (
            _typed(b"Q", b"BEGIN;\0"),
            _typed(b"P", b"\0QQQQ EEEE\0\0\0"),
            _typed(b"D", b"S\0"),
            _typed(b"H"),
            _typed(b"B", b"\0" * 20),
            _typed(b"E", b"\0\0\0\0\0"),
            _typed(b"S"),
            _typed(b"Q", b"COMMIT;\0"),
        )
    )
    assert _counted(names.sent, _cut(stream, size)) == {"statement": 3}


@pytest.mark.parametrize("size", [1, 6, 10**6])
def test_a_transaction_counts_once_whatever_is_in_it_and_preparing_counts_nothing(size: int) -> None:
    complete = _typed(b"C", b"INSERT 0 1\0")
    block = (complete + _READY_IN_BLOCK) * 3 + complete + _READY
    lone = complete + _READY
    prepared = _typed(b"1") + _typed(b"t", b"\0\0") + _READY
    stream = _READY + block + lone + prepared + block
    assert _counted(PostgresNames().answered, _cut(stream, size)) == {"commit": 3}


def test_a_message_read_back_is_the_message_that_was_written() -> None:
    message = leads.message("read", leads.LAST)
    frames = list(amqp.Frames().feed(amqp.publication(message)))
    assert [kind for kind, _ in frames] == [amqp.METHOD, amqp.HEADER, amqp.BODY]
    message_id, headers = amqp.read_strings(frames[1][1])
    assert message_id == message.properties.message_id
    assert headers == message.headers
    assert frames[2][1] == message.body


def test_a_stream_that_is_not_amqp_is_noticed() -> None:
    with pytest.raises(ValueError, match="not a frame"):
        list(amqp.Frames().feed(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
