"""Envelopes as messages: where they go and whether somebody must take them."""

from __future__ import annotations

import pytest
from leadbus.contracts import EVENTS, SOURCES
from leadbus.envelope import Envelope, decode
from leadbus.messages import IncomingMessage, OutgoingMessage, event_message, raw_message


def envelope(type_: str) -> Envelope:
    return Envelope(
        id="1", source="leadbus/test", type=type_, data=b'{"a": 1}', datacontenttype="application/json"
    )


def received(message: OutgoingMessage) -> IncomingMessage:
    return IncomingMessage(
        message.body, message.exchange, message.routing_key, message.headers, message.properties, False, 0, 1
    )


@pytest.mark.parametrize("type_", EVENTS)
def test_an_event_goes_by_its_type_and_is_mandatory_where_its_contract_says(type_: str) -> None:
    message = event_message(envelope(type_))
    assert (message.exchange, message.routing_key) == ("leadbus.events", type_)
    assert message.mandatory is EVENTS[type_].must_route


def test_only_contracted_events_are_sent() -> None:
    with pytest.raises(ValueError, match="not a canonical event type"):
        event_message(envelope("lead.invented.v1"))


@pytest.mark.parametrize("source", SOURCES)
def test_raw_goes_by_its_source_and_is_always_mandatory(source: str) -> None:
    message = raw_message(source, envelope("raw"))
    assert (message.exchange, message.routing_key, message.mandatory) == (
        "leadbus.raw",
        f"raw.{source}",
        True,
    )
    assert message.body == b'{"a": 1}'


def test_what_is_sent_is_what_is_read() -> None:
    sent = envelope("lead.received.v1")
    read = decode(received(event_message(sent)))
    assert (read.id, read.type, read.data) == (sent.id, sent.type, sent.data)
