"""What is published is written as pamqp would write it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.envelope import Properties
from leadbus.messages import OutgoingMessage
from leadbus.publisher import content
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

CHANNEL = 3
LARGEST_BYTES = 50

_SHORT = st.none() | st.text(max_size=60).filter(lambda text: len(text.encode()) < 256)
_MOMENT = st.none() | st.datetimes(datetime(1971, 1, 1), datetime(2105, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_VALUE = (
    st.text(max_size=30)
    | st.text(max_size=30)
    | st.integers(-(2**40), 2**40)
    | st.none()
    | st.just({"a": [1]})
)
_MESSAGE = st.builds(
    OutgoingMessage,
    exchange=st.sampled_from(["", "leadbus.events", "x.y-z"]),
    routing_key=st.text(max_size=20),
    body=st.binary(max_size=3 * LARGEST_BYTES),
    headers=st.dictionaries(st.text(max_size=60), _VALUE, max_size=4),
    properties=st.builds(
        Properties,
        content_type=_SHORT,
        message_id=_SHORT,
        correlation_id=_SHORT,
        timestamp=_MOMENT,
        type=_SHORT,
        app_id=_SHORT,
    ),
    mandatory=st.booleans(),
)


def by_pamqp(message: OutgoingMessage) -> list[bytes]:
    told = message.properties
    properties = commands.Basic.Properties(
        content_type=told.content_type,
        headers=dict(message.headers),
        delivery_mode=2,
        correlation_id=told.correlation_id,
        message_id=told.message_id,
        timestamp=told.timestamp,
        message_type=told.type,
        app_id=told.app_id or "normalizer",
    )
    publish = commands.Basic.Publish(
        exchange=message.exchange, routing_key=message.routing_key, mandatory=message.mandatory
    )
    body = message.body
    parts: list[Any] = [publish, ContentHeader(body_size=len(body), properties=properties)]
    parts += [ContentBody(body[at : at + LARGEST_BYTES]) for at in range(0, len(body), LARGEST_BYTES)]
    return [pamqp.frame.marshal(part, CHANNEL) for part in parts]


@given(_MESSAGE)
def test_frames_are_those_of_pamqp(message: OutgoingMessage) -> None:
    assert content.frames(message, CHANNEL, "normalizer", LARGEST_BYTES) == by_pamqp(message)


@pytest.mark.parametrize(
    "message",
    [
        OutgoingMessage("x", "k" * 256, b"", {}, Properties(), mandatory=False),
        OutgoingMessage("x", "k", b"", {}, Properties(message_id="i" * 256), mandatory=False),
        OutgoingMessage("x", "k", b"", {"set": {1}}, Properties(), mandatory=False),
    ],
)
def test_what_amqp_cannot_hold_is_an_error_of_a_known_kind(message: OutgoingMessage) -> None:
    with pytest.raises((TypeError, ValueError)):
        content.frames(message, CHANNEL, "normalizer", LARGEST_BYTES)
