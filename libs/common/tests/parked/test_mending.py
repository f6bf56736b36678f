"""Headers that nobody can read reach aiormq as ones that say so; everything else as it came."""

from __future__ import annotations

from itertools import pairwise

import pamqp.frame
from hypothesis import given
from hypothesis import strategies as st
from leadbus.parked.mending import _mended, unreadable_because
from leadbus.wire.frames import Frames
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

CHANNEL = 7


class Reader:
    """aiormq's end of the stream."""

    def __init__(self) -> None:
        self.passed_on = b""

    def feed_data(self, data: bytes) -> None:
        self.passed_on += data


def header(rest: bytes, flags: int) -> bytes:
    payload = b"\x00\x3c\x00\x00" + (9).to_bytes(8, "big") + flags.to_bytes(2, "big") + rest
    return b"\x02" + CHANNEL.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + b"\xce"


@given(
    headers=st.lists(st.builds(header, st.binary(max_size=60), st.integers(0, 2**16 - 1)), max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_whatever_comes_pamqp_can_read_what_goes_on(headers: list[bytes], cuts: list[int]) -> None:
    got = pamqp.frame.marshal(
        commands.Basic.GetOk(1, redelivered=False, exchange="", routing_key="", message_count=0), CHANNEL
    )
    body = pamqp.frame.marshal(ContentBody(b"x" * 9), CHANNEL)
    stream = b"".join(got + one + body for one in headers)
    reader = Reader()
    Frames(reader, _mended)  # type: ignore[arg-type]
    for start, end in pairwise([0, *sorted({min(cut, len(stream)) for cut in cuts} - {0}), len(stream)]):
        reader.feed_data(stream[start:end])
    rest = reader.passed_on
    for one in headers:
        assert rest.startswith(got)
        size, channel, read = pamqp.frame.unmarshal(rest[len(got) :])
        assert channel == CHANNEL
        assert isinstance(read, ContentHeader)
        assert read.body_size == 9
        frame = rest[len(got) : len(got) + size]
        unreadable = unreadable_because(read.properties.headers or {})
        assert (frame == one) == (unreadable is None)
        rest = rest[len(got) + size :]
        assert rest.startswith(body)
        rest = rest[len(body) :]
    assert rest == b""
