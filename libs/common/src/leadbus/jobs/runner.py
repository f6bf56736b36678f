"""Runs jobs: in any replica, never in two at once, and on after the one that ran it was killed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from uuid import UUID, uuid4

from leadbus import pulse
from leadbus.cancellation import really_cancelled
from leadbus.db import Database, is_out_of_reach
from leadbus.jobs import measures, store
from leadbus.jobs.machine import JobEvent
from leadbus.jobs.store import Claimed, LeaseLost
from leadbus.jobs.work import Interrupted, JobBroken, Kind, Work
from leadbus.log import logger

LEASE_SECONDS = 60.0
"""Much longer than a batch takes; a killed runner's job waits so long for the next one."""
POLL_SECONDS = 1.0
SLOTS = 4
_SWEEP_SECONDS = 15.0
_RELEASE_SECONDS = 3.0

_log = logger("jobs")


class JobRunner:
    """A supervised task. ``slots`` jobs at a time in this process, each under a lease of its own.

    The lease is in the job's row and ends by the database's clock. Everything a job does is committed
    together with its progress under that lease, so that a runner which lost it commits nothing more.
    """

    def __init__(
        self,
        database: Database,
        kinds: Iterable[Kind],
        *,
        slots: int = SLOTS,
        lease_seconds: float = LEASE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._database = database
        self._kinds = {kind.name: kind for kind in kinds}
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._poll_seconds = poll_seconds
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._draining = asyncio.Event()
        self._swept_at: float | None = None

    def wake(self) -> None:
        """A hint that a job was started or cancelled; without it the next poll finds it."""
        self._woken.set()

    async def run(self) -> None:
        """Work until drained. Cancelled, it cuts the batches in hand short: they are undone, not lost."""
        try:
            while not self._draining.is_set():
                pulse.beat()
                self._woken.clear()
                try:
                    await self._round()
                except Exception as error:
                    if not is_out_of_reach(error):
                        raise
                    _log.warning("jobs.database_away", reason=type(error).__name__)
                await self._rest()
            if self._tasks:
                await asyncio.wait(self._tasks.values())
        finally:
            await self._end_all()

    async def drain(self, timeout_seconds: float) -> None:
        """Take no more, let each job finish the batch in hand, and let others have the jobs."""
        self._draining.set()
        self.wake()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timeout_seconds)
        await self._end_all()

    async def _round(self) -> None:
        now = time.monotonic()
        async with self._database.acquire() as conn:
            if self._swept_at is None or now - self._swept_at >= _SWEEP_SECONDS:
                await store.expire(conn)
                await store.end_abandoned(conn)
                measures.show(await store.counted(conn))
                self._swept_at = now
            while len(self._tasks) < self._slots and not self._draining.is_set():
                token = uuid4()
                claimed = await store.claim(
                    conn,
                    token,
                    lease_seconds=self._lease_seconds,
                    kinds=list(self._kinds),
                    but=list(self._tasks),
                )
                if claimed is None:
                    return
                if self._draining.is_set():
                    await store.release(conn, claimed.id, token)
                    return
                self._begin(claimed, token)

    def _begin(self, claimed: Claimed, token: UUID) -> None:
        _log.info("jobs.taken", job_id=str(claimed.id), kind=claimed.kind)
        task = asyncio.create_task(self._work(claimed, token), name=f"job {claimed.id}")
        self._tasks[claimed.id] = task

        def forget(_: asyncio.Task[None]) -> None:
            self._tasks.pop(claimed.id, None)

        task.add_done_callback(forget)

    async def _work(self, claimed: Claimed, token: UUID) -> None:
        """The one place where what a kind raises becomes the fate of its job."""
        try:
            await self._to_its_end(claimed, token)
        except asyncio.CancelledError:
            if really_cancelled():
                raise
            _log.warning("jobs.interrupted", job_id=str(claimed.id), reason="leaked cancellation")
        except LeaseLost:
            _log.warning("jobs.lease_lost", job_id=str(claimed.id))
        except JobBroken as broken:
            await self._break(claimed, token, broken.code)
        except Exception as error:  # noqa: BLE001 -- a defect ends its job, not the runner
            if isinstance(error, Interrupted) or is_out_of_reach(error):
                _log.warning("jobs.interrupted", job_id=str(claimed.id), reason=type(error).__name__)
            else:
                _log.error("jobs.broke", job_id=str(claimed.id), exc_info=error)
                await self._break(claimed, token, type(error).__name__)
        finally:
            await self._release(claimed.id, token)

    async def _to_its_end(self, claimed: Claimed, token: UUID) -> None:
        event = await self._batches(claimed, token)
        if event is not None:
            await self._finish(claimed, token, event)

    async def _finish(self, claimed: Claimed, token: UUID, event: JobEvent, code: str | None = None) -> None:
        """Raises LeaseLost."""
        async with self._database.transaction() as conn:
            state = await store.finish(conn, claimed.id, token, event, code)
        measures.ENDED.labels(kind=claimed.kind, state=state.value).inc()
        _log.info("jobs.ended", job_id=str(claimed.id), kind=claimed.kind, state=state.value, code=code)

    async def _batches(self, claimed: Claimed, token: UUID) -> JobEvent | None:
        """Batch after batch; how the job ended, None when another runner is to go on with it."""
        if await self._cancel_asked(claimed.id, token):
            return JobEvent.HALTED
        async with contextlib.aclosing(self._kinds[claimed.kind].run(self._as_work(claimed, token))) as run:
            began = time.monotonic()
            async for number in run:
                if await self._cancel_asked(claimed.id, token):
                    return JobEvent.HALTED
                if await self._pace(began + number / claimed.rate_per_second):
                    return None
                began = time.monotonic()
        return JobEvent.FINISHED

    def _as_work(self, claimed: Claimed, token: UUID) -> Work:
        # At most a second's worth at once: a rate is a promise to whoever is behind.
        batch_size = min(claimed.batch_size, max(1, int(claimed.rate_per_second)))
        return Work(
            job_id=claimed.id,
            kind=claimed.kind,
            filter=claimed.filter,
            dealers=claimed.dealers,
            reason=claimed.reason,
            actor=claimed.run_by,
            batch_size=batch_size,
            total=claimed.total,
            bound=claimed.bound,
            reached=claimed.reached,
            lease_token=token,
            counted=claimed.counts,
            database=self._database,
        )

    async def _cancel_asked(self, job_id: UUID, token: UUID) -> bool:
        async with self._database.acquire() as conn:
            return await store.renew(conn, job_id, token, lease_seconds=self._lease_seconds)

    async def _pace(self, until: float) -> bool:
        """Wait for the next batch's turn; True, at once, when draining began."""
        seconds = max(0.0, until - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        return self._draining.is_set()

    async def _break(self, claimed: Claimed, token: UUID, code: str) -> None:
        """Where that cannot be written, another runner tries the job, and it breaks again."""
        try:
            await self._finish(claimed, token, JobEvent.BROKE, code)
        except Exception as error:
            if not isinstance(error, LeaseLost) and not is_out_of_reach(error):
                raise

    async def _release(self, job_id: UUID, token: UUID) -> None:
        """Else the next runner waits for the end of the lease; no more than that is lost."""
        try:
            async with asyncio.timeout(_RELEASE_SECONDS), self._database.acquire() as conn:
                await store.release(conn, job_id, token)
        except Exception as error:
            if not is_out_of_reach(error):
                raise
            _log.info("jobs.not_released", job_id=str(job_id), reason=type(error).__name__)

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), self._poll_seconds)

    async def _end_all(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            if not task.cancelling():  # a second time would cut short how it gives its job back
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)
