"""Hands due deliveries to a sink and records what it says. Any number of replicas share the tables."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import asyncpg

from leadbus.cancellation import really_cancelled
from leadbus.clock import Clock, SystemClock
from leadbus.db import Connection, Database, is_unavailable
from leadbus.delivery import machine, measures, store
from leadbus.delivery.breaker import BreakerSettings
from leadbus.delivery.capacity import Pool
from leadbus.delivery.job import Job, LeaseLost, Sink
from leadbus.delivery.machine import Phase
from leadbus.delivery.outcomes import (
    ANSWER_LIMIT,
    Ambiguous,
    Delivered,
    Outcome,
    Permanent,
    Skipped,
    Transient,
)
from leadbus.delivery.recording import Happening, Rules, record
from leadbus.delivery.schedule import Schedule
from leadbus.log import logger, wide

POLL_SECONDS = 1.0
SWEEP_LIMIT = 100
MEASURE_SECONDS = 15.0
PAUSE_SECONDS = 1.0
DRAIN_GRACE_SECONDS = 2.0

_log = logger("delivery")


@dataclass(slots=True)
class _Act:
    """One try in the hands of this process, from the claim until its end is recorded."""

    row: store.Row
    token: UUID
    pool: Pool
    began: float
    outcome: Outcome | None = None
    duration_ms: int | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def lease(self) -> store.Lease:
        return (self.row.id, self.token)

    @property
    def attempt(self) -> int:
        return self.row.state.attempts


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
        if capacity < 2 or not 0 < retry_share < 1:
            raise ValueError("first tries and retries need at least one slot each")
        for_retries = min(capacity - 1, max(1, round(capacity * retry_share)))
        self._database = database
        self._sink = sink
        self._rules = Rules(sink.name, schedule or Schedule(), breaker or BreakerSettings())
        self._clock = clock or SystemClock()
        self._pools = {
            Phase.QUEUED: Pool(capacity - for_retries, destination_share=destination_share),
            Phase.WAITING: Pool(for_retries, destination_share=destination_share),
        }
        self._act_timeout_seconds = act_timeout_seconds
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._luck = luck
        self._announced = announced
        self._acts: dict[UUID, _Act] = {}
        self._unsure_leases: list[store.Lease] = []
        self._recording = asyncio.Lock()
        self._claiming = asyncio.Lock()
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
            async with asyncio.timeout(timeout_seconds), self._claiming:
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
        if self._unsure_leases:
            await self._give_back_unsure()
        if self._draining:
            return False
        if self._due("sweep", self._poll_seconds):
            await self._sweep()
        if self._due("measure", MEASURE_SECONDS):
            async with self._database.acquire() as conn:
                await measures.gather(conn, self._sink.name, now=self._clock.now())
        async with self._claiming:
            return not self._draining and await self._claim() > 0

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

    async def _claim(self) -> int:
        began = time.monotonic()
        now = self._clock.now()
        wanted: list[tuple[store.Candidate, Pool]] = []
        acts: list[_Act] = []
        try:
            async with self._database.acquire() as conn:
                for phase, pool in self._pools.items():
                    if pool.free:
                        found = await store.candidates(
                            conn, phase, now=now, after=pool.served_last, full=pool.full(), room=pool.free
                        )
                        wanted += [(candidate, pool) for candidate in pool.take(found)]
                if wanted:
                    acts = await self._start(conn, wanted, began)
                for act in acts:
                    self._acts[act.token] = act
                    act.task = asyncio.create_task(self._act(act), name=f"delivery-{act.row.id}")
        finally:
            started = {act.row.id for act in acts}
            for candidate, pool in wanted:
                if candidate.id not in started:
                    pool.give_back(candidate.destination)
        return len(acts)

    async def _start(
        self, conn: Connection, wanted: Sequence[tuple[store.Candidate, Pool]], began: float
    ) -> list[_Act]:
        """Commit the intent: after this, whatever happens to this process, the try is known."""
        now = self._clock.now()
        pools = {candidate.id: pool for candidate, pool in wanted}
        leases: list[store.Lease] = []
        try:
            async with conn.transaction():
                allowed = await self._take_probes(conn, [candidate for candidate, _ in wanted])
                leases = [(delivery_id, uuid4()) for delivery_id in allowed]
                rows = await store.start(conn, leases, now=now, lease_seconds=self._lease_seconds)
        except asyncpg.UniqueViolationError:
            # Another replica has something with the same ordering key in flight.
            return []
        except Exception as error:
            if is_unavailable(error):
                # It may have been committed all the same. Nobody acts on it, and only we know that.
                self._unsure_leases += leases
            raise
        turn = {delivery_id: place for place, (delivery_id, _) in enumerate(leases)}
        rows.sort(key=lambda row: turn[row.id])
        return [_Act(row, _token(row), pools[row.id], began) for row in rows]

    async def _take_probes(self, conn: Connection, wanted: Sequence[store.Candidate]) -> list[UUID]:
        """Those that may go: all to healthy destinations, one to each destination that is ours to probe."""
        now = self._clock.now()
        probing = {one.destination: one.id for one in reversed(wanted) if one.probing}
        again_at = now + timedelta(seconds=self._lease_seconds)
        ours = (
            await store.take_probes(conn, sorted(probing), now=now, again_at=again_at) if probing else set()
        )
        probes = [probing[name] for name in ours]
        return [one.id for one in wanted if not one.probing] + probes

    async def _give_back_unsure(self) -> None:
        """Claims whose commit was not heard of: if they happened, undo them as never acted upon."""
        tokens = {token for _, token in self._unsure_leases}
        async with self._database.transaction() as conn:
            locked = await store.lock(conn, [delivery_id for delivery_id, _ in self._unsure_leases])
            rows = [row for row in locked if row.lease_token in tokens]
            ends = [
                store.AttemptEnd(
                    row.id, row.state.attempts, self._clock.now(), 0, "not_acted", None, "", False
                )
                for row in rows
            ]
            unacted = [Happening(row, machine.NotActed(), end) for row, end in zip(rows, ends, strict=True)]
            await record(conn, self._rules, unacted, now=self._clock.now())
        self._unsure_leases.clear()

    async def _act(self, act: _Act) -> None:
        row = act.row
        began = time.monotonic()
        with wide(
            "delivery.attempt",
            sink=self._sink.name,
            delivery_id=str(row.id),
            subject_id=row.subject_id,
            route=row.route,
            attempt=act.attempt,
            repeat=row.state.repeat_number,
            in_doubt=row.state.doubts > 0,
        ) as line:
            outcome, error = await self._ask(act)
            line["outcome"], line["reason"] = _code(outcome), _reason(outcome)
            if error is not None:
                line["exc_info"] = error
        act.duration_ms = round((time.monotonic() - began) * 1000)
        act.outcome = outcome
        self.wake()

    async def _ask(self, act: _Act) -> tuple[Outcome, BaseException | None]:
        """The sink's outcome; whatever else happens becomes the outcome it means."""
        job = self._job(act)
        # Counted from before the claim: the lease cannot run out while the sink acts, even if no
        # renewal reaches the database.
        left_seconds = act.began + self._act_timeout_seconds - time.monotonic()
        if left_seconds <= 0:
            return Transient("claimed_too_slowly"), None
        cut_off = asyncio.timeout(left_seconds)
        try:
            async with cut_off:
                if job.in_doubt:
                    found = await self._sink.lookup(job)
                    if found is not None:
                        return found, None
                return await self._sink.deliver(job), None
        except LeaseLost:
            return Transient("lease_lost"), None
        except asyncio.CancelledError as error:
            if really_cancelled():
                return Ambiguous("drained"), None
            return Ambiguous("sink_cancelled"), error
        except Exception as error:  # noqa: BLE001 -- the one place where a sink's failure meets its fate
            if cut_off.expired():
                return Ambiguous("act_timeout", destination_down=True), None
            return Ambiguous("sink_error"), error

    def _job(self, act: _Act) -> Job:
        row = act.row
        return Job(
            delivery_id=row.id,
            key=row.key,
            subject_id=row.subject_id,
            destination=row.destination,
            route=row.route,
            attempt=act.attempt,
            planned_at=row.planned_at,
            repeat_number=row.state.repeat_number,
            in_doubt=row.state.doubts > 0,
            ordering_key=row.ordering_key,
            deadline=row.deadline,
            renew=partial(self._renew_one, act),
        )

    async def _renew_one(self, act: _Act) -> None:
        try:
            async with self._database.acquire() as conn:
                ours = await store.renew(conn, [act.lease], lease_seconds=self._lease_seconds)
        except Exception as error:
            if not is_unavailable(error):
                raise
            # The lease as claimed outlasts the act timeout, so it is ours until then.
            return
        if not ours:
            raise LeaseLost

    async def _renew(self) -> None:
        leases = [act.lease for act in self._acts.values()]
        if not leases:
            return
        async with self._database.acquire() as conn:
            ours = await store.renew(conn, leases, lease_seconds=self._lease_seconds)
        for delivery_id, _ in leases:
            if delivery_id not in ours:
                _log.warning("delivery.lease_lost", sink=self._sink.name, delivery_id=str(delivery_id))

    async def _sweep(self) -> None:
        """What nobody else ends: leases whose holder died, and deliveries past their deadline."""
        now = self._clock.now()
        ours = [act.token for act in self._acts.values()]
        async with self._database.acquire() as conn:
            async with conn.transaction():
                rows = await store.lock_expired(conn, ours=ours, limit=SWEEP_LIMIT)
                decided = await record(conn, self._rules, [self._expired(row) for row in rows], now=now)
            self._tell(decided)
            for row in rows:
                _log.warning("delivery.lease_expired", sink=self._sink.name, delivery_id=str(row.id))
                self._count(Ambiguous("lease_expired"), None)
            async with conn.transaction():
                rows = await store.lock_too_late(conn, now=now, limit=SWEEP_LIMIT)
                late = [Happening(row, machine.DeadlinePassed()) for row in rows]
                decided = await record(conn, self._rules, late, now=now)
            self._tell(decided)

    def _expired(self, row: store.Row) -> Happening:
        now = self._clock.now()
        end = store.AttemptEnd(row.id, row.state.attempts, now, None, "ambiguous", "lease_expired", "", True)
        return Happening(row, machine.LeaseExpired(self._luck()), end)

    async def _record_ended(self) -> None:
        async with self._recording:
            ended = [act for act in self._acts.values() if act.outcome is not None]
            if not ended:
                return
            try:
                await self._record(ended)
            except Exception as error:
                if is_unavailable(error) or len(ended) == 1:
                    raise
                await self._record_apart(ended)

    async def _record_apart(self, ended: Sequence[_Act]) -> None:
        """One of a group cannot be recorded: let it not keep the others from it."""
        for act in ended:
            try:
                await self._record([act])
            except Exception as error:
                if is_unavailable(error):
                    raise
                _log.error("delivery.unrecordable", delivery_id=str(act.row.id), exc_info=error)
                self._forget(act)

    async def _record(self, ended: Sequence[_Act]) -> None:
        now = self._clock.now()
        async with self._database.transaction() as conn:
            rows = {row.id: row for row in await store.lock(conn, [act.row.id for act in ended])}
            happenings: list[Happening] = []
            strays: list[store.AttemptEnd] = []
            for act in ended:
                happening = self._happening(act, rows.get(act.row.id))
                if happening is not None:
                    happenings.append(happening)
                else:
                    strays.append(self._end(act))
            decided = await record(conn, self._rules, happenings, now=now)
            await store.end_attempts(conn, strays)
        for act in ended:
            assert act.outcome is not None
            self._count(act.outcome, act.duration_ms)
            self._forget(act)
        self._tell(decided)

    def _happening(self, act: _Act, row: store.Row | None) -> Happening | None:
        """None when the delivery went on without us; then only the try itself is told."""
        assert act.outcome is not None
        if row is not None and row.lease_token == act.token:
            return Happening(row, machine.Answered(act.outcome, self._luck()), self._end(act))
        _log.error("delivery.answered_late", sink=self._sink.name, delivery_id=str(act.row.id))
        last = row is not None and row.state.attempts == act.attempt
        if row is not None and last and row.state.phase in (Phase.WAITING, Phase.FAILED):
            return Happening(row, machine.AnsweredLate(act.outcome), self._end(act))
        return None

    def _end(self, act: _Act) -> store.AttemptEnd:
        outcome = act.outcome
        assert outcome is not None
        return store.AttemptEnd(
            delivery_id=act.row.id,
            n=act.attempt,
            finished_at=self._clock.now(),
            duration_ms=act.duration_ms,
            outcome=_code(outcome),
            reason=_reason(outcome),
            answer=_storable("" if isinstance(outcome, Skipped) else outcome.answer),
            ambiguous=isinstance(outcome, Ambiguous),
        )

    def _tell(self, decided: Sequence[machine.Decision]) -> None:
        """To be called after the commit: whoever publishes would not see the events before."""
        if any(decision.announce for decision in decided):
            self._announced()

    def _forget(self, act: _Act) -> None:
        del self._acts[act.token]
        act.pool.give_back(act.row.destination)

    def _count(self, outcome: Outcome, duration_ms: int | None) -> None:
        sink = self._sink.name
        measures.ATTEMPTS.labels(sink=sink, outcome=_code(outcome), reason=_reason(outcome) or "none").inc()
        if isinstance(outcome, Ambiguous):
            measures.AMBIGUOUS.labels(sink=sink).inc()
        if duration_ms is not None:
            measures.DURATION.labels(sink=sink).observe(duration_ms / 1000)


def _token(row: store.Row) -> UUID:
    assert row.lease_token is not None
    return row.lease_token


def _code(outcome: Outcome) -> str:
    match outcome:
        case Delivered():
            return "delivered"
        case Transient(destination_down=True):
            return "destination_down"
        case Transient():
            return "transient"
        case Permanent():
            return "refused"
        case Ambiguous():
            return "ambiguous"
        case Skipped():
            return "skipped"


def _reason(outcome: Outcome) -> str | None:
    return None if isinstance(outcome, Delivered) else outcome.reason


def _storable(answer: str) -> str:
    """The other side's words, cut; Postgres text takes neither NUL nor lone surrogates."""
    return answer[:ANSWER_LIMIT].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
