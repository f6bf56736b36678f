"""The two shapes that publisher, outbox and consumers share: what goes out, what came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadbus.contracts import EVENTS
from leadbus.contracts.raw import raw_routing_key
from leadbus.envelope import Envelope, Properties, encode
from leadbus.topology.declaration import EVENTS_EXCHANGE, RAW_EXCHANGE

DOORS_BODY_BYTES = 4 * 1024 * 1024
"""The largest body that is taken over HTTP. Who publishes to the broker may send what that allows."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message to publish.

    `headers` holds AMQP table values only: str, int, float, bool, bytes, datetime, None, and
    lists and dicts of them. With `mandatory` the broker returns what no queue takes.
    """

    exchange: str
    routing_key: str
    body: bytes
    headers: Mapping[str, Any]
    properties: Properties
    mandatory: bool


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """One delivery, body untouched.

    `headers` were written by the sender and prove nothing; `user_id` and `routing_key` were
    checked by the broker. `delivery_count` is the number of earlier deliveries a quorum queue
    counted (0 at first). `delivery_tag` means something only to the channel it came through.
    `reply_to` is never honoured; that it is set tells a sender who takes us for something else.
    """

    body: bytes
    exchange: str
    routing_key: str
    headers: Mapping[str, Any]
    properties: Properties
    redelivered: bool
    delivery_count: int
    delivery_tag: int
    user_id: str | None = None
    unreadable: str | None = None
    """Why headers and properties are empty, where what the sender wrote into them is not valid AMQP."""
    reply_to: str | None = None


def event_message(envelope: Envelope) -> OutgoingMessage:
    """The canonical event as a message for `leadbus.events`; its key is the event's type.

    Raises ValueError for a type that `leadbus.contracts` does not list.
    """
    contract = EVENTS.get(envelope.type)
    if contract is None:
        raise ValueError(f"not a canonical event type: {envelope.type!r}")
    headers, properties = encode(envelope)
    return OutgoingMessage(
        exchange=EVENTS_EXCHANGE,
        routing_key=envelope.type,
        body=envelope.data,
        headers=headers,
        properties=properties,
        mandatory=contract.must_route,
    )


def raw_message(source: str, envelope: Envelope) -> OutgoingMessage:
    """A source's own bytes as a message for `leadbus.raw`; always mandatory."""
    headers, properties = encode(envelope)
    return OutgoingMessage(
        exchange=RAW_EXCHANGE,
        routing_key=raw_routing_key(source),
        body=envelope.data,
        headers=headers,
        properties=properties,
        mandatory=True,
    )
