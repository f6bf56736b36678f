"""What there is on the broker.

A queue's arguments cannot be changed without deleting it, so its type is the only one; everything
that may have to change is a policy. The keys used mean the same from RabbitMQ 3.10 to 4.x.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from leadbus.contracts.vocabulary import SOURCES

RAW_EXCHANGE = "leadbus.raw"
EVENTS_EXCHANGE = "leadbus.events"
UNROUTED = "leadbus.unrouted"

DELIVERY_LIMIT = 20
"""Well above what an innocent message meets: restarts and lost channels count for all that was fetched."""

HOLDING_DELIVERY_LIMIT = 1_000_000_000
"""No limit, for queues that people look into: each look counts as a delivery, and without a number RabbitMQ 4
drops a message at its 21st. -1 would say it better: 3.10 refuses it in a policy, and as an argument it makes
3.10 drop a message at its first return."""

_GIB = 1024**3
_WORK_MESSAGES = 1_000_000
_WORK_BYTES = 4 * _GIB
_PARKED_BYTES = 1 * _GIB

_LEAD_SOURCES = tuple(source for source in SOURCES if source != "dms")
"""Every source but the DMS files, whose rows must never stand before a lead."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Durable; `kind` is the AMQP exchange type."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue."""

    name: str

    @property
    def arguments(self) -> dict[str, str]:
        return {"x-queue-type": "quorum"}


@dataclass(frozen=True, slots=True)
class Binding:
    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings for exactly one exchange or queue, `target`; `apply_to` is `exchanges` or `queues`."""

    target: str
    apply_to: str
    definition: Mapping[str, str | int]

    @property
    def name(self) -> str:
        return f"leadbus {self.apply_to} {self.target}"

    @property
    def pattern(self) -> str:
        return f"^{re.escape(self.target)}$"


@dataclass(frozen=True, slots=True)
class Topology:
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    policies: tuple[Policy, ...]


def parked(queue: str) -> str:
    """Where the broker puts a message of `queue` that was rejected or came back too often."""
    return f"{queue}.parked"


def dead_letters(queue: str) -> str:
    """The exchange that dead letters of `queue` pass; nobody else may write to it.

    One for each queue and without a routing key of its own, so that a parked message still has the key which
    the broker checked when it was published: the other record of it, `x-death`, can be forged on 3.10.
    """
    return f"leadbus.dlx.{queue}"


def _work_policy(queue: str) -> Policy:
    return Policy(
        target=queue,
        apply_to="queues",
        definition={
            "delivery-limit": DELIVERY_LIMIT,
            "dead-letter-exchange": dead_letters(queue),
            # Only with this and reject-publish does a dead letter outlive a parked queue that is full.
            "dead-letter-strategy": "at-least-once",
            "overflow": "reject-publish",
            "max-length": _WORK_MESSAGES,
            "max-length-bytes": _WORK_BYTES,
        },
    )


def _holding_policy(queue: str) -> Policy:
    """For queues that nobody consumes: what does not fit stays where it was, and looking costs nothing."""
    return Policy(
        target=queue,
        apply_to="queues",
        definition={
            "overflow": "reject-publish",
            "max-length-bytes": _PARKED_BYTES,
            "delivery-limit": HOLDING_DELIVERY_LIMIT,
        },
    )


def _topology(work: Mapping[str, tuple[tuple[str, str], ...]]) -> Topology:
    """`work`: the consumed queues, each with its (exchange, routing key) pairs."""
    return Topology(
        exchanges=(
            *(Exchange(dead_letters(name), "fanout") for name in work),
            Exchange(UNROUTED, "fanout"),
            Exchange(RAW_EXCHANGE, "topic"),
            Exchange(EVENTS_EXCHANGE, "topic"),
        ),
        # Where dead letters go comes before where they come from.
        queues=(Queue(UNROUTED), *(Queue(parked(name)) for name in work), *(Queue(name) for name in work)),
        bindings=(
            Binding(UNROUTED, UNROUTED, ""),
            *(Binding(dead_letters(name), parked(name), "") for name in work),
            *(Binding(exchange, name, key) for name, keys in work.items() for exchange, key in keys),
        ),
        policies=(
            # Not on events: an alternate exchange turns an unroutable mandatory publish into a success.
            Policy(RAW_EXCHANGE, "exchanges", {"alternate-exchange": UNROUTED}),
            _holding_policy(UNROUTED),
            *(_holding_policy(parked(name)) for name in work),
            *(_work_policy(name) for name in work),
        ),
    )


TOPOLOGY = _topology(
    {
        "normalizer.raw": tuple((RAW_EXCHANGE, f"raw.{source}") for source in _LEAD_SOURCES),
        "normalizer.ledger": ((EVENTS_EXCHANGE, "delivery.#"),),
        "adf-mailer.leads": ((EVENTS_EXCHANGE, "lead.#"),),
    }
)
