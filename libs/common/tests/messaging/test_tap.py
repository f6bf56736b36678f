"""Deliveries read off the wire: the same as pamqp reads them, whatever the pieces they come in."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.consumer.tap import Tap
from leadbus.messages import IncomingMessage
from leadbus.wire.content import read_content
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

CHANNEL = 7
FRAME_BYTES = 100

_SHORT = st.text(max_size=60).filter(lambda text: len(text.encode()) < 256)
_MOMENT = st.datetimes(datetime(1971, 1, 1), datetime(2105, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.text(max_size=40)
    | st.binary(max_size=10).map(bytearray)
    | st.just(Decimal("3.14"))
    | _MOMENT
)
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
_NAMED = dict.fromkeys(("content_type", "content_encoding", "correlation_id", "reply_to"), _SHORT)
_NAMED |= dict.fromkeys(("expiration", "message_id", "message_type", "user_id", "app_id"), _SHORT)
_PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        **_NAMED,
        "headers": st.dictionaries(st.text(max_size=20), _VALUE, max_size=5),
        "delivery_mode": st.sampled_from([1, 2]),
        "priority": st.integers(0, 9),
        "timestamp": _MOMENT,
    },
)


class Reader:
    """aiormq's end of the stream."""

    def __init__(self) -> None:
        self.passed_on = b""

    def feed_data(self, data: bytes) -> None:
        self.passed_on += data


class Line:
    """A tapped stream, and what was delivered by it."""

    def __init__(self) -> None:
        self.reader = Reader()
        self.delivered: list[IncomingMessage] = []
        self.tap = Tap(self.reader)  # type: ignore[arg-type]
        self.tap.deliver(CHANNEL, self.delivered.append)

    def receive(self, data: bytes) -> None:
        self.reader.feed_data(data)


def frames(tag: int, body: bytes, channel: int = CHANNEL, **properties: Any) -> bytes:
    parts: list[Any] = [
        commands.Basic.Deliver(
            "consumer", tag, redelivered=False, exchange="leadbus.raw", routing_key="raw.x"
        ),
        ContentHeader(body_size=len(body), properties=commands.Basic.Properties(**properties)),
        *(ContentBody(body[at : at + FRAME_BYTES]) for at in range(0, len(body), FRAME_BYTES)),
    ]
    return b"".join(pamqp.frame.marshal(part, channel) for part in parts)


@given(_PROPERTIES)
def test_properties_are_read_as_pamqp_reads_them(properties: Any) -> None:
    payload = ContentHeader(body_size=3, properties=commands.Basic.Properties(**properties)).marshal()
    known = ContentHeader()
    known.unmarshal(payload)
    read = read_content(payload)
    assert (read.body_bytes, read.unreadable) == (3, None)
    assert read.headers == (known.properties.headers or {})
    assert (read.reply_to, read.user_id) == (known.properties.reply_to, known.properties.user_id)
    assert read.properties.content_type == known.properties.content_type
    assert read.properties.correlation_id == known.properties.correlation_id
    assert read.properties.message_id == known.properties.message_id
    assert read.properties.timestamp == known.properties.timestamp
    assert read.properties.type == known.properties.message_type
    assert read.properties.app_id == known.properties.app_id


@given(st.binary(max_size=60), st.integers(0, 2**16 - 1))
def test_a_header_that_nobody_can_read_costs_no_message(rest: bytes, flags: int) -> None:
    payload = b"\x00\x3c\x00\x00" + (9).to_bytes(8, "big") + flags.to_bytes(2, "big") + rest
    known = ContentHeader()
    try:
        known.unmarshal(payload)
        unreadable = None
    except Exception as error:  # noqa: BLE001
        unreadable = type(error).__name__
    read = read_content(payload)
    assert (read.body_bytes, read.unreadable) == (9, unreadable)
    if unreadable is None:
        assert read.properties.message_id == known.properties.message_id


def test_headers_nested_deeper_than_any_reader_goes_cost_no_message() -> None:
    table = b""
    for _ in range(5000):
        table = b"\x01aF" + len(table).to_bytes(4, "big") + table
    payload = b"\x00\x3c\x00\x00" + (9).to_bytes(8, "big") + (1 << 13).to_bytes(2, "big")
    read = read_content(payload + len(table).to_bytes(4, "big") + table)
    assert (read.body_bytes, read.unreadable, read.headers) == (9, "RecursionError", {})


@given(
    bodies=st.lists(st.binary(max_size=3 * FRAME_BYTES), max_size=5),
    cuts=st.lists(st.integers(0, 3000), max_size=12),
)
def test_pieces_do_not_matter(bodies: list[bytes], cuts: list[int]) -> None:
    line = Line()
    heartbeat = pamqp.frame.marshal(Heartbeat(), 0)
    stream = b"".join(frames(tag, body) + heartbeat for tag, body in enumerate(bodies))
    for start, end in pairwise([0, *sorted({min(cut, len(stream)) for cut in cuts} - {0}), len(stream)]):
        line.receive(stream[start:end])
    assert [message.body for message in line.delivered] == bodies
    assert [message.delivery_tag for message in line.delivered] == list(range(len(bodies)))
    assert line.reader.passed_on.replace(heartbeat, b"") == b""
    assert line.reader.passed_on.count(heartbeat) >= len(bodies)


def test_other_channels_and_other_frames_go_on_in_order() -> None:
    line = Line()
    elsewhere = frames(1, b"for somebody else", channel=CHANNEL + 1)
    closing = pamqp.frame.marshal(commands.Channel.Close(404, "gone", 0, 0), CHANNEL)
    line.receive(elsewhere + frames(1, b"ours") + closing)
    assert [message.body for message in line.delivered] == [b"ours"]
    assert line.reader.passed_on.startswith(elsewhere)
    assert line.reader.passed_on.endswith(closing)


def test_a_channel_number_that_was_left_delivers_to_nobody_of_ours() -> None:
    line = Line()
    line.tap.leave(CHANNEL, line.delivered.append)
    line.receive(frames(1, b"x"))
    assert line.delivered == []
    assert line.reader.passed_on == frames(1, b"x")


def test_whoever_took_over_a_number_keeps_it() -> None:
    line = Line()
    later: list[IncomingMessage] = []
    line.tap.deliver(CHANNEL, later.append)
    line.tap.leave(CHANNEL, line.delivered.append)
    line.receive(frames(1, b"x"))
    assert [message.body for message in later] == [b"x"]


@pytest.mark.parametrize(
    "nonsense", [b"AMQP\x00\x00\x09\x01", b"\x01\x00\x07\x00\x00\x00\x01xY", b"HTTP/1.1 400"]
)
def test_what_is_no_amqp_is_left_to_aiormq_whole(nonsense: bytes) -> None:
    line = Line()
    line.receive(frames(1, b"x") + nonsense)
    line.receive(frames(2, b"y"))
    assert line.reader.passed_on.endswith(nonsense + frames(2, b"y"))


def test_deliveries_are_a_sign_of_life(monkeypatch: Any) -> None:
    """aiormq cuts a connection on which it sees nothing, and a server that delivers sends no heartbeats."""
    line = Line()
    monkeypatch.setattr("leadbus.wire.frames.time.monotonic", lambda: 1000.0)
    line.receive(frames(1, b"x") + frames(2, b"y"))
    assert line.reader.passed_on == pamqp.frame.marshal(Heartbeat(), 0)
    monkeypatch.setattr("leadbus.wire.frames.time.monotonic", lambda: 1001.5)
    line.receive(frames(3, b"z"))
    assert line.reader.passed_on == 2 * pamqp.frame.marshal(Heartbeat(), 0)
