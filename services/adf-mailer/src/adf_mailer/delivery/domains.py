"""Gates in front of the connections, one for each recipient domain: a slow one hurts nobody else.

They are this process's own; what all replicas send to the smart host together is limited by the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from leadbus.delivery import Delivered

from adf_mailer.delivery.replies import Verdict
from adf_mailer.delivery.speed import Speed
from adf_mailer.metrics import SLOWED_DOMAINS

DOMAIN_WAIT_SECONDS = 1.0
"""For so long a mail may wait inside its try, where it takes a slot that others could use."""
SHORTEST_HOLD_SECONDS = 1.0
LONGEST_HOLD_SECONDS = 15.0
"""Room may come sooner than foreseen, and a lead is worth less by the minute."""
KEPT_SECONDS = 3600.0
"""How long a domain that nothing is sent to is remembered as slow."""
_MANY = 1000
_NEWEST_PART = 0.2


class DomainBusy(Exception):  # noqa: N818 -- it names a condition
    """The domain has no room, and will not have any soon; it may have in `after_seconds`."""

    def __init__(self, after_seconds: float) -> None:
        super().__init__(f"no room for {after_seconds:.1f} s")
        self.after_seconds = after_seconds


@dataclass(slots=True, eq=False)
class Mail:
    """One mail on its way; `verdict` is what its gate learns from."""

    began: float
    verdict: Verdict | None = None


@dataclass(slots=True, eq=False)
class _Lane:
    """What is known of one domain. `seconds_each` is how long its mails take; times are the clock's."""

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


class DomainGates:
    """`capacity` mails at once over all domains, `most` of them to one, and to one `per_minute` started.

    A domain gets one more while what it has is small beside what is free, so that a newcomer finds room
    (the rule of `leadbus.delivery.capacity`).
    """

    def __init__(
        self,
        *,
        capacity: int,
        most: int,
        per_minute: int | None = None,
        wait_seconds: float = DOMAIN_WAIT_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = capacity
        self._most = min(most, capacity)
        self._least_interval = 60 / per_minute if per_minute else 0.0
        self._wait_seconds = wait_seconds
        self._now = now
        self._lanes: dict[str, _Lane] = {}
        self._slowed: set[_Lane] = set()
        self._under_way = 0
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def passing(self, domain: str) -> AsyncIterator[Mail]:
        """Room for one mail, its `verdict` to be set inside. Raises DomainBusy when there is none for now."""
        lane = self._lane(domain)
        await self._wait(lane)
        mail = self._start(lane)
        try:
            yield mail
        finally:
            self._end(lane, mail)

    async def _wait(self, lane: _Lane) -> None:
        until = self._now() + self._wait_seconds
        lane.waiting += 1
        try:
            while not self._has_room(lane):
                now = self._now()
                if now + self._turn_in_seconds(lane, now) >= until:
                    raise DomainBusy(self._place(lane, now))
                wakes_at = min(until, lane.next_start) if lane.next_start > now else until
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wakes_at - now):
                        await self._changed.wait()
        finally:
            lane.waiting -= 1

    def _has_room(self, lane: _Lane) -> bool:
        used, free, share = len(lane.under_way), self._capacity - self._under_way, self._most / self._capacity
        return (
            used < lane.speed.at_once and used * (1 - share) < share * free and self._now() >= lane.next_start
        )

    def _turn_in_seconds(self, lane: _Lane, now: float) -> float:
        """When the one that asks may expect room; any others that wait are taken to be before it."""
        paced = lane.next_start - now + (lane.waiting - 1) * self._interval(lane)
        return max(0.0, paced, lane.waiting * lane.seconds_to_room(now))

    def _place(self, lane: _Lane, now: float) -> float:
        """How long to be held: until a place in the line of all that are, so that they come back in turn."""
        to_room = lane.seconds_to_room(now)
        place = max(now + to_room, lane.next_place, lane.next_start)
        lane.next_place = min(place + max(self._interval(lane), to_room), now + LONGEST_HOLD_SECONDS)
        return min(max(place - now, SHORTEST_HOLD_SECONDS), LONGEST_HOLD_SECONDS)

    def _interval(self, lane: _Lane) -> float:
        return max(lane.speed.interval_seconds, self._least_interval)

    def _start(self, lane: _Lane) -> Mail:
        mail = Mail(self._now())
        lane.next_start = mail.began + self._interval(lane)
        lane.under_way.append(mail)
        self._under_way += 1
        return mail

    def _end(self, lane: _Lane, mail: Mail) -> None:
        now = self._now()
        lane.under_way.remove(mail)
        self._under_way -= 1
        lane.seconds_each += _NEWEST_PART * (now - mail.began - lane.seconds_each)
        lane.used_at = now
        verdict = mail.verdict
        if verdict is not None and verdict.asks_to_slow_down:
            lane.speed = lane.speed.refused(began=mail.began, now=now)
            lane.next_start = max(lane.next_start, now + self._interval(lane))
        elif verdict is not None and isinstance(verdict.outcome, Delivered):
            lane.speed = lane.speed.taken()
        self._changed.set()
        self._changed = asyncio.Event()
        self._count(lane)

    def _count(self, lane: _Lane) -> None:
        (self._slowed.add if lane.speed.slowed else self._slowed.discard)(lane)
        SLOWED_DOMAINS.set(len(self._slowed))

    def _lane(self, domain: str) -> _Lane:
        if len(self._lanes) >= _MANY and domain not in self._lanes:
            self._forget_idle()
        return self._lanes.setdefault(domain, _Lane(Speed.full(self._most)))

    def _forget_idle(self) -> None:
        """Those at full speed at once, those that were slow after a while."""
        old = self._now() - KEPT_SECONDS
        self._lanes = {
            name: lane
            for name, lane in self._lanes.items()
            if lane.under_way or lane.waiting or (lane.speed.slowed and lane.used_at > old)
        }
        self._slowed.intersection_update(self._lanes.values())
