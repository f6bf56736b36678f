"""How many messages a consumer asks for, learned from the sizes of their bodies."""

from __future__ import annotations

from leadbus.messages import DOORS_BODY_BYTES


class Window:
    """What was learned outlives a generation, each of which begins with `begin`.

    At most `prefetch`, and as many as `held_bytes` hold if the next are like those before. Unknown ones are
    taken to be as large as the door lets in. Once that was wrong, the window only doubles: whoever is in it
    when the bound is met is delivered once more, and a queue parks what was delivered too often.
    """

    def __init__(self, prefetch: int, held_bytes: int) -> None:
        self.held_bytes = held_bytes
        self._prefetch = prefetch
        self._usual = min(prefetch, max(1, held_bytes // DOORS_BODY_BYTES))
        self._first = self._usual
        self.asked_for = self._first
        self._met = 0
        self._largest_bytes = 1
        self._wary = False

    def begin(self) -> int:
        """How many to ask for at first."""
        self.asked_for = self._first
        self._met, self._largest_bytes = 0, 1
        return self.asked_for

    def met(self, body_bytes: int) -> int:
        """How many more to ask for, now that one of this size was delivered; mostly 0."""
        if self.asked_for == self._prefetch:
            return 0
        self._met += 1
        self._largest_bytes = max(self._largest_bytes, body_bytes)
        if self._met < self.asked_for:
            return 0
        return self._widened()

    def overflowed(self) -> None:
        """More came than is held."""
        self._wary = True
        if self.asked_for == self._first:
            self._first = max(1, self._first // 2)

    def _widened(self) -> int:
        likely = min(self._prefetch, self.held_bytes // self._largest_bytes)
        self._met, self._largest_bytes = 0, 1
        if self._wary:
            likely = min(likely, 2 * self.asked_for)
        # Each time costs a consumer more, so not for a few.
        if likely < min(self._prefetch, 2 * self.asked_for):
            return 0
        more, self.asked_for = likely - self.asked_for, likely
        if self.asked_for > self._usual:
            self._first = self._usual
        return more
