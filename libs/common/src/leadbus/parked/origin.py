"""Where a message was published before it came to lie in a holding queue, as far as the broker proves it.

A message's own record of that, ``x-death``, is the sender's word on RabbitMQ 3.10. The exchange that it
passed on its way into the parked queue and its routing key are the broker's: docs/adr/0080.
"""

from __future__ import annotations

import re
from dataclasses import replace

from leadbus.messages import IncomingMessage
from leadbus.topology.declaration import RAW_EXCHANGE, TOPOLOGY, UNROUTED, Topology, dead_letters

_OF_DEAD_LETTERS = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count")
"""Written by the broker when a message dies or comes again; a message that never did has none of them."""
_SENDER_SELECTED = frozenset({"cc", "bcc"})


class Unproven(Exception):  # noqa: N818 -- it names a condition
    """The message is not taken for what it says it is; it stays. ``code`` is for the operator."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def as_before(queue: str, message: IncomingMessage, topology: Topology = TOPOLOGY) -> IncomingMessage:
    """A message of ``<queue>.parked`` as ``queue`` held it: exchange, key and headers from before its death.

    Raises Unproven: ``origin_unproven`` when it did not come through the queue's own dead-letter exchange,
    ``not_declared`` when no declared binding would have brought its key into the queue.
    """
    if message.exchange != dead_letters(queue):
        raise Unproven("origin_unproven")
    for binding in topology.bindings:
        if binding.queue == queue and matches(binding.routing_key, message.routing_key):
            return replace(message, exchange=binding.exchange, headers=_without_death(message))
    raise Unproven("not_declared")


def as_published(message: IncomingMessage, topology: Topology = TOPOLOGY) -> IncomingMessage:
    """A message of the unrouted queue as it is published again: to the same exchange under the same key.

    Keys that its sender added (``CC``, ``BCC``) are left out: nobody checked those. An account that only the
    broker user told is written down, because we publish as somebody else. Raises Unproven: ``not_raw`` when
    it was published elsewhere, ``unreadable_properties``, ``unroutable`` when no queue is declared for it.
    """
    if message.exchange != RAW_EXCHANGE:
        raise Unproven("not_raw")
    if message.unreadable is not None:
        raise Unproven("unreadable_properties")
    wanted = (one for one in topology.bindings if one.exchange == RAW_EXCHANGE and one.queue != UNROUTED)
    if not any(matches(binding.routing_key, message.routing_key) for binding in wanted):
        raise Unproven("unroutable")
    headers = {
        name: value
        for name, value in message.headers.items()
        if name.lower() not in _SENDER_SELECTED and name != "x-delivery-count"
    }
    if message.user_id and "account" not in headers:
        headers["account"] = message.user_id
    return replace(message, headers=headers)


def matches(pattern: str, routing_key: str) -> bool:
    """Whether a topic binding brings the key in: ``*`` is one word, ``#`` any number of them."""
    return _compiled(pattern).fullmatch(f".{routing_key}") is not None


def _compiled(pattern: str) -> re.Pattern[str]:
    words = {"*": r"\.[^.]*", "#": r"(?:\.[^.]*)*"}
    return re.compile("".join(words.get(word, rf"\.{re.escape(word)}") for word in pattern.split(".")))


def _without_death(message: IncomingMessage) -> dict[str, object]:
    return {
        name: value
        for name, value in message.headers.items()
        if not name.lower().startswith(_OF_DEAD_LETTERS)
    }
