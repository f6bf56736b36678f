"""Gates in front of what takes our mails: so many at once, so many a minute, and fewer when asked for less.

They are this process's own; what all replicas send to the destination together is limited by the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import ClassVar

from leadbus.delivery import Delivered

from adf_mailer.delivery.replies import Verdict
from adf_mailer.delivery.speed import LONGEST_INTERVAL_SECONDS, Speed

WAIT_SECONDS = 1.0
"""For so long a mail may wait at a gate inside its try, where it takes a slot that others could use."""
SHORTEST_HOLD_SECONDS = 1.0
LONGEST_HOLD_SECONDS = 15.0
"""Room may come sooner than foreseen, and a lead is worth less by the minute."""
_NEWEST_PART = 0.2


class Busy(Exception):  # noqa: N818 -- it names a condition
    """No room, and none soon; there may be some in `after_seconds`. `reason` is an outcome's."""

    def __init__(self, reason: str, after_seconds: float) -> None:
        super().__init__(f"{reason}: no room for {after_seconds:.1f} s")
        self.reason = reason
        self.after_seconds = after_seconds


@dataclass(slots=True, eq=False)
class Mail:
    """One mail on its way; `verdict` is what its gate learns from."""

    began: float
    next_start: float
    """Of its lane, as this mail left it."""
    verdict: Verdict | None = None


@dataclass(slots=True, eq=False)
class Lane:
    """What is known behind one gate. `seconds_each` is how long its mails take; times are the clock's."""

    key: str
    speed: Speed
    under_way: list[Mail] = field(default_factory=list)
    waiting: int = 0
    seconds_each: float = 0.0
    next_start: float = 0.0
    next_place: float = 0.0
    used_at: float = 0.0

    def seconds_to_room(self, now: float) -> float:
        """How long it takes until one of those under way ends: by those that ended, and by the oldest one,
        because what hangs for long will hang for as long again."""
        oldest = max((now - mail.began for mail in self.under_way), default=0.0)
        return max(self.seconds_each, oldest) / self.speed.at_once


class Gates(ABC):
    """One gate for each key: `most` mails at once through it, `per_minute` started, and when asked for less
    half as many, at most `longest_interval_seconds` apart."""

    reason: ClassVar[str]
    """What a mail is told that finds no room."""

    def __init__(
        self,
        *,
        most: int,
        per_minute: int | None = None,
        longest_interval_seconds: float = LONGEST_INTERVAL_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._full = Speed.full(most, longest_interval_seconds=longest_interval_seconds)
        self._least_interval = 60 / per_minute if per_minute else 0.0
        self._wait_seconds = wait_seconds
        self._now = now
        self._lanes: dict[str, Lane] = {}
        self._under_way = 0
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def passing(self, key: str) -> AsyncIterator[Mail]:
        """Room for one mail, its `verdict` to be set inside. Raises Busy when there is none for now."""
        lane = self._lane(key)
        if not self._has_room(lane):
            await self._wait(lane)
        mail = self._start(lane)
        try:
            yield mail
        except Busy:
            # At a gate behind this one: nothing began here that the next mail would have to keep away from.
            if lane.next_start == mail.next_start:
                lane.next_start = mail.began
            raise
        finally:
            self._end(lane, mail)

    def has_room(self, key: str) -> bool:
        return self._has_room(self._lane(key))

    def turn_in_seconds(self, key: str) -> float:
        """When one more mail may expect room; those that wait are before it."""
        lane = self._lane(key)
        return self._turn_in_seconds(lane, self._now(), before=lane.waiting)

    @abstractmethod
    def _wants_less(self, verdict: Verdict) -> bool:
        """Whether this answer asks to slow down what is behind the gate."""

    @abstractmethod
    def _tell(self, lane: Lane) -> None:
        """The lane was slowed down, or is up to speed again."""

    async def _wait(self, lane: Lane) -> None:
        until = self._now() + self._wait_seconds
        lane.waiting += 1
        try:
            while not self._has_room(lane):
                now = self._now()
                if now + self._turn_in_seconds(lane, now, before=lane.waiting - 1) >= until:
                    raise Busy(self.reason, self._place(lane, now))
                wakes_at = min(until, lane.next_start) if lane.next_start > now else until
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wakes_at - now):
                        await self._changed.wait()
        finally:
            lane.waiting -= 1

    def _has_room(self, lane: Lane) -> bool:
        return len(lane.under_way) < lane.speed.at_once and self._now() >= lane.next_start

    def _turn_in_seconds(self, lane: Lane, now: float, *, before: int) -> float:
        paced = lane.next_start - now + before * self._interval(lane)
        return max(0.0, paced, (before + 1) * lane.seconds_to_room(now))

    def _place(self, lane: Lane, now: float) -> float:
        """How long to be held: until a place in the line of all that are, so that they come back in turn."""
        to_room = lane.seconds_to_room(now)
        place = max(now + to_room, lane.next_place, lane.next_start)
        lane.next_place = min(place + max(self._interval(lane), to_room), now + LONGEST_HOLD_SECONDS)
        return min(max(place - now, SHORTEST_HOLD_SECONDS), LONGEST_HOLD_SECONDS)

    def _interval(self, lane: Lane) -> float:
        return max(lane.speed.interval_seconds, self._least_interval)

    def _start(self, lane: Lane) -> Mail:
        now = self._now()
        lane.next_start = now + self._interval(lane)
        mail = Mail(now, lane.next_start)
        lane.under_way.append(mail)
        self._under_way += 1
        return mail

    def _end(self, lane: Lane, mail: Mail) -> None:
        lane.under_way.remove(mail)
        self._under_way -= 1
        if mail.verdict is not None:
            self._learn(lane, mail, mail.verdict)
        self._changed.set()
        self._changed = asyncio.Event()

    def _learn(self, lane: Lane, mail: Mail, verdict: Verdict) -> None:
        now = self._now()
        lane.seconds_each += _NEWEST_PART * (now - mail.began - lane.seconds_each)
        lane.used_at = now
        before = lane.speed
        if self._wants_less(verdict):
            lane.speed = before.refused(began=mail.began, now=now)
            lane.next_start = max(lane.next_start, now + self._interval(lane))
        elif isinstance(verdict.outcome, Delivered):
            lane.speed = before.taken()
        if lane.speed.slowed != before.slowed:
            self._tell(lane)

    def _lane(self, key: str) -> Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, self._full)
        return lane
