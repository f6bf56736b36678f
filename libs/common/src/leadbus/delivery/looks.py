"""When to look for due deliveries. Pure: the time is given.

Most deliveries are started as they are planned, and leave nothing behind to look for. So a look is made when
something may be due that nobody named, and by the poll.
"""

from __future__ import annotations

SOON_SECONDS = 0.1


class Looks:
    """Times are seconds of one monotonic clock. The first look is due at once."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._last = float("-inf")
        self._next = float("-inf")

    def at_once(self) -> None:
        """Something is due that was not named, or there is room for what the last look left out."""
        self._next = float("-inf")

    def soon(self) -> None:
        """Something may have become due: at most so often as many such things ask for one look."""
        self._next = min(self._next, self._last + SOON_SECONDS)

    def begin(self, now: float) -> None:
        """A look begins. Whatever asks for one from now on asks for the next."""
        self._last = now
        self._next = now + self._poll_seconds

    def wait_seconds(self, now: float) -> float:
        """How long until the next look is due; 0 when it is."""
        return max(0.0, self._next - now)
