"""Hands due deliveries to a sink and records what it says. Any number of replicas share the tables.

Here is the loop. What is tried next is ``claiming``'s, what one try means ``acting``'s, how it ends
``ending``'s to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from uuid import UUID

from leadbus import checkpoint, outbox, pulse
from leadbus.clock import Clock, SystemClock
from leadbus.db import Database, is_unavailable
from leadbus.delivery import claims, measures
from leadbus.delivery.acting import Act, Acting
from leadbus.delivery.breaker import BreakerSettings
from leadbus.delivery.claiming import Claiming, Offer
from leadbus.delivery.ending import Ending, Followers
from leadbus.delivery.job import Sink
from leadbus.delivery.looks import Looks
from leadbus.delivery.operations import Planning
from leadbus.delivery.outcomes import Ambiguous
from leadbus.delivery.recording import Rules
from leadbus.delivery.schedule import Schedule
from leadbus.delivery.starting import Starting
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

    Events go to ``outgoing``; without it they wait for a relay's next poll.
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
        overdue_after_seconds: float = measures.OVERDUE_AFTER_SECONDS,
        luck: Callable[[], float] = random.random,
        outgoing: outbox.Outgoing | None = None,
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
        self._ending = Ending(
            database, rules, self._clock, luck=luck, outgoing=outgoing or outbox.LeftToClaims()
        )
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._overdue_after_seconds = overdue_after_seconds
        self._acts: dict[UUID, Act] = {}
        self._context = contextvars.copy_context()
        self._one_record = asyncio.Lock()
        self._one_claim = asyncio.Lock()
        self._looks = Looks(poll_seconds)
        self._offers: list[Offer] = []
        self._woken = asyncio.Event()
        self._draining = False
        self._next: dict[str, float] = {}

    @property
    def in_flight(self) -> int:
        """Tries begun whose end is not recorded yet."""
        return len(self._acts)

    def wake(self) -> None:
        """A hint that something is due (redriven, resumed); without it the next poll finds it."""
        self._looks.at_once()
        self._woken.set()

    def offer(self, offers: Sequence[Offer]) -> None:
        """A hint that these were planned and are committed: started without being looked for if that is fair.

        Without it, or when it dies with this process, the next poll of any replica finds them.
        """
        if offers:
            self._offers += offers
            self._woken.set()

    @contextlib.asynccontextmanager
    async def starting(self, planning: Planning) -> AsyncIterator[Starting]:
        """For a statement that plans these and commits itself: it starts what there is room for now.

        Whoever plans has the parts of what this yields executed, calls its ``committed`` at once and offers
        what was not ``started``.
        """
        if self._one_claim.locked():
            yield Starting(planning, lease_seconds=self._lease_seconds)
            return
        async with self._one_claim:
            if self._draining or self._offers:
                yield Starting(planning, lease_seconds=self._lease_seconds)
                return
            with self._claiming.planned(planning, self._begin) as starting:
                yield starting

    async def run(self) -> None:
        """Work until drained. Cancelling stops claiming; tries already begun are for ``drain`` to end."""
        self._context = contextvars.copy_context()
        while not (self._draining and not self._acts):
            pulse.beat()
            self._woken.clear()
            try:
                await self._round(look=not self._looks.wait_seconds(time.monotonic()))
            except Exception as error:
                if not is_unavailable(error):
                    raise
                _log.warning("delivery.database_away", sink=self._sink.name, error=type(error).__name__)
                await asyncio.sleep(min(PAUSE_SECONDS, self._poll_seconds))
                continue
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
                await self._claiming.unsure.give_back()
        except Exception as error:
            if not is_unavailable(error):
                raise
            _log.error("delivery.drained_unrecorded", sink=self._sink.name, number=len(self._acts))

    async def step(self) -> bool:
        """One round with a look; True when something was claimed and more may be due."""
        return await self._round(look=True)

    async def _round(self, *, look: bool) -> bool:
        """Record, start what was offered, renew, sweep, look."""
        await self._record_ended()
        await self._start_offered()
        if self._due("renew", self._lease_seconds / 3):
            await self._renew()
        if await self._claiming.unsure.give_back():
            self._looks.at_once()
        if self._draining:
            return False
        if self._due("sweep", self._poll_seconds):
            await self._ending.sweep(ours=self._acts.keys())
        if self._due("measure", MEASURE_SECONDS):
            async with self._database.acquire() as conn:
                await measures.gather(
                    conn,
                    self._sink.name,
                    now=self._clock.now(),
                    overdue_after_seconds=self._overdue_after_seconds,
                )
        if look or not self._looks.wait_seconds(time.monotonic()):
            return await self._look()
        return False

    async def _start_offered(self) -> None:
        if not self._offers:
            return
        async with self._one_claim:
            offers, self._offers = self._offers, []
            if self._draining or not offers:
                return
            checkpoint.passed("delivery.offered")
            with self._looking_again():
                if not await self._claiming.start_offered(offers, self._begin):
                    self._looks.at_once()

    async def _look(self) -> bool:
        async with self._one_claim:
            if self._draining:
                return False
            with self._looking_again():
                self._looks.begin(time.monotonic())
                again = await self._claiming.look(self._begin)
            if again:
                self._looks.at_once()
            return again

    @contextlib.contextmanager
    def _looking_again(self) -> Iterator[None]:
        """What could not be done now is due still."""
        try:
            yield
        except BaseException:
            self._looks.at_once()
            raise

    async def _rest(self) -> None:
        wait_seconds = self._poll_seconds
        if not self._draining:
            wait_seconds = min(wait_seconds, self._looks.wait_seconds(time.monotonic()))
        if not wait_seconds:
            return
        # Not wait_for: up to Python 3.11 it makes a task each time.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                await self._woken.wait()

    def _due(self, what: str, every_seconds: float) -> bool:
        now = time.monotonic()
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every_seconds
        return True

    def _begin(self, act: Act) -> None:
        self._acts[act.token] = act
        # Not in the context of whoever planned it: what is bound there is about something else.
        context = self._context.copy()
        act.task = asyncio.create_task(self._act(act), name=f"delivery-{act.row.id}", context=context)

    async def _act(self, act: Act) -> None:
        try:
            await self._acting.act(act)
        except Exception as error:  # noqa: BLE001 -- a defect of ours; its slot and its lease must not stay for ever
            _log.error("delivery.act_failed", delivery_id=str(act.row.id), exc_info=error)
        finally:
            # Nobody knows how far it came.
            act.outcome = act.outcome or Ambiguous("sink_error")
            self._woken.set()

    async def _record_ended(self) -> None:
        async with self._one_record:
            ended = [act for act in self._acts.values() if act.outcome is not None]
            if ended:
                self._note(await self._ending.record(ended, self._forget))

    def _forget(self, act: Act) -> None:
        del self._acts[act.token]
        act.pool.give_back(act.row.destination)
        if act.pool.behind:
            self._looks.at_once()

    def _note(self, followers: Followers) -> None:
        if followers is Followers.SOME:
            self._looks.at_once()
        elif followers is Followers.PERHAPS:
            self._looks.soon()

    async def _renew(self) -> None:
        leases = [act.lease for act in self._acts.values()]
        if not leases:
            return
        async with self._database.acquire() as conn:
            ours = await claims.renew(conn, leases, lease_seconds=self._lease_seconds)
        for delivery_id, _ in leases:
            if delivery_id not in ours:
                _log.warning("delivery.lease_lost", sink=self._sink.name, delivery_id=str(delivery_id))
