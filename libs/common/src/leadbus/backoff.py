"""How long to wait before the next try of a thing that may come back."""

from __future__ import annotations

import random
from collections.abc import Iterator


def waits(first_seconds: float, longest_seconds: float) -> Iterator[float]:
    """Seconds between tries, doubling from the first to the longest, without end.

    Each is shortened by up to a half at random, so that the replicas of a service do not return in step.
    """
    seconds = first_seconds
    while True:
        yield seconds * random.uniform(0.5, 1.0)  # noqa: S311 -- spreads load, hides nothing
        seconds = min(seconds * 2, longest_seconds)
