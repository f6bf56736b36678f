"""Destination health: closed, open, half-open. Pure; time is only ever a wait in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

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
    NOTHING = "nothing"
    """It was not reached, or nobody knows."""


class BreakerSettings(BaseModel):
    """When a destination is left alone, and how often it is tried again."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    opens_after_failures: int = Field(default=5, ge=1)
    """Failures in a row that open the breaker."""
    probe_steps_seconds: tuple[float, ...] = Field(default=(30, 60, 120, 300, 600), min_length=1)
    """Waits before the probes, in seconds; the last one repeats."""

    def probe_wait_seconds(self, probes: int) -> float:
        """The wait before the next probe after ``probes`` that failed."""
        return self.probe_steps_seconds[min(probes, len(self.probe_steps_seconds) - 1)]


@dataclass(frozen=True, slots=True)
class Breaker:
    """Health of one destination; ``probes`` counts the ones that failed since it opened."""

    state: BreakerState = BreakerState.CLOSED
    consecutive_failures: int = 0
    probes: int = 0


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """The health afterwards, and when to probe (None: leave the time as it is)."""

    breaker: Breaker
    probe_wait_seconds: float | None = None


def after(breaker: Breaker, signal: Signal, settings: BreakerSettings) -> BreakerChange:
    """The health after one try."""
    if signal is Signal.UP:
        return BreakerChange(Breaker())
    if signal is Signal.DOWN:
        return _after_failure(breaker, settings)
    if breaker.state is BreakerState.HALF_OPEN:
        # The probe told nothing; another one may.
        reopened = Breaker(BreakerState.OPEN, breaker.consecutive_failures, breaker.probes)
        return BreakerChange(reopened, settings.probe_wait_seconds(0))
    return BreakerChange(breaker)


def _after_failure(breaker: Breaker, settings: BreakerSettings) -> BreakerChange:
    failures = breaker.consecutive_failures + 1
    if breaker.state is BreakerState.HALF_OPEN:
        probes = breaker.probes + 1
        return BreakerChange(
            Breaker(BreakerState.OPEN, failures, probes), settings.probe_wait_seconds(probes)
        )
    if breaker.state is BreakerState.OPEN:
        # A try that began before it opened; the probe's time stands.
        return BreakerChange(Breaker(BreakerState.OPEN, failures, breaker.probes))
    if failures < settings.opens_after_failures:
        return BreakerChange(Breaker(BreakerState.CLOSED, failures, 0))
    return BreakerChange(Breaker(BreakerState.OPEN, failures, 0), settings.probe_wait_seconds(0))
