"""Messages that are published by the process that wrote them, without reading them back from the table.

Their rows carry a lease: a time before which no relay claims them. Whoever dies with messages in hand gives
them back by letting it run out. Why: docs/adr/0109-publish-what-was-just-written-from-memory.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import asyncpg

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import Connection, Database, Part, at_once, on_commit
from leadbus.log import logger
from leadbus.messages import OutgoingMessage
from leadbus.outbox import publication, rows
from leadbus.outbox.publication import OnConfirmed, Publishing
from leadbus.outbox.rows import Lane, Pending

HOLD_SECONDS = 10.0
MOST_BYTES = 8 * 1024 * 1024
MOST_MESSAGES = 2000
REMOVE_AFTER_SECONDS = 0.1
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

    Bounded: what is more than ``MOST_MESSAGES`` or ``MOST_BYTES`` is left to the relays' claims.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        clock: Clock,
        *,
        on_confirmed: OnConfirmed | None,
        hold_seconds: float,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._on_confirmed = on_confirmed
        self._hold_seconds = hold_seconds
        self._to_publish: list[tuple[float, Pending]] = []
        self._to_remove: list[Pending] = []
        self._oldest_confirmed = 0.0
        self._bytes = 0
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def publishing_due(self) -> bool:
        return bool(self._to_publish)

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
        number = len(self._to_publish) + len(self._to_remove) + len(messages)
        full = number > MOST_MESSAGES or self._bytes + size > MOST_BYTES
        if full or self._closed or not (self._hold_seconds and self._publisher.connected):
            return None
        return self._clock.now() + timedelta(seconds=self._hold_seconds)

    def take(self, pending: Sequence[Pending]) -> None:
        """Rows that were committed a moment ago, held by us."""
        # Half of the lease is for the broker's answer and for clocks that differ.
        until = time.monotonic() + self._hold_seconds / 2
        self._to_publish += [(until, one) for one in pending]
        self._bytes += sum(len(one.message.body) for one in pending)
        self._empty.clear()

    async def publish(self) -> None:
        """Publish what is in hand; what cannot be goes back to the table for everybody."""
        if not self._to_publish:
            return
        taken, self._to_publish = self._to_publish, []
        try:
            await self._publish(taken)
        finally:
            self._bytes = sum(len(one.message.body) for _, one in self._to_publish)
            self._say_if_empty()

    async def _publish(self, taken: Sequence[tuple[float, Pending]]) -> None:
        now = time.monotonic()
        fresh = [one for until, one in taken if until > now] if self._publisher.connected else []
        checkpoint.passed("relay.in_hand")
        answers = await publication.publish(self._publisher, fresh) if fresh else publication.Answers([], [])
        checkpoint.passed("relay.answered")
        if answers.confirmed:
            if not self._to_remove:
                self._oldest_confirmed = time.monotonic()
            self._to_remove += answers.confirmed
        if len(fresh) < len(taken):
            published = {one.id for one in fresh}
            await self._give_back([one for _, one in taken if one.id not in published])
        if answers.failed:
            async with self._database.acquire() as conn:
                await publication.back_off(conn, answers.failed, now=self._clock.now())
            checkpoint.passed("relay.backed_off")
            publication.count_failed(answers.failed)

    async def _give_back(self, pending: Sequence[Pending]) -> None:
        _log.info("outbox.given_back", messages=len(pending))
        async with self._database.acquire() as conn:
            await rows.release(conn, [one.id for one in pending])

    async def remove(self) -> None:
        """Remove the rows of what was confirmed, and tell their owner."""
        removing = self._to_remove
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
        self._to_remove = []
        # A row whose lease ran out meanwhile was published again, and counted, by another relay.
        publication.count_published([one for one in removing if one.id in gone])
        self._say_if_empty()

    def close(self) -> None:
        """Hold nothing that is written from now on, and keep nothing waiting."""
        self._closed = True

    async def emptied(self) -> None:
        """Returns when nothing is in hand."""
        await self._empty.wait()

    def _say_if_empty(self) -> None:
        if not (self._to_publish or self._to_remove):
            self._empty.set()


def pending_of(
    ids: Sequence[int], messages: Sequence[OutgoingMessage], subjects: Sequence[str | None]
) -> list[Pending]:
    """Rows as they were written, in the order of their messages."""
    return [
        Pending(id=row_id, lane=Lane.LEADS, attempts=0, subject=subject, message=message)
        for row_id, message, subject in zip(ids, messages, subjects, strict=True)
    ]
