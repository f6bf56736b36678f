"""Messages that are published by the process that wrote them, without reading them back from the table.

Their rows carry a lease: a time before which no relay claims them. Whoever dies with messages in hand gives
them back by letting it run out. Why: docs/adr/0109-publish-what-was-just-written-from-memory.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import asyncpg

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import Connection, Database, Part, at_once, is_unavailable, on_commit
from leadbus.log import logger
from leadbus.messages import OutgoingMessage
from leadbus.outbox import publication, rows
from leadbus.outbox.publication import OnConfirmed, Publishing
from leadbus.outbox.rows import Lane, Pending

HOLD_SECONDS = 10.0
MOST_BYTES = 8 * 1024 * 1024
MOST_MESSAGES = 2000
REMOVE_AFTER_SECONDS = 0.5
MESSAGES_PER_REMOVAL = 500

_log = logger("outbox")


@dataclass(frozen=True, slots=True)
class Writing:
    """Messages on their way into the table: a part of a statement, and what to do once it is committed."""

    part: Part
    _commit: Callable[[Sequence[int]], None]

    def written(self, conn: Connection, row: asyncpg.Record) -> None:
        """``row`` came back from the statement with ``part``; the transaction of ``conn`` is to commit it."""
        on_commit(conn, lambda: self._commit(row["message_ids"]))

    def committed(self, row: asyncpg.Record) -> None:
        """``row`` came back from a statement with ``part`` that was a transaction of its own."""
        self._commit(row["message_ids"])

    async def write(self, conn: Connection) -> None:
        """Write them in the transaction of ``conn``, by a statement of their own."""
        self.written(conn, await at_once(conn, self.part))
        checkpoint.passed("outbox.added")


class Outgoing(Protocol):
    """Where messages of a transaction go: an ``OutboxRelay``, or ``LeftToClaims``."""

    def writing(
        self,
        messages: Sequence[OutgoingMessage],
        *,
        subjects: Sequence[str] | None = None,
        provided: str | None = None,
    ) -> Writing:
        """Messages to be written by a statement of the caller's. Raises what ``outbox.adding`` raises.

        With ``provided`` (see there), ``written`` or ``committed`` is called only if it was so.
        """

    def wake(self) -> None:
        """Rows were committed in another way."""


class LeftToClaims:
    """Whichever relay looks next publishes them; ``wake`` is called when there is something to look for."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.wake = wake

    def writing(
        self,
        messages: Sequence[OutgoingMessage],
        *,
        subjects: Sequence[str] | None = None,
        provided: str | None = None,
    ) -> Writing:
        return Writing(rows.adding(messages, subjects=subjects, provided=provided), lambda _: self.wake())


