"""When a failed try is tried again, and when it is given up."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

_MINUTE = 60.0
_HOUR = 3600.0


class Schedule(BaseModel):
    """Steps, then a constant pace until the waits add up to the give-up time.

    The give-up time counts nominal waits, not the wall clock: a destination that was down or paused does not
    use up its deliveries' tries.
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

    def wait_seconds(self, failures: int, *, luck: float, after_seconds: float | None = None) -> float | None:
        """The wait after the ``failures``-th counted failure (from 1); None to give up.

        ``luck`` in [0, 1) picks the point of the jitter's range. ``after_seconds`` (Retry-After) only
        lengthens.
        """
        if self._nominal_until(failures) > self.give_up_after_seconds:
            return None
        wait = self._step(failures) * (1 + self.jitter_ratio * (2 * luck - 1))
        return max(wait, self.honoured_seconds(after_seconds))

    def honoured_seconds(self, after_seconds: float | None) -> float:
        """The part of a destination's Retry-After that is honoured; 0 without one."""
        return min(max(after_seconds or 0.0, 0.0), self.longest_after_seconds)

    def hold_seconds(self, *, luck: float) -> float:
        """The wait of a delivery whose destination is down; no try of it is burnt."""
        return self._step(1) * (1 + self.jitter_ratio * (2 * luck - 1))

    def _step(self, failures: int) -> float:
        if failures <= len(self.steps_seconds):
            return self.steps_seconds[failures - 1]
        return self.then_every_seconds

    def _nominal_until(self, failures: int) -> float:
        stepped = sum(self.steps_seconds[:failures])
        return stepped + self.then_every_seconds * max(0, failures - len(self.steps_seconds))
