"""The smart hosts: one, or several of which one after another is asked within one try."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from leadbus.delivery import Outcome, Suspended, Transient
from leadbus.log import logger

from adf_mailer.delivery.connection import Envelope, SmartHost
from adf_mailer.delivery.gates import WAIT_SECONDS, Gates, Lane
from adf_mailer.delivery.pool import ConnectionPool
from adf_mailer.delivery.replies import Verdict
from adf_mailer.delivery.rest import SHORTEST_SECONDS, Rest
from adf_mailer.metrics import FAILOVERS, HOST_RESTING, HOST_RESULTS, HOST_SLOWED

_log = logger("delivery")


class HostGates(Gates):
    """Mails to a slow host are never further apart than the shortest rest: all mail goes this way, and one
    that said 421 for an hour must not get a mail a minute afterwards."""

    reason = "host_busy"

    def __init__(self, **gates: Any) -> None:
        super().__init__(longest_interval_seconds=SHORTEST_SECONDS, **gates)

    def _wants_less(self, verdict: Verdict) -> bool:
        return verdict.host_wants_less

    def _tell(self, lane: Lane) -> None:
        HOST_SLOWED.labels(host=lane.key).set(lane.speed.slowed)


class SmartHosts:
    """Asks the first host that does not rest and has room; the next one when it fails before it asked for the
    text.

    A host that failed rests: the next mails go to the others at once, and now and then one of them finds out
    whether it is back. Resting hosts are asked as well when all others failed, or the only one would never be
    probed; not where another one is just busy. Each takes `size` mails at once, and `mails_per_minute`.
    `pool` is what each host's `ConnectionPool` takes besides.
    """

    def __init__(
        self,
        hosts: Sequence[SmartHost],
        *,
        size: int,
        mails_per_minute: int | None = None,
        now: Callable[[], float] = time.monotonic,
        **pool: Any,
    ) -> None:
        self._pools = [ConnectionPool(host, size=size, **pool) for host in hosts]
        self._names = [host.name for host in hosts]
        self._rests = [Rest() for _ in hosts]
        self._gates = HostGates(
            most=size,
            per_minute=mails_per_minute,
            # It is part of the time before the dot, and leaves most of that to the host.
            wait_seconds=min(WAIT_SECONDS, hosts[0].before_dot_timeout_seconds / 4),
            now=now,
        )
        self._now = now

    @property
    def name(self) -> str:
        """The destination's name, whichever host takes the mail: that of the first one."""
        return self._names[0]

    async def send(self, envelope: Envelope, before_data: Callable[[], Awaitable[None]]) -> Verdict:
        """One mail to one of the hosts, all of it before the final dot within one host's time for that.

        Raises Busy, with nothing sent, when none that is well has room.
        """
        loop = asyncio.get_running_loop()
        dot_until = loop.time() + self._pools[0].host.before_dot_timeout_seconds
        failed: dict[int, Verdict] = {}
        while (index := self._next(failed)) is not None:
            async with self._gates.passing(self._names[index]) as mail:
                left = dot_until - loop.time()
                if failed and left <= 0:
                    break
                self._find_out(index)
                verdict = mail.verdict = await self._pools[index].send(
                    envelope,
                    before_data,
                    dot_until=dot_until,
                    open_until=loop.time() + left / (len(self._pools) - len(failed)),
                )
            self._note(index, verdict)
            if not verdict.may_go_elsewhere:
                if failed:
                    FAILOVERS.inc()
                return verdict
            failed[index] = verdict
        return worst(list(failed.values()), asked_all=len(failed) == len(self._pools))

    async def close(self) -> None:
        for pool in self._pools:
            await pool.close()

    def _next(self, failed: Collection[int]) -> int | None:
        """Hosts as they are set, those that rest behind the others, the one that rests shortest first.

        Where none has room, the one that has some soonest; None where that one rests and others failed.
        """
        now = self._now()
        left = [index for index in range(len(self._pools)) if index not in failed]
        awake = [index for index in left if self._rests[index].over(now)]
        hosts = awake or sorted(left, key=lambda index: self._rests[index].until)
        for index in hosts:
            if self._gates.has_room(self._names[index]):
                return index
        if awake or not failed:
            return min(hosts, key=lambda index: self._gates.turn_in_seconds(self._names[index]))
        return None

    def _find_out(self, index: int) -> None:
        """Others need not wait with this mail for a host that may still be away."""
        now, rest = self._now(), self._rests[index]
        if rest.over(now):
            self._rests[index] = rest.probed(now)

    def _note(self, index: int, verdict: Verdict) -> None:
        host, before, now = self._names[index], self._rests[index], self._now()
        if verdict.host_failed:
            after = before.failed(now, for_long=isinstance(verdict.outcome, Suspended))
        else:
            after = Rest()
        self._rests[index] = after
        HOST_RESULTS.labels(host=host, result=_result(verdict)).inc()
        HOST_RESTING.labels(host=host).set(after.failures > 0)
        if len(self._pools) > 1 and bool(before.failures) != bool(after.failures):
            _log.warning("smtp.host_failed" if after.failures else "smtp.host_back", host=host)


def worst(failed: Sequence[Verdict], *, asked_all: bool) -> Verdict:
    """What it means for a mail that these hosts failed, one after the other.

    A person is needed only if every host there is refuses us; otherwise waiting may help.
    """
    for verdict in failed:
        if isinstance(verdict.outcome, Transient):
            return verdict
    first = failed[0]
    assert isinstance(first.outcome, Suspended)
    if asked_all:
        return first
    outcome: Outcome = Transient(first.outcome.reason, answer=first.outcome.answer, destination_down=True)
    return Verdict(outcome, first.step)


def _result(verdict: Verdict) -> str:
    match verdict.outcome:
        case Suspended():
            return "refused_us"
        case outcome if verdict.host_failed:
            return "failed" if isinstance(outcome, Transient) else "in_doubt"
        case Transient():
            return "deferred"
    return "answered"
