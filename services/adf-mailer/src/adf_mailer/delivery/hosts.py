"""The smart hosts: one, or several of which one after another is asked within one try."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from leadbus.delivery import Outcome, Suspended, Transient
from leadbus.log import logger

from adf_mailer.delivery.connection import Envelope, SmartHost
from adf_mailer.delivery.pool import ConnectionPool
from adf_mailer.delivery.replies import Verdict
from adf_mailer.delivery.rest import Rest
from adf_mailer.metrics import FAILOVERS, HOST_RESTING, HOST_RESULTS

_log = logger("delivery")


class SmartHosts:
    """Asks the first host that does not rest; the next one when it fails before it asked for the text.

    A host that failed rests: the next mails go to the others at once, and now and then one of them finds out
    whether it is back. Resting hosts are asked as well when all others failed, or the only one would never be
    probed. `pool` is what each host's `ConnectionPool` takes.
    """

    def __init__(
        self, hosts: Sequence[SmartHost], *, now: Callable[[], float] = time.monotonic, **pool: Any
    ) -> None:
        self._pools = [ConnectionPool(host, **pool) for host in hosts]
        self._rests = [Rest() for _ in hosts]
        self._now = now

    @property
    def name(self) -> str:
        """The destination's name, whichever host takes the mail: that of the first one."""
        return self._pools[0].host.name

    async def send(self, envelope: Envelope, before_data: Callable[[], Awaitable[None]]) -> Verdict:
        """One mail to one of the hosts, all of it before the final dot within one host's time for that."""
        loop = asyncio.get_running_loop()
        dot_until = loop.time() + self._pools[0].host.before_dot_timeout_seconds
        failed: list[Verdict] = []
        order = self._order()
        for place, index in enumerate(order):
            left = dot_until - loop.time()
            if failed and left <= 0:
                break
            verdict = await self._pools[index].send(
                envelope,
                before_data,
                dot_until=dot_until,
                open_until=loop.time() + left / (len(order) - place),
            )
            self._note(index, verdict)
            if not verdict.may_go_elsewhere:
                if failed:
                    FAILOVERS.inc()
                return verdict
            failed.append(verdict)
        return worst(failed, asked_all=len(failed) == len(self._pools))

    async def close(self) -> None:
        for pool in self._pools:
            await pool.close()

    def _order(self) -> list[int]:
        """Hosts as they are set, those that rest behind the others, the one that rests shortest first."""
        now = self._now()
        awake = [index for index, rest in enumerate(self._rests) if rest.over(now)]
        resting = [index for index, rest in enumerate(self._rests) if not rest.over(now)]
        if awake:
            # Others need not wait with this one for a host that may still be away.
            self._rests[awake[0]] = self._rests[awake[0]].probed(now)
        return [*awake, *sorted(resting, key=lambda index: self._rests[index].until)]

    def _note(self, index: int, verdict: Verdict) -> None:
        host, before, now = self._pools[index].host.name, self._rests[index], self._now()
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
