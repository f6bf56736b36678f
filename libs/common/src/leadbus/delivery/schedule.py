"""When a failed try is tried again, and when it is given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

_MINUTE = 60.0
_HOUR = 3600.0


class Pace(BaseModel):
    """Waits for one kind of answer. After its steps the schedule's constant pace goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    steps_seconds: tuple[float, ...]
    """Waits before the first retries, in seconds."""
    never_early: bool = False
    """Jitter only lengthens: to come sooner than so long would be in vain."""


class Schedule(BaseModel):
    """Steps, then a constant pace until the waits add up to the give-up time.

    The give-up time counts nominal waits, not the wall clock: a destination that was down or paused does not
    use up its deliveries' tries. Failures of several paces count as if all had been of the last one's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    steps_seconds: tuple[float, ...] = (10, 30, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR)
    """Waits before the first retries, in seconds."""
    then_every_seconds: float = Field(default=2 * _HOUR, gt=0)
    """Wait before every later retry, in seconds."""
    give_up_after_seconds: float = Field(default=72 * _HOUR, ge=0)
    """No retry is scheduled once the waits would add up to more than this."""
    jitter_ratio: float = Field(default=0.2, ge=0, lt=1)
    """Waits vary by up to this part of themselves, so that many failures do not come back at once."""
    longest_after_seconds: float = Field(default=24 * _HOUR, gt=0)
    """A destination's own Retry-After is honoured up to this."""
    paces: Mapping[str, Pace] = Field(default_factory=dict)
    """Other steps for tries whose outcome names one."""

    def wait_seconds(
        self, failures: int, *, luck: float, after_seconds: float | None = None, pace: str | None = None
    ) -> float | None:
        """The wait after the ``failures``-th counted failure (from 1); None to give up.

        ``luck`` in [0, 1) picks the point of the jitter's range. ``after_seconds`` (Retry-After) only
        lengthens. A ``pace`` that is not known is the default one.
        """
        found = self.paces.get(pace or "") or Pace(steps_seconds=self.steps_seconds)
        if self._nominal_until(failures, found.steps_seconds) > self.give_up_after_seconds:
            return None
        jitter = self._later(luck) if found.never_early else self._around(luck)
        wait = self._step(failures, found.steps_seconds) * jitter
        return max(wait, self.honoured_seconds(after_seconds))

    def honoured_seconds(self, after_seconds: float | None) -> float:
        """The part of a destination's Retry-After that is honoured; 0 without one."""
        return min(max(after_seconds or 0.0, 0.0), self.longest_after_seconds)

    def down_seconds(self, downs: int, *, luck: float) -> float:
        """The wait of a delivery that found its destination down for the ``downs``-th time in a row (from 1).

        The default steps; the last one repeats, and nothing is given up.
        """
        last = max(1, len(self.steps_seconds))
        return self._step(min(downs, last), self.steps_seconds) * self._around(luck)

    def held_seconds(self, after_seconds: float, *, luck: float) -> float:
        """The wait of a delivery whose turn it was not: at least so long, a little longer by luck."""
        return self.honoured_seconds(after_seconds) * self._later(luck)

    def _around(self, luck: float) -> float:
        return 1 + self.jitter_ratio * (2 * luck - 1)

    def _later(self, luck: float) -> float:
        return 1 + self.jitter_ratio * luck

    def _step(self, failures: int, steps: Sequence[float]) -> float:
        return steps[failures - 1] if failures <= len(steps) else self.then_every_seconds

    def _nominal_until(self, failures: int, steps: Sequence[float]) -> float:
        return sum(steps[:failures]) + self.then_every_seconds * max(0, failures - len(steps))