class Hand:
    """What one process has in hand: committed and to be published, or confirmed and to be removed.

    Bounded: what is more than ``MOST_MESSAGES`` or ``MOST_BYTES`` is left to the relays' claims. What is
    ``taken`` is published at once by a task of its own, which waits for no removal and no claim; what ends
    that task unforeseen is raised by ``check``. ``news`` is called when there is something to remove or to
    raise.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        clock: Clock,
        *,
        on_confirmed: OnConfirmed | None,
        hold_seconds: float,
        news: Callable[[], None],
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._on_confirmed = on_confirmed
        self._hold_seconds = hold_seconds
        self._news = news
        self._to_publish: list[tuple[float, Pending]] = []
        self._to_remove: list[Pending] = []
        self._oldest_confirmed = 0.0
        self._bytes = 0
        self._number_under_way = 0
        self._publishing = False
        self._publishers: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def removal_due_at(self) -> float | None:
        """On the monotonic clock; None when nothing is confirmed."""
        if not self._to_remove:
            return None
        full = self._closed or len(self._to_remove) >= MESSAGES_PER_REMOVAL
        return 0.0 if full else self._oldest_confirmed + REMOVE_AFTER_SECONDS

    def hold(self, messages: Sequence[OutgoingMessage]) -> datetime | None:
        """Until when messages that are written now are ours to publish; None: the claims take them."""
        size = sum(len(message.body) for message in messages)
        number = len(self._to_publish) + len(self._to_remove) + self._number_under_way + len(messages)
        full = number > MOST_MESSAGES or self._bytes + size > MOST_BYTES
        if full or self._closed or not (self._hold_seconds and self._publisher.connected):
            return None
        return self._clock.now() + timedelta(seconds=self._hold_seconds)

    def take(self, pending: Sequence[Pending]) -> None:
        """Rows that were committed a moment ago, held by us: to be published from the loop's next turn on."""
        # Half of the lease is for the broker's answer and for clocks that differ.
        until = time.monotonic() + self._hold_seconds / 2
        self._to_publish += [(until, one) for one in pending]
        self._bytes += sum(len(one.message.body) for one in pending)
        self._empty.clear()
        if not self._publishing:
            self._publishing = True
            # Nobody's context: what is bound in the writer's, its pulse too, is about the writer.
            task = asyncio.create_task(self._publish_all(), name="outbox", context=contextvars.Context())
            self._publishers.add(task)
            task.add_done_callback(self._publishers.discard)

    def check(self) -> None:
        """Raises what publishing met that nobody foresaw; those messages are left to the claims."""
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Publish no more. What is not confirmed yet is published again when its lease is over."""
        for task in self._publishers:
            task.cancel()
        if self._publishers:
            await asyncio.wait(self._publishers)

    async def _publish_all(self) -> None:
        try:
            while self._to_publish:
                taken, self._to_publish = self._to_publish, []
                with self._under_way(len(taken)):
                    await self._publish(taken)
                self._bytes = sum(len(one.message.body) for _, one in self._to_publish)
        finally:
            self._publishing = False

    async def _publish(self, taken: Sequence[tuple[float, Pending]]) -> None:
        """Publish them; what cannot be goes back to the table for everybody."""
        now = time.monotonic()
        fresh = [one for until, one in taken if until > now] if self._publisher.connected else []
        checkpoint.passed("relay.in_hand")
        answers = await publication.publish(self._publisher, fresh) if fresh else publication.Answers([], [])
        checkpoint.passed("relay.answered")
        if answers.confirmed:
            self._confirmed(answers.confirmed)
        published = {one.id for one in fresh}
        try:
            await self._put_back([one for _, one in taken if one.id not in published], answers.failed)
        except Exception as error:  # noqa: BLE001 -- a lease that nobody takes off runs out
            if is_unavailable(error):
                _log.warning("outbox.database_away", error=type(error).__name__)
            else:
                self._failure = error
                self._news()

    def _confirmed(self, confirmed: Sequence[Pending]) -> None:
        if not self._to_remove:
            self._oldest_confirmed = time.monotonic()
            self._news()
        self._to_remove += confirmed

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

    async def remove(self) -> None:
        """Remove the rows of what was confirmed, and tell their owner."""
        removing, self._to_remove = self._to_remove, []
        with self._under_way(len(removing)):
            try:
                gone = await self._remove(removing)
            except BaseException:
                self._to_remove = [*removing, *self._to_remove]
                raise
        # A row whose lease ran out meanwhile was published again, and counted, by another relay.
        publication.count_published([one for one in removing if one.id in gone])

    async def _remove(self, removing: Sequence[Pending]) -> Collection[int]:
        """The ids of those that were still there."""
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

    def close(self) -> None:
        """Hold nothing that is written from now on, and keep nothing waiting."""
        self._closed = True

    async def emptied(self) -> None:
        """Returns when nothing is in hand."""
        await self._empty.wait()

    @contextlib.contextmanager
    def _under_way(self, number: int) -> Iterator[None]:
        """Messages that are in no list while something is done with them are in hand all the same."""
        self._number_under_way += number
        try:
            yield
        finally:
            self._number_under_way -= number
            if not (self._to_publish or self._to_remove or self._number_under_way):
                self._empty.set()


def pending_of(
    ids: Sequence[int], messages: Sequence[OutgoingMessage], subjects: Sequence[str | None]
) -> list[Pending]:
    """Rows as they were written, in the order of their messages."""
    return [
        Pending(id=row_id, lane=Lane.LEADS, attempts=0, subject=subject, message=message)
        for row_id, message, subject in zip(ids, messages, subjects, strict=True)
    ]
