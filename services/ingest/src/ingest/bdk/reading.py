"""Fetches the leads that are due: any number of replicas, each lead in one of them at a time."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from leadbus import checkpoint, pulse
from leadbus.clock import Clock
from leadbus.db import Connection, Database, is_out_of_reach
from leadbus.log import Wide, logger, wide
from leadbus.outbox import Outgoing

from ingest import arrivals
from ingest.bdk import measures, raws
from ingest.bdk.asking import Answer
from ingest.bdk.client import BdkClient
from ingest.bdk.content import Told
from ingest.bdk.health import note_answer, note_trouble
from ingest.bdk.outcome import Outcome, Trouble, next_try
from ingest.store import bdk_connections, bdk_reads
from ingest.store.bdk_connections import InForce
from ingest.store.bdk_reads import Claimed

ACT_SECONDS = 20.0
"""The longest that fetching one lead takes, with a token before it and another one after a 401."""
LEASE_SECONDS = 60.0
"""Well above ACT_SECONDS: the lead of a process that was killed waits so long for another one."""
POLL_SECONDS = 1.0

Wake = Callable[[], None]

_log = logger("bdk")


class Reading:
    """A supervised task. A connection that is slow or broken keeps no other one waiting."""

    def __init__(
        self,
        database: Database,
        client: BdkClient,
        clock: Clock,
        *,
        outgoing: Outgoing,
        poll_seconds: float = POLL_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._outgoing = outgoing
        self._poll_seconds = poll_seconds
        self._lease_seconds = lease_seconds
        self._jitter = jitter
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._woken = asyncio.Event()
        self._draining = False

    def wake(self) -> None:
        """A hint that something is due; without it the next poll finds it."""
        self._woken.set()

    async def run(self) -> None:
        """Fetch what is due until drained. Cancelled, it gives up what is in hand: another one fetches it."""
        try:
            while not self._draining:
                pulse.beat()
                self._woken.clear()
                await self._round_safely()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            await self._cut_short()

    async def drain(self, timeout_seconds: float) -> None:
        """Begin nothing more, and give what is in hand its time."""
        self._draining = True
        self.wake()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_seconds)
        await self._cut_short()

    async def round(self) -> None:
        """Claim what is due and begin to fetch it."""
        now = self._clock.now()
        async with self._database.acquire() as conn:
            known = [one for one in await bdk_connections.in_force(conn) if one.may_be_asked(now)]
            due = await bdk_reads.with_due(conn, [one.name for one in known], now)
            for connection in known:
                if connection.name in due:
                    for claimed in await self._claim(conn, connection):
                        self._begin(connection, claimed)

    @property
    def busy(self) -> bool:
        """Whether any lead is being fetched here."""
        return bool(self._tasks)

    async def settled(self) -> None:
        """Returns when nothing is in hand."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _round_safely(self) -> None:
        try:
            await self.round()
        except Exception as error:
            if not is_out_of_reach(error):
                raise
            _log.warning("bdk.database_away", reason=type(error).__name__)

    async def _claim(self, conn: Connection, connection: InForce) -> list[Claimed]:
        most = 1 if connection.ailing else connection.spec.concurrency
        free = most - Counter(self._tasks.values())[connection.name]
        if free <= 0:
            return []
        return await bdk_reads.claim(
            conn,
            connection.name,
            self._clock.now(),
            free,
            token=uuid4(),
            lease_seconds=self._lease_seconds,
        )

    def _begin(self, connection: InForce, claimed: Claimed) -> None:
        task = asyncio.create_task(self._read_safely(connection, claimed))
        self._tasks[task] = connection.name
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        # There may be more of that connection.
        self.wake()

    async def _read_safely(self, connection: InForce, claimed: Claimed) -> None:
        try:
            with wide("bdk.read", connection=connection.name, read_id=str(claimed.read_id)) as line:
                await self._read(connection, claimed, line)
        except Exception as error:  # noqa: BLE001 -- its lease runs out, and it is fetched once more
            away = is_out_of_reach(error)
            say = _log.warning if away else _log.error
            say("bdk.read_not_recorded", read_id=str(claimed.read_id), reason=type(error).__name__)

    async def _read(self, connection: InForce, claimed: Claimed, line: Wide) -> None:
        checkpoint.passed("bdk.claimed")
        try:
            answer, told = await self._fetched(connection, claimed)
        except Trouble as trouble:
            outcome = trouble.outcome
            line["status"], line["detail"] = trouble.status, trouble.detail
            await self._failed(connection, claimed, trouble)
        else:
            outcome = Outcome.ANSWERED
            await self._store(connection, claimed, answer, told)
        line.outcome = outcome
        measures.READS.labels(outcome=outcome).inc()

    async def _fetched(self, connection: InForce, claimed: Claimed) -> tuple[Answer, Told]:
        try:
            async with asyncio.timeout(ACT_SECONDS):
                return await self._client.lead(connection.spec, claimed.lead_id)
        except TimeoutError:
            raise Trouble(Outcome.UNREACHABLE, detail="not within the time for one lead") from None
        except Trouble:
            raise
        except Exception as error:  # noqa: BLE001 -- a defect costs this lead a try, and no other one anything
            _log.error("bdk.read_broke", read_id=str(claimed.read_id), exc_info=error)
            raise Trouble(Outcome.FAILED, detail=type(error).__name__) from None

    async def _store(self, connection: InForce, claimed: Claimed, answer: Answer, told: Told) -> None:
        """Lead, message and the end of the read are one transaction."""
        now = self._clock.now()
        arrival = raws.arrival_of(
            connection.name, told, answer.body, answer.content_type, claimed.correlation_id
        )
        async with self._database.transaction() as conn:
            if arrival.raw_id != claimed.raw_id:
                await arrivals.store(conn, [arrival], now, self._outgoing)
            await bdk_reads.done(conn, claimed, now, arrival.raw_id)
            await note_answer(conn, connection)
            checkpoint.passed("bdk.stored")

    async def _failed(self, connection: InForce, claimed: Claimed, trouble: Trouble) -> None:
        now = self._clock.now()
        step = next_try(
            trouble,
            tries=claimed.tries,
            waited_seconds=(now - claimed.noticed_at).total_seconds(),
            jitter=self._jitter(),
        )
        async with self._database.transaction() as conn:
            await bdk_reads.failed(
                conn,
                claimed,
                state=step.state,
                due_at=now + timedelta(seconds=step.wait_seconds),
                counts=step.counts,
                outcome=trouble.outcome,
                status=trouble.status,
                now=now,
            )
            faulty = raws.unread_answer(connection.name, claimed.lead_id, trouble)
            if faulty is not None:
                await arrivals.quarantine(conn, [faulty], now, self._outgoing)
            await note_trouble(conn, connection, trouble, now, jitter=self._jitter())
        if step.state != "due" and not claimed.tries:
            _log.warning("bdk.read_waits_for_person", read_id=str(claimed.read_id), state=step.state)

    async def _cut_short(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
