"""How much a destination may be asked to take: at once, and per minute. Pure; the claims honour it.

The pace is a bucket kept as one moment, when the next try may start (GCRA). What it may save up while little
is due, so that an engine that looks once a second misses nothing, is taken off the pace at which it refills:
so no 60 seconds ever see more than ``per_minute``, and a backlog gets nine tenths of that or more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

_SAVED_PART = 10
_WINDOW = timedelta(seconds=60)


class Wanting(Protocol):
    @property
    def destination(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def not_before(self) -> datetime: ...


W = TypeVar("W", bound=Wanting)


@dataclass(frozen=True, slots=True)
class Limits:
    """Tries ``max_in_flight`` at once and ``per_minute`` started, over all replicas; None: no limit.

    ``next_start_at`` is the bucket: from then on a try may start; None while it is full.
    """

    max_in_flight: int | None = None
    per_minute: int | None = None
    next_start_at: datetime | None = None

    def room(self, *, in_flight: int, now: datetime) -> int | None:
        """How many tries may start now; None for any number."""
        rooms = []
        if self.max_in_flight is not None:
            rooms.append(max(0, self.max_in_flight - in_flight))
        if self.per_minute is not None:
            earliest, pace = self._earliest(now), self._pace
            rooms.append((now - earliest) // pace + 1 if now >= earliest else 0)
        return min(rooms, default=None)

    def after(self, started: int, *, now: datetime) -> Limits:
        """The bucket once so many tries have started."""
        if self.per_minute is None or not started:
            return self
        return replace(self, next_start_at=self._earliest(now) + started * self._pace)

    @property
    def _saved(self) -> int:
        """How many tries may start at once beside the one whose time has come."""
        assert self.per_minute is not None
        return self.per_minute // _SAVED_PART

    @property
    def _pace(self) -> timedelta:
        assert self.per_minute is not None
        refills = self.per_minute - self._saved
        # Rounded up, to whole microseconds.
        return -(-_WINDOW // timedelta(microseconds=refills)) * timedelta(microseconds=1)

    def _earliest(self, now: datetime) -> datetime:
        full = now - self._saved * self._pace
        return full if self.next_start_at is None else max(full, self.next_start_at)


def within(wanting: Iterable[W], rooms: Mapping[str, int | None]) -> list[W]:
    """Those that may go: of each destination in ``rooms`` so many, the most urgent and longest due first."""
    left: Counter[str] = Counter()
    for name, room in rooms.items():
        if room is not None:
            left[name] = room
    allowed = []
    for one in sorted(wanting, key=lambda one: (-one.priority, one.not_before)):
        if rooms.get(one.destination) is not None:
            if left[one.destination] <= 0:
                continue
            left[one.destination] -= 1
        allowed.append(one)
    return allowed
