"""Asks now and then for everything that changed: notifications get lost.

A list names leads, and each that is new or changed is fetched as if it had been told of: so whatever tells of
it first, one lead that says one thing is one raw message.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from leadbus import pulse
from leadbus.clock import Clock
from leadbus.db import Connection, Database, is_out_of_reach
from leadbus.log import logger, wide
from leadbus.outbox import Outgoing

from ingest import arrivals
from ingest.bdk import measures, raws
from ingest.bdk.asking import Answer
from ingest.bdk.client import BdkClient
from ingest.bdk.content import Entry, Page
from ingest.bdk.health import note_answer, note_trouble
from ingest.bdk.outcome import Outcome, Trouble, next_try
from ingest.bdk.reading import ACT_SECONDS, LEASE_SECONDS, Wake
from ingest.store import bdk_connections, bdk_cursors, bdk_reads
from ingest.store.bdk_connections import InForce
from ingest.store.bdk_cursors import Claimed, Listed

POLL_SECONDS = 5.0
MOST_PAGES = 10_000

_log = logger("bdk")


class LostError(Exception):
    """Another replica has the list by now: ours took longer than its lease."""


class Reconciling:
    """A supervised task. Of one connection one list at a time, of several side by side."""

    def __init__(
        self,
        database: Database,
        client: BdkClient,
        clock: Clock,
        *,
        outgoing: Outgoing,
        wake: Wake,
        poll_seconds: float = POLL_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._client = client
        self._clock = clock
        self._outgoing = outgoing
        self._wake = wake
        self._poll_seconds = poll_seconds
        self._lease_seconds = lease_seconds
        self._jitter = jitter
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Read what lists are due, for ever. One that is cut short is read again from its start."""
        try:
            while True:
                pulse.beat()
                await self.round()
                await asyncio.sleep(self._poll_seconds)
        finally:
            await self.stop()

    async def round(self) -> None:
        """Begin a list of each connection that has one due and none in hand."""
        now = self._clock.now()
        async with self._database.acquire() as conn:
            known = [one for one in await bdk_connections.in_force(conn) if one.may_be_asked(now)]
            due = await bdk_cursors.with_due(conn, [one.name for one in known], now)
            for connection in known:
                if connection.name in due and connection.name not in self._tasks:
                    claimed = await self._claim(conn, connection)
                    if claimed is not None:
                        self._begin(connection, claimed)

    @property
    def busy(self) -> bool:
        """Whether any list is being read here."""
        return bool(self._tasks)

    async def settled(self) -> None:
        """Returns when no list is in hand."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def _claim(self, conn: Connection, connection: InForce) -> Claimed | None:
        return await bdk_cursors.claim(
            conn,
            connection.name,
            connection.spec.listed,
            self._clock.now(),
            token=uuid4(),
            lease_seconds=self._lease_seconds,
        )

    def _begin(self, connection: InForce, claimed: Claimed) -> None:
        task = asyncio.create_task(self._read_safely(connection, claimed))
        self._tasks[connection.name] = task
        task.add_done_callback(lambda _: self._tasks.pop(connection.name, None))

    async def _read_safely(self, connection: InForce, claimed: Claimed) -> None:
        try:
            await self._read(connection, claimed)
        except Exception as error:  # noqa: BLE001 -- its lease runs out, and it is read once more
            say = _log.warning if isinstance(error, LostError) or is_out_of_reach(error) else _log.error
            say("bdk.list_not_ended", connection=connection.name, reason=type(error).__name__)

    async def stop(self) -> None:
        """Cut short what is in hand: it is read again from its start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _read(self, connection: InForce, claimed: Claimed) -> None:
        with wide("bdk.list", connection=connection.name) as line:
            try:
                listed = await self._to_its_end(connection, claimed)
            except Trouble as trouble:
                outcome = trouble.outcome
                line["status"], line["detail"] = trouble.status, trouble.detail
                await self._failed(connection, claimed, trouble)
            else:
                outcome = Outcome.ANSWERED
                line.update(pages=listed.pages, entries=listed.entries, news=listed.news)
            line.outcome = outcome
            measures.LISTS.labels(outcome=outcome).inc()

    async def _to_its_end(self, connection: InForce, claimed: Claimed) -> Listed:
        """Page after page, each committed; then the cursor moves. Raises Trouble, LostError."""
        started = self._clock.now()
        listed, met, known_until = Listed(), set[str](), started
        since = claimed.known_until - timedelta(seconds=connection.spec.reconciliation.overlap_seconds)
        for number in range(MOST_PAGES):
            pulse.beat()
            answer, page = await self._page(connection, claimed.partner_number, since, number)
            if number == 0 and answer.date is not None:
                # What the other side dates by its own clock is not skipped when ours is ahead.
                known_until = min(started, answer.date)
            fresh = [entry for entry in page.entries if entry.lead_id not in met]
            met |= {entry.lead_id for entry in fresh}
            news = await self._note(connection, claimed, fresh)
            listed = replace(
                listed,
                pages=number + 1,
                entries=listed.entries + len(fresh),
                unreadable=listed.unreadable + page.unreadable,
                news=listed.news + news,
            )
            # A server that knows no pages sends the same one for ever.
            if page.last or not fresh:
                break
        else:
            raise Trouble(Outcome.TOO_LARGE, detail=f"more than {MOST_PAGES} pages")
        await self._ended(connection, claimed, known_until, listed)
        return listed

    async def _page(
        self, connection: InForce, partner_number: str, since: datetime, number: int
    ) -> tuple[Answer, Page]:
        try:
            async with asyncio.timeout(ACT_SECONDS):
                return await self._client.page(connection.spec, partner_number, since, number)
        except TimeoutError:
            raise Trouble(Outcome.UNREACHABLE, detail="not within the time for one page") from None
        except Trouble:
            raise
        except Exception as error:  # noqa: BLE001 -- a defect costs this list a try, and no other one anything
            _log.error("bdk.list_broke", connection=connection.name, exc_info=error)
            raise Trouble(Outcome.FAILED, detail=type(error).__name__) from None

    async def _note(self, connection: InForce, claimed: Claimed, entries: Sequence[Entry]) -> int:
        pairs = [(entry.lead_id, entry.digest) for entry in entries]
        async with self._database.transaction() as conn:
            if not await bdk_cursors.renew(conn, claimed, lease_seconds=self._lease_seconds):
                raise LostError
            news, unheard_of = await bdk_reads.note_listed(conn, connection.name, pairs, self._clock.now())
        measures.MISSED.inc(unheard_of)
        if news:
            self._wake()
        return news

    async def _ended(
        self, connection: InForce, claimed: Claimed, known_until: datetime, listed: Listed
    ) -> None:
        interval = timedelta(seconds=connection.spec.reconciliation.interval_seconds)
        async with self._database.transaction() as conn:
            await bdk_cursors.ended(
                conn,
                claimed,
                known_until=known_until,
                now=self._clock.now(),
                interval=interval,
                listed=listed,
            )
            await note_answer(conn, connection)

    async def _failed(self, connection: InForce, claimed: Claimed, trouble: Trouble) -> None:
        now = self._clock.now()
        step = next_try(trouble, tries=claimed.failures, waited_seconds=0, jitter=self._jitter())
        interval = connection.spec.reconciliation.interval_seconds
        # What is soon over is tried soon; nothing is asked more seldom than if all were well.
        wait = min(step.wait_seconds, interval) if step.state == "due" and step.counts else step.wait_seconds
        async with self._database.transaction() as conn:
            await bdk_cursors.failed(
                conn,
                claimed,
                next_at=now + timedelta(seconds=wait),
                outcome=trouble.outcome,
                status=trouble.status,
            )
            faulty = raws.unread_answer(connection.name, f"list {claimed.partner_number}", trouble)
            if faulty is not None:
                await arrivals.quarantine(conn, [faulty], now, self._outgoing)
            await note_trouble(conn, connection, trouble, now, jitter=self._jitter())
