"""Destination health: closed, open, half-open, and suspended on top. Pure; time is only a wait in seconds.

An open breaker waits for the other side to come back. A suspended destination will not come back by waiting:
a person has to mend something. It is left alone just as an open one and probed more slowly, so that it heals
by itself once that was done.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import assert_never

from pydantic import BaseModel, ConfigDict, Field


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    """Nothing is sent until the next probe is due."""
    HALF_OPEN = "half_open"
    """One delivery is on its way to find out."""


class Signal(Enum):
    """What one try says about its destination."""

    UP = "up"
    """It answered, be it with a refusal: a bad address is not a bad host."""
    DOWN = "down"
    SUSPEND = "suspend"
    """It refuses us altogether, and will until a person mends something."""
    NOTHING = "nothing"
    """It was not reached, or nobody knows."""


class BreakerSettings(BaseModel):
    """When a destination is left alone, and how often it is tried again."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    opens_after_failures: int = Field(default=5, ge=1)
    """Failures in a row that open the breaker. What suspends opens it at once."""
    probe_steps_seconds: tuple[float, ...] = Field(default=(30, 60, 120, 300, 600), min_length=1)
    """Waits before the probes, in seconds; the last one repeats."""
    suspended_probe_steps_seconds: tuple[float, ...] = Field(default=(60, 300, 900), min_length=1)
    """The same while suspended: slower, because refused logins lock accounts."""

    def probe_wait_seconds(self, breaker: Breaker) -> float:
        """The wait before the next probe, after ``breaker.probes`` that failed."""
        steps = self.suspended_probe_steps_seconds if breaker.suspended else self.probe_steps_seconds
        return steps[min(breaker.probes, len(steps) - 1)]


@dataclass(frozen=True, slots=True)
class Breaker:
    """Health of one destination; ``probes`` counts the ones that failed since it opened or was suspended."""

    state: BreakerState = BreakerState.CLOSED
    consecutive_failures: int = 0
    probes: int = 0
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """The health afterwards, and when to probe (None: leave the time as it is)."""

    breaker: Breaker
    probe_wait_seconds: float | None = None


def after(breaker: Breaker, signal: Signal, settings: BreakerSettings) -> BreakerChange:
    """The health after one try."""
    match signal:
        case Signal.UP:
            return _after_answer(breaker)
        case Signal.DOWN:
            return _after_failure(breaker, settings)
        case Signal.SUSPEND:
            return _after_refusal(breaker, settings)
        case Signal.NOTHING:
            return _after_silence(breaker, settings)
        case _:
            assert_never(signal)


def _after_answer(breaker: Breaker) -> BreakerChange:
    if breaker.suspended and breaker.state is BreakerState.OPEN:
        # A try that began before, on a connection that was still logged in, proves nothing: the probe will.
        return BreakerChange(breaker)
    return BreakerChange(Breaker())


def _after_failure(breaker: Breaker, settings: BreakerSettings) -> BreakerChange:
    failed = replace(breaker, consecutive_failures=breaker.consecutive_failures + 1)
    if breaker.state is BreakerState.HALF_OPEN:
        return _opened(replace(failed, probes=breaker.probes + 1), settings)
    if breaker.state is BreakerState.OPEN:
        # A try that began before it opened; the probe's time stands.
        return BreakerChange(failed)
    if failed.consecutive_failures < settings.opens_after_failures:
        return BreakerChange(failed)
    return _opened(failed, settings)


def _after_refusal(breaker: Breaker, settings: BreakerSettings) -> BreakerChange:
    if breaker.suspended and breaker.state is not BreakerState.CLOSED:
        return _after_failure(breaker, settings)
    failures = breaker.consecutive_failures + 1
    return _opened(replace(breaker, consecutive_failures=failures, probes=0, suspended=True), settings)


def _after_silence(breaker: Breaker, settings: BreakerSettings) -> BreakerChange:
    if breaker.state is not BreakerState.HALF_OPEN:
        return BreakerChange(breaker)
    # The probe told nothing; another one may, and soon.
    reopened = replace(breaker, state=BreakerState.OPEN)
    return BreakerChange(reopened, settings.probe_wait_seconds(replace(reopened, probes=0)))


def _opened(breaker: Breaker, settings: BreakerSettings) -> BreakerChange:
    opened = replace(breaker, state=BreakerState.OPEN)
    return BreakerChange(opened, settings.probe_wait_seconds(opened))
