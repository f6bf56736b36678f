"""Messages that are published by the process that wrote them, without reading them back from the table.

Their rows carry a lease: a time before which no relay claims them. Whoever dies with messages in hand gives
them back by letting it run out. Why: docs/adr/0109-publish-what-was-just-written-from-memory.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import Database, is_unavailable
from leadbus.log import logger
from leadbus.messages import OutgoingMessage
from leadbus.outbox import publication, rows
from leadbus.outbox.publication import Confirmed, OnConfirmed, Publishing
from leadbus.outbox.rows import Lane, Pending

HOLD_SECONDS = 10.0
MOST_BYTES = 8 * 1024 * 1024
MOST_MESSAGES = 2000
REMOVE_AFTER_SECONDS = 0.5
MESSAGES_PER_REMOVAL = 500
RETRY_SECONDS = 1.0

_log = logger("outbox")


@dataclass(frozen=True, slots=True)
class Hold:
    """The lease of messages that are being written: until when no claim takes their rows, and, on the
    monotonic clock, until when we publish them. The rest is for the broker's answer and for clocks that
    differ."""

    row_until: datetime
    publish_until: float


class Hand:
    """What one process has in hand: committed and to be published, or confirmed and to be removed.

    Bounded: what is more than ``MOST_MESSAGES`` or ``MOST_BYTES`` is left to the relays' claims. Two tasks of
    its own publish and remove, neither waiting for the other nor for a claim. What ends one of them
    unforeseen is raised by ``check``, once; ``news`` is called then. It holds nothing before it is ``open``.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        clock: Clock,
        *,
        on_confirmed: OnConfirmed | None,
        hold_seconds: float,
        gather_seconds: float,
        news: Callable[[], None],
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._on_confirmed = on_confirmed
        self._hold_seconds = hold_seconds
        # Well within the time for publishing.
        self._gather_seconds = min(gather_seconds, hold_seconds / 4)
        self._news = news
        self._open = False
        self._closing = asyncio.Event()
        self._to_publish: list[tuple[float, Pending]] = []
        self._to_remove: list[Confirmed] = []
        self._under_way = 0
        self._bytes = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failure: BaseException | None = None
        self._company = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def open(self) -> None:
        """From now on there is somebody to ``check`` what becomes of it."""
        self._open = True

    def close(self) -> None:
        """Hold nothing that is written from now on, and keep nothing waiting."""
        self._closing.set()
        self._company.set()

    async def stop(self) -> None:
        """Let go of everything: what is not removed is published again when its lease is over."""
        self._open = False
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._tasks.clear()
        self._to_publish, self._to_remove, self._bytes = [], [], 0
        self._empty.set()

    def check(self) -> None:
        """Raises what nobody foresaw. What it was about is left to the claims."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def hold(self, messages: Sequence[OutgoingMessage]) -> Hold | None:
        """For messages that are written now and are ours to publish; None: the claims take them."""
        size = sum(len(message.body) for message in messages)
        number = len(self._to_publish) + len(self._to_remove) + self._under_way + len(messages)
        full = number > MOST_MESSAGES or self._bytes + size > MOST_BYTES
        ready = self._open and not self._closing.is_set() and self._publisher.connected
        if full or not (ready and self._hold_seconds):
            return None
        return Hold(
            self._clock.now() + timedelta(seconds=self._hold_seconds),
            time.monotonic() + self._hold_seconds / 2,
        )

    def take(self, pending: Sequence[Pending], hold: Hold) -> None:
        """Rows that were committed a moment ago, held by us: to be published from the loop's next turn on, or
        when they were gathered."""
        if not self._open:
            return  # their lease runs out
        self._to_publish += [(hold.publish_until, one) for one in pending]
        self._bytes += sum(len(one.message.body) for one in pending)
        self._empty.clear()
        self._begin("publish", self._publish_all)

    async def emptied(self) -> None:
        """Returns when nothing is in hand."""
        await self._empty.wait()

    def _begin(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if what in self._tasks:
            return
        # Nobody's context: what is bound in the writer's, its pulse too, is about the writer.
        task = asyncio.create_task(self._until_done(what, work), context=contextvars.Context())
        self._tasks[what] = task

    async def _until_done(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 -- raised by `check`, where it is known how to go on
            self._failure = error
            self._news()
        finally:
            self._tasks.pop(what, None)

    async def _publish_all(self) -> None:
        while self._to_publish:
            await self._gather()
            taken, self._to_publish = self._to_publish, []
            with self._busy_with(len(taken)):
                try:
                    await self._publish(taken)
                finally:
                    self._bytes -= sum(len(one.message.body) for _, one in taken)

    async def _gather(self) -> None:
        if self._gather_seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._gather_seconds):
                    await self._closing.wait()

    async def _publish(self, taken: Sequence[tuple[float, Pending]]) -> None:
        """Publish them; what cannot be goes back to the table for everybody."""
        now = time.monotonic()
        fresh = [one for until, one in taken if until > now] if self._publisher.connected else []
        checkpoint.passed("relay.in_hand")
        answers = await publication.publish(self._publisher, fresh) if fresh else publication.Answers([], [])
        checkpoint.passed("relay.answered")
        if answers.confirmed:
            self._to_remove += [Confirmed(one.id, one.lane, one.subject) for one in answers.confirmed]
            if len(self._to_remove) >= MESSAGES_PER_REMOVAL:
                self._company.set()
            self._begin("remove", self._remove_all)
        published = {one.id for one in fresh}
        try:
            await self._put_back([one for _, one in taken if one.id not in published], answers.failed)
        except Exception as error:
            # A lease that nobody takes off runs out.
            if not is_unavailable(error):
                raise
            _log.warning("outbox.database_away", error=type(error).__name__)

    async def _put_back(self, pending: Sequence[Pending], failed: Sequence[tuple[Pending, str]]) -> None:
        if pending:
            _log.info("outbox.given_back", messages=len(pending))
            async with self._database.acquire() as conn:
                await rows.release(conn, [one.id for one in pending])
        if failed:
            async with self._database.acquire() as conn:
                await publication.back_off(conn, failed, now=self._clock.now())
            checkpoint.passed("relay.backed_off")
            publication.count_failed(failed)

    async def _remove_all(self) -> None:
        while self._to_remove:
            await self._wait_for_company()
            removing, self._to_remove = self._to_remove, []
            with self._busy_with(len(removing)):
                try:
                    gone = await self._remove(removing)
                except Exception as error:
                    self._to_remove = [*removing, *self._to_remove]
                    if not is_unavailable(error):
                        raise
                    _log.warning("outbox.database_away", error=type(error).__name__)
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
            # A row whose lease ran out meanwhile was published again, and counted, by another relay.
            publication.count_published([one for one in removing if one.id in gone])

    async def _wait_for_company(self) -> None:
        """More to be removed with it: a commit costs the same for one and for many."""
        if not self._closing.is_set() and len(self._to_remove) < MESSAGES_PER_REMOVAL:
            self._company.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REMOVE_AFTER_SECONDS):
                    await self._company.wait()

    async def _remove(self, removing: Sequence[Confirmed]) -> Collection[int]:
        """Remove the rows of what was confirmed, and tell their owner; the ids of those still there."""
        ids = [one.id for one in removing]
        if self._on_confirmed is None:
            async with self._database.acquire() as conn:
                gone = await rows.remove(conn, ids)
        else:
            async with self._database.transaction() as conn:
                gone = await rows.remove(conn, ids)
                checkpoint.passed("relay.removed")
                await publication.tell(conn, self._on_confirmed, [one for one in removing if one.id in gone])
        checkpoint.passed("relay.committed")
        return gone

    @contextlib.contextmanager
    def _busy_with(self, number: int) -> Iterator[None]:
        """Messages that are in no list while something is done with them are in hand all the same."""
        self._under_way += number
        try:
            yield
        finally:
            self._under_way -= number
            if not (self._to_publish or self._to_remove or self._under_way):
                self._empty.set()


def pending_of(
    ids: Sequence[int], messages: Sequence[OutgoingMessage], subjects: Sequence[str | None]
) -> list[Pending]:
    """Rows as they were written, in the order of their messages."""
    return [
        Pending(id=row_id, lane=Lane.LEADS, attempts=0, subject=subject, message=message)
        for row_id, message, subject in zip(ids, messages, subjects, strict=True)
    ]
