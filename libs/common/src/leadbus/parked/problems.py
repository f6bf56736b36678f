"""What can be wrong with looking into a holding queue."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from leadbus.parked.reader import BrokerAway, NoQueue
from leadbus.web.problems import Problem, problem_type

BROKER_AWAY = problem_type(
    "broker-unavailable",
    503,
    "RabbitMQ does not answer just now",
    "The messages lie in a queue, and the service cannot reach the broker. Nothing was touched.",
    "Repeat after `Retry-After` seconds.",
)
QUEUE_NOT_READABLE = problem_type(
    "queue-not-readable",
    503,
    "The queue cannot be read",
    "It is not there (`no_queue`), or this service's broker user may not read it (`not_allowed`).",
    "Run `leadbus topology apply`.",
)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn what reading a holding queue raises into problems."""
    try:
        yield
    except BrokerAway:
        raise Problem(BROKER_AWAY, headers={"Retry-After": "5"}) from None
    except NoQueue as missing:
        raise Problem(QUEUE_NOT_READABLE, code=missing.code) from None
