"""How fast a recipient domain or smart host is sent to. Pure; time comes in as seconds of a monotonic clock.

Halved when it asks for less, raised bit by bit as it takes mails: additive increase, multiplicative
decrease, as TCP avoids congestion (RFC 5681, 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LEAST_INTERVAL_SECONDS = 1.0
LONGEST_INTERVAL_SECONDS = 60.0
EASED_SECONDS = 1.0
"""What each mail that is taken takes off the interval."""


@dataclass(frozen=True, slots=True)
class Speed:
    """At most `limit` of `most` mails at once (its whole part), `interval_seconds` from start to start."""

    most: int
    limit: float
    interval_seconds: float = 0.0
    slowed_at: float | None = None
    longest_interval_seconds: float = LONGEST_INTERVAL_SECONDS

    @classmethod
    def full(cls, most: int, *, longest_interval_seconds: float = LONGEST_INTERVAL_SECONDS) -> Speed:
        return cls(most, float(most), longest_interval_seconds=longest_interval_seconds)

    @property
    def at_once(self) -> int:
        return int(self.limit)

    @property
    def slowed(self) -> bool:
        return self.limit < self.most or self.interval_seconds > 0

    def refused(self, *, began: float, now: float) -> Speed:
        """It was asked to slow down by the answer to a mail that `began` then.

        Mails that were under way when it last slowed down say nothing new.
        """
        if self.slowed_at is not None and began < self.slowed_at:
            return self
        longer = max(2 * self.interval_seconds, LEAST_INTERVAL_SECONDS)
        return replace(
            self,
            limit=max(1.0, self.limit / 2),
            interval_seconds=min(longer, self.longest_interval_seconds),
            slowed_at=now,
        )

    def taken(self) -> Speed:
        """One more at once for as many mails as go at once now, and a shorter interval."""
        if not self.slowed:
            return self
        return replace(
            self,
            limit=min(float(self.most), self.limit + 1 / self.limit),
            interval_seconds=max(0.0, self.interval_seconds - EASED_SECONDS),
        )
