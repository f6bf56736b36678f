"""Who may do what on the broker: a user for each service and for each publisher, with the least rights.

Nobody of them configures anything. A user that writes to a topic exchange also has a topic permission, which
names the routing keys: without one RabbitMQ lets every key pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from leadbus.contracts import EVENTS, SOURCES, raw_routing_key
from leadbus.topology.declaration import EVENTS_EXCHANGE, RAW_EXCHANGE, TOPOLOGY, UNROUTED

NOTHING = "^$"
PUBLISHER_TAG = "leadbus-publisher"
"""Marks a publisher's user. RabbitMQ takes any word for a tag, and this one gives no right."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Exchanges written to, queues read from, and for each topic exchange the routing keys.

    Read is to consume, get, acknowledge and purge; nothing of it is allowed on any other queue.
    """

    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def permission(self) -> dict[str, str]:
        """As the management API takes it: regular expressions over names."""
        return {"configure": NOTHING, "write": _exactly(self.write), "read": _exactly(self.read)}

    @property
    def topic_permissions(self) -> dict[str, dict[str, str]]:
        """By exchange: regular expressions over routing keys."""
        return {
            # \z, because $ also matches before a line end, and a routing key may hold one.
            exchange: {"write": _exactly(keys, end=r"\z"), "read": NOTHING}
            for exchange, keys in self.keys.items()
        }


NO_RIGHTS = Rights()


@dataclass(frozen=True, slots=True)
class User:
    """`name` as declared; on a broker that several deployments share, a prefix stands before it."""

    name: str
    rights: Rights


def publisher_rights(source: str) -> Rights:
    """Of whoever brings the messages of one source: the broker itself then proves the key's source.

    Raises ValueError for a source that is none of ours.
    """
    return Rights(write=(RAW_EXCHANGE,), keys={RAW_EXCHANGE: (raw_routing_key(source),)})


def publisher_tags(source: str) -> list[str]:
    """They say what the user is for, also when its rights are lost."""
    return [PUBLISHER_TAG, raw_routing_key(source)]


def source_in(tags: Iterable[str]) -> str | None:
    """The source of a publisher's user, None when the tags are not a publisher's."""
    known = {raw_routing_key(source): source for source in SOURCES}
    found = list(tags)
    if PUBLISHER_TAG not in found:
        return None
    return next((known[tag] for tag in found if tag in known), None)


def _exactly(names: Iterable[str], *, end: str = "$") -> str:
    """A regular expression that these names match and no other."""
    escaped = [re.escape(name) for name in names]
    if not escaped:
        return NOTHING
    return f"^{escaped[0]}{end}" if len(escaped) == 1 else f"^({'|'.join(escaped)}){end}"


def _queues_of(service: str) -> tuple[str, ...]:
    """A service's queues and what is parked behind them."""
    return tuple(queue.name for queue in TOPOLOGY.queues if queue.name.startswith(f"{service}."))


def _events_of(service: str) -> tuple[str, ...]:
    return tuple(name for name, event in EVENTS.items() if service in event.emitted_by)


def _emitter(service: str) -> User:
    """A service that consumes its queues and emits its events."""
    keys = {EVENTS_EXCHANGE: _events_of(service)}
    return User(service, Rights(write=(EVENTS_EXCHANGE,), read=_queues_of(service), keys=keys))


USERS = (
    User(
        "ingest",
        # Unrouted messages are published again by it, under the key that they came with.
        Rights(
            write=(RAW_EXCHANGE, EVENTS_EXCHANGE),
            read=(UNROUTED,),
            keys={RAW_EXCHANGE: tuple(map(raw_routing_key, SOURCES)), EVENTS_EXCHANGE: _events_of("ingest")},
        ),
    ),
    _emitter("normalizer"),
    _emitter("adf-mailer"),
)
"""One for each service that there is; a sink to come gets its own together with its queues."""
