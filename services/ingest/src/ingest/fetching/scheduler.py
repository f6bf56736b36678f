"""Who fetches what when: several replicas, none of them twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import uuid4

from leadbus import checkpoint, pulse
from leadbus.cancellation import really_cancelled
from leadbus.clock import Clock
from leadbus.db import Connection, Database, is_out_of_reach
from leadbus.log import logger
from leadbus.outbox import Outgoing
from pydantic import ValidationError

from ingest.fetching import metrics
from ingest.fetching.due import FLOOR, STARTS_WITHIN, next_due
from ingest.fetching.ending import Outcome
from ingest.fetching.fetcher import Claimed, Fetcher
from ingest.sources.virtualexpo import KIND, VirtualExpoSubscription
from ingest.store import virtualexpo as store
from ingest.store.virtualexpo import Result
from ingest.telling import Telling

LONGEST_CONNECT_SECONDS = 20.0
"""Two connects and as long before the first: a call begins within STARTS_WITHIN."""
SLOTS = 2
_POLL_SECONDS = 5.0
_SWEEP_SECONDS = 15.0
_LEASE_BEYOND_SECONDS = 300.0
_GIVE_UP_SECONDS = 3.0
_UNREAD_AGAIN = timedelta(minutes=15)
_log = logger("virtualexpo")


class Scheduler:
    """A supervised task. ``slots`` attempts at a time in this process.

    An attempt is on record, and the next one put off, before anything is asked; so the vendor is asked at
    most once in two hours, whoever dies when. An attempt whose process is gone is ended by whoever looks.
    """

    def __init__(
        self,
        database: Database,
        fetcher: Fetcher,
        clock: Clock,
        *,
        outgoing: Outgoing,
        whole_seconds: float,
        slots: int = SLOTS,
        poll_seconds: float = _POLL_SECONDS,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._fetcher = fetcher
        self._clock = clock
        self._lease_seconds = whole_seconds + _LEASE_BEYOND_SECONDS
        self._slots = slots
        self._poll_seconds = poll_seconds
        self._spread = spread
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._draining = asyncio.Event()
        self._swept_at: float | None = None
        self._shown: set[str] = set()
        self._telling = Telling(database, clock, KIND, _needing, outgoing=outgoing)

    def wake(self) -> None:
        """A hint that something may be due; without it the next poll finds it."""
        self._woken.set()

    async def run(self) -> None:
        """Work until drained."""
        try:
            while not self._draining.is_set():
                pulse.beat()
                self._woken.clear()
                try:
                    await self._round()
                except Exception as error:
                    if not is_out_of_reach(error):
                        raise
                    _log.warning("virtualexpo.database_away", reason=type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            await self._end_all()

    async def drain(self, timeout_seconds: float) -> None:
        """Begin nothing more. Transfers have a third of the time, storing what they brought another one.

        The rest is left to others, who have more to lose.
        """
        self._draining.set()
        self.wake()
        await self._wait(timeout_seconds / 3)
        self._fetcher.break_off()
        await self._wait(timeout_seconds / 3)
        await self._end_all()

    async def fetch_due(self) -> Result | None:
        """Make one attempt that is due now, to its end; None when nothing is due."""
        claimed = await self._claim()
        return None if claimed is None else await self._attempt(claimed)

    async def sweep(self) -> None:
        """End what nobody works on any more, show how old the last success is, and who is not let in."""
        now = self._clock.now()
        async with self._database.transaction() as conn:
            expired = await store.expire(conn, now)
            succeeded = await store.succeeded_at(conn, KIND)
            needed = await _needing(conn)
        for attempt_id, name in expired:
            metrics.ATTEMPTS.labels(outcome=Outcome.INTERRUPTED, code="process_ended").inc()
            _log.warning("virtualexpo.interrupted", attempt_id=str(attempt_id), subscription=name)
        for name in self._shown - succeeded.keys():
            metrics.SUCCESS_AGE.labels(subscription=name).set(0)
        for name, moment in succeeded.items():
            age = max(0.0, (now - moment).total_seconds())
            metrics.SUCCESS_AGE.labels(subscription=name).set(age)
        self._shown = set(succeeded)
        await self._telling.tell(needed)

    async def _round(self) -> None:
        now = time.monotonic()
        if self._swept_at is None or now - self._swept_at >= _SWEEP_SECONDS:
            await self.sweep()
            self._swept_at = now
        while len(self._tasks) < self._slots and not self._draining.is_set():
            claimed = await self._claim()
            if claimed is None:
                return
            task = asyncio.create_task(self._guarded(claimed), name=f"virtualexpo {claimed.name}")
            self._tasks.add(task)
            task.add_done_callback(self._forget)

    async def _claim(self) -> Claimed | None:
        """One that is due, with its attempt committed."""
        begun = asyncio.get_running_loop().time()
        now = self._clock.now()
        async with self._database.transaction() as conn:
            due = await store.due(conn, KIND, now, now - FLOOR - STARTS_WITHIN)
            if due is None:
                return None
            try:
                spec = VirtualExpoSubscription.model_validate(due.spec)
            except ValidationError as error:
                # Written by a newer release; others are not to wait for it.
                _log.error("virtualexpo.setting_unread", subscription=due.name, faults=error.error_count())
                await store.not_before(conn, due.name, now + _UNREAD_AGAIN)
                return None
            attempt_id = uuid4()
            await store.begin(
                conn,
                attempt_id,
                due,
                trial=spec.trial,
                now=now,
                lease_seconds=self._lease_seconds,
                due_at=next_due(now, spec.interval_seconds, self._spread()),
            )
            checkpoint.passed("virtualexpo.attempt_written")
        checkpoint.passed("virtualexpo.attempt_committed")
        return Claimed(attempt_id, due.name, spec, begun + LONGEST_CONNECT_SECONDS)

    async def _guarded(self, claimed: Claimed) -> None:
        """A defect ends its attempt, not the scheduler."""
        try:
            await self._attempt(claimed)
        except asyncio.CancelledError:
            await self._give_up(claimed)
            if really_cancelled():
                raise

    async def _give_up(self, claimed: Claimed) -> None:
        """Say that it was cut short. Where that cannot be written, its lease ends and another one says so."""
        result = Result(Outcome.INTERRUPTED, "process_ended")
        try:
            async with asyncio.timeout(_GIVE_UP_SECONDS), self._database.transaction() as conn:
                await store.end(conn, claimed.attempt_id, claimed.name, result, self._clock.now())
        except Exception as error:
            if not is_out_of_reach(error):
                raise
            _log.info("virtualexpo.not_given_up", attempt_id=str(claimed.attempt_id))
            return
        metrics.ATTEMPTS.labels(outcome=result.outcome, code=result.code).inc()
        _log.warning("virtualexpo.cut_short", attempt_id=str(claimed.attempt_id), subscription=claimed.name)

    async def _attempt(self, claimed: Claimed) -> Result:
        try:
            return await self._fetcher.fetch(claimed)
        except Exception as error:  # noqa: BLE001 -- a defect ends its attempt
            _log.error("virtualexpo.defect", attempt_id=str(claimed.attempt_id), exc_info=error)
            result = Result(Outcome.FAILED, "defect")
            metrics.ATTEMPTS.labels(outcome=result.outcome, code=result.code).inc()
            async with self._database.transaction() as conn:
                await store.end(conn, claimed.attempt_id, claimed.name, result, self._clock.now())
            return result

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("virtualexpo.not_ended", exc_info=error)
        self.wake()

    async def _wait(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def _end_all(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            if not task.cancelling():  # a second time would cut short how it gives its attempt up
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _needing(conn: Connection) -> dict[str, Sequence[str]]:
    """A word for each subscription that the vendor does not let in: the runbook has them."""
    refused = await store.refused(conn, KIND)
    return {
        name: ("secret_unreadable" if code == "secret_unreadable" else "key_refused",)
        for name, code in refused.items()
    }
