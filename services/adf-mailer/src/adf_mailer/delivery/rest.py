"""How long a smart host that failed is left alone while others are there. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

SHORTEST_SECONDS = 5.0
LONGEST_SECONDS = 300.0
REFUSED_SECONDS = 60.0
"""Shortest rest of a host that refuses login or TLS: asking again locks accounts."""
REFUSED_LONGEST_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Rest:
    """`failures` in a row; it rests `seconds`, until the clock's `until`. `probing`: a mail finds out."""

    failures: int = 0
    until: float = 0.0
    seconds: float = 0.0
    probing: bool = False

    def over(self, now: float) -> bool:
        return now >= self.until

    def failed(self, now: float, *, for_long: bool = False) -> Rest:
        """Twice as long as last time. Failures of mails that were under way together count as one."""
        if not self.over(now) and not self.probing:
            return self
        shortest, longest = (
            (REFUSED_SECONDS, REFUSED_LONGEST_SECONDS) if for_long else (SHORTEST_SECONDS, LONGEST_SECONDS)
        )
        seconds = min(max(2 * self.seconds, shortest), longest)
        return Rest(self.failures + 1, now + seconds, seconds)

    def probed(self, now: float) -> Rest:
        """One mail goes there to find out; the others leave it alone for as long again."""
        return replace(self, until=now + self.seconds, probing=True) if self.failures else self
