"""What tries say about their destination, and what it is told to the outside. Pure.

The breaker decides; here its decisions become moments, reasons and turns: changes of health that people and
metrics hear of, each exactly once, because they are made under the lock of the destination's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from leadbus.delivery import breaker
from leadbus.delivery.breaker import Breaker, BreakerSettings, BreakerState, Signal


class Condition(StrEnum):
    """Health of a destination as operators see it."""

    HEALTHY = "healthy"
    FAILING = "failing"
    """Its breaker is open: it does not answer, or not as it should. Probed, and back by itself."""
    PAUSED = "paused"
    """By an operator; whatever else is wrong with it shows when it is resumed."""
    SUSPENDED = "suspended"
    """It refuses us until a person mends something."""


class Change(StrEnum):
    """A turn of a destination's health. Only suspension is an event; all are counted."""

    FAILING = "failing"
    RECOVERED = "recovered"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    PAUSED = "paused"
    UNPAUSED = "unpaused"


@dataclass(frozen=True, slots=True)
class Failure:
    """The last try that spoke against the destination: codes, never the other side's words."""

    at: datetime
    outcome: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Suspension:
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Health:
    """A destination's breaker and what is remembered of it. ``announcements`` counts the events told."""

    name: str
    breaker: Breaker = field(default_factory=Breaker)
    opened_at: datetime | None = None
    next_probe_at: datetime | None = None
    suspension: Suspension | None = None
    announcements: int = 0
    failure: Failure | None = None
    last_success_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What one try said: its signal, and the codes of its outcome."""

    signal: Signal
    outcome: str = ""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """``suspension`` is the one that begins or ends; ``number`` counts the events of the destination."""

    destination: str
    change: Change
    at: datetime
    suspension: Suspension | None = None
    number: int = 0


def noted(
    health: Health, heard: Sequence[Heard], settings: BreakerSettings, *, now: datetime
) -> tuple[Health, list[Turn]]:
    """The health after these tries, in their order, and how it turned on the way."""
    turns: list[Turn] = []
    for one in heard:
        before, health = health, _after(health, one, settings, now)
        if health.suspension != before.suspension:
            change = Change.SUSPENDED if health.suspension else Change.RESUMED
            health = replace(health, announcements=health.announcements + 1)
            suspension = health.suspension or before.suspension
            turns.append(Turn(health.name, change, now, suspension, health.announcements))
        elif _closed(health) != _closed(before):
            turns.append(Turn(health.name, Change.RECOVERED if _closed(health) else Change.FAILING, now))
    return health, turns


def _after(health: Health, heard: Heard, settings: BreakerSettings, now: datetime) -> Health:
    change = breaker.after(health.breaker, heard.signal, settings)
    after = replace(health, breaker=change.breaker)
    if change.probe_wait_seconds is not None:
        after = replace(after, next_probe_at=now + timedelta(seconds=change.probe_wait_seconds))
    if _closed(after):
        after = replace(after, opened_at=None, next_probe_at=None)
    elif _closed(health):
        after = replace(after, opened_at=now)
    if not change.breaker.suspended:
        after = replace(after, suspension=None)
    elif health.suspension is None:
        after = replace(after, suspension=Suspension(now, heard.reason or heard.outcome))
    if heard.signal in (Signal.DOWN, Signal.SUSPEND):
        after = replace(after, failure=Failure(now, heard.outcome, heard.reason))
    if heard.outcome == "delivered":
        after = replace(after, last_success_at=now)
    return after


def _closed(health: Health) -> bool:
    return health.breaker.state is BreakerState.CLOSED
