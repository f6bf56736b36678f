"""Hands due deliveries to a sink and records what it says. Any number of replicas share the tables.

Here is the loop. What is tried next is ``claiming``'s, what one try means ``acting``'s, how it ends
``ending``'s to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from uuid import UUID

from leadbus import pulse
from leadbus.clock import Clock, SystemClock
from leadbus.db import Database, is_unavailable
from leadbus.delivery import measures, store
from leadbus.delivery.acting import Act, Acting
from leadbus.delivery.breaker import BreakerSettings
from leadbus.delivery.claiming import Claiming
from leadbus.delivery.ending import Ending
from leadbus.delivery.job import Sink
from leadbus.delivery.recording import Rules
from leadbus.delivery.schedule import Schedule
from leadbus.log import logger

POLL_SECONDS = 1.0
MEASURE_SECONDS = 15.0
PAUSE_SECONDS = 1.0
DRAIN_GRACE_SECONDS = 2.0

_log = logger("delivery")


class DeliveryEngine:
    """``capacity`` tries at once, ``retry_share`` of them kept for retries, the rest for first tries.

    Times nest: a try is cut off at ``act_timeout_seconds``, which is shorter than its lease
    (``lease_seconds``, renewed while acting) and not longer than ``drain_seconds``, the time this process
    gets to finish. Raises ValueError when they do not.

    ``announced`` is called whenever events were committed to the outbox: a relay woken by it spares them
    the wait for its next poll.
    """

    def __init__(
        self,
        database: Database,
        sink: Sink,
        *,
        schedule: Schedule | None = None,
        breaker: BreakerSettings | None = None,
        clock: Clock | None = None,
        capacity: int = 10,
        retry_share: float = 0.3,
        destination_share: float = 0.6,
        act_timeout_seconds: float = 30.0,
        lease_seconds: float = 60.0,
        drain_seconds: float = 40.0,
        poll_seconds: float = POLL_SECONDS,
        luck: Callable[[], float] = random.random,
        announced: Callable[[], None] = lambda: None,
    ) -> None:
        if not 0 < act_timeout_seconds < lease_seconds:
            raise ValueError("the act timeout must be shorter than the lease")
        if act_timeout_seconds > drain_seconds:
            raise ValueError("the act timeout must not be longer than the drain")
        self._database = database
        self._sink = sink
        self._clock = clock or SystemClock()
        rules = Rules(sink.name, schedule or Schedule(), breaker or BreakerSettings())
        self._claiming = Claiming(
            database,
            rules,
            self._clock,
            capacity=capacity,
            retry_share=retry_share,
            destination_share=destination_share,
            lease_seconds=lease_seconds,
        )
        self._acting = Acting(
            database, sink, act_timeout_seconds=act_timeout_seconds, lease_seconds=lease_seconds
        )
        self._ending = Ending(database, rules, self._clock, luck=luck, announced=announced)
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._acts: dict[UUID, Act] = {}
        self._one_record = asyncio.Lock()
        self._one_claim = asyncio.Lock()
        self._woken = asyncio.Event()
        self._draining = False
        self._next: dict[str, float] = {}

    @property
    def in_flight(self) -> int:
        """Tries begun whose end is not recorded yet."""
        return len(self._acts)

    def wake(self) -> None:
        """A hint that something is due (planned, redriven, resumed); without it the next poll finds it."""
        self._woken.set()

    async def run(self) -> None:
        """Work until drained. Cancelling stops claiming; tries already begun are for ``drain`` to end."""
        while not (self._draining and not self._acts):
            pulse.beat()
            self._woken.clear()
            try:
                busy = await self.step()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                _log.warning("delivery.database_away", sink=self._sink.name, error=type(error).__name__)
                await asyncio.sleep(min(PAUSE_SECONDS, self._poll_seconds))
                continue
            if not busy:
                await self._rest()

    async def drain(self, timeout_seconds: float) -> None:
        """Claim no more, let tries begun end, and record them.

        Tries that take longer than ``timeout_seconds`` are cancelled and recorded as ambiguous. What the
        database does not take in time becomes ambiguous when its lease expires.
        """
        until = time.monotonic() + timeout_seconds
        self._draining = True
        self.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds), self._one_claim:
                pass  # a claim that was under way has begun its tries
        tasks = {act.task for act in self._acts.values() if act.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=max(0.0, until - time.monotonic()))
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=DRAIN_GRACE_SECONDS)
        try:
            async with asyncio.timeout(DRAIN_GRACE_SECONDS):
                await self._record_ended()
        except Exception as error:
            if not is_unavailable(error):
                raise
            _log.error("delivery.drained_unrecorded", sink=self._sink.name, number=len(self._acts))

    async def step(self) -> bool:
        """One round: record, renew, sweep, claim. True when something was claimed and more may be due."""
        await self._record_ended()
        if self._due("renew", self._lease_seconds / 3):
            await self._renew()
        await self._claiming.give_back_unsure()
        if self._draining:
            return False
        if self._due("sweep", self._poll_seconds):
            await self._ending.sweep(ours=self._acts.keys())
        if self._due("measure", MEASURE_SECONDS):
            async with self._database.acquire() as conn:
                await measures.gather(conn, self._sink.name, now=self._clock.now())
        async with self._one_claim:
            return not self._draining and await self._claiming.claim(self._begin) > 0

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
        except TimeoutError:
            return

    def _due(self, what: str, every_seconds: float) -> bool:
        now = time.monotonic()
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every_seconds
        return True

    def _begin(self, act: Act) -> None:
        self._acts[act.token] = act
        act.task = asyncio.create_task(self._act(act), name=f"delivery-{act.row.id}")

    async def _act(self, act: Act) -> None:
        await self._acting.act(act)
        self.wake()

    async def _record_ended(self) -> None:
        async with self._one_record:
            ended = [act for act in self._acts.values() if act.outcome is not None]
            if ended:
                await self._ending.record(ended, self._forget)

    def _forget(self, act: Act) -> None:
        del self._acts[act.token]
        act.pool.give_back(act.row.destination)

    async def _renew(self) -> None:
        leases = [act.lease for act in self._acts.values()]
        if not leases:
            return
        async with self._database.acquire() as conn:
            ours = await store.renew(conn, leases, lease_seconds=self._lease_seconds)
        for delivery_id, _ in leases:
            if delivery_id not in ours:
                _log.warning("delivery.lease_lost", sink=self._sink.name, delivery_id=str(delivery_id))
