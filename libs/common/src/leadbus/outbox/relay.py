"""Publishes what the outbox holds. Any number of relays share a table; none of them keeps strict order."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from enum import IntEnum

from leadbus import checkpoint, pulse
from leadbus.clock import Clock, SystemClock
from leadbus.db import Database, is_unavailable
from leadbus.log import logger
from leadbus.messages import OutgoingMessage
from leadbus.outbox import measures, publication, rows
from leadbus.outbox.hand import HOLD_SECONDS, Hand, pending_of
from leadbus.outbox.publication import OnConfirmed, Publishing
from leadbus.outbox.rows import Pending
from leadbus.outbox.writing import Writing

POLL_SECONDS = 1.0
LEADS_PER_CLAIM = 500
BULK_PER_CLAIM = 20
BYTES_PER_CLAIM = 8 * 1024 * 1024
MEASURE_SECONDS = 15.0

_log = logger("outbox")


class Progress(IntEnum):
    """What one claim came to."""

    NONE = 0
    ALL = 1
    """Some of it was confirmed, and nothing more was due."""
    PART = 2
    """Some of it was confirmed, and more may be due."""


class OutboxRelay:
    """Publishes what this process writes from memory, and whatever else the table holds by claims.

    What is written with ``writing`` is published as soon as it is committed, and its row removed soon after
    it was confirmed. A claim takes hundreds of rows, publishes them with pipelined confirms and removes the
    confirmed, all in one transaction whose row locks are the lease. Either way a process that dies in the
    middle gives its rows back by dying, and they are published again: at once, or after ``hold_seconds``
    when it had them in hand.

    What is returned (no queue takes it), refused or unknown stays and is tried again later and later; it
    never stands in the way of the rest.

    With ``gather_seconds`` what is written waits so long for company before it is published. That is for
    messages that nobody waits for: many at once cost the broker and their readers little more than one.
    It waits a quarter of ``hold_seconds`` at most.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        *,
        on_confirmed: OnConfirmed | None = None,
        clock: Clock | None = None,
        poll_seconds: float = POLL_SECONDS,
        hold_seconds: float = HOLD_SECONDS,
        gather_seconds: float = 0.0,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._on_confirmed = on_confirmed
        self._clock = clock or SystemClock()
        self._poll_seconds = poll_seconds
        self._hand = Hand(
            database,
            publisher,
            self._clock,
            on_confirmed=on_confirmed,
            hold_seconds=hold_seconds,
            gather_seconds=gather_seconds,
            news=lambda: self._woken.set(),
        )
        self._woken = asyncio.Event()
        self._look = True
        self._next_look = 0.0
        self._measured = 0.0

    def wake(self) -> None:
        """A hint that rows were committed; without it the next poll finds them."""
        self._look = True
        self._woken.set()

    def writing(
        self,
        messages: Sequence[OutgoingMessage],
        *,
        subjects: Sequence[str] | None = None,
        provided: str | None = None,
    ) -> Writing:
        """Messages to be written by a statement of the caller's, and published as soon as it is committed.

        Raises what ``outbox.adding`` raises; ``provided`` is as there.
        """
        hold = self._hand.hold(messages)
        held_until = hold.row_until if hold else None
        part = rows.adding(messages, subjects=subjects, held_until=held_until, provided=provided)

        def committed(ids: Sequence[int]) -> None:
            if hold is None:
                self.wake()
            elif ids:
                self._hand.take(pending_of(ids, messages, subjects or [None] * len(messages)), hold)

        return Writing(part, committed)

    async def run(self) -> None:
        """Publish until cancelled. Database and broker may come and go."""
        self._hand.open()
        try:
            while True:
                await self._round()
        finally:
            await self._hand.stop()

    async def _round(self) -> None:
        pulse.beat()
        self._woken.clear()
        self._hand.check()
        try:
            await self._measure()
            await self._claim_if_due()
        except Exception as error:
            if not is_unavailable(error):
                raise
            _log.warning("outbox.database_away", error=type(error).__name__)
            await asyncio.sleep(self._poll_seconds)
            return
        if not self._look:
            await self._rest()

    async def drain(self, timeout_seconds: float) -> None:
        """Publish and remove what is in hand; what is written from now on is left to the claims.

        ``run`` has to go on meanwhile. What is not done in time is published again by whoever looks next.
        """
        self._hand.close()
        self._woken.set()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._hand.emptied()
        except TimeoutError:
            _log.warning("outbox.drain_timeout")

    async def step(self) -> Progress:
        """One claim."""
        if not self._publisher.connected:
            # Rows must not grow old in attempts because the broker is away.
            return Progress.NONE
        async with self._database.transaction() as conn:
            claimed = await rows.claim(
                conn,
                now=self._clock.now(),
                leads=LEADS_PER_CLAIM,
                bulk=BULK_PER_CLAIM,
                max_bytes=BYTES_PER_CLAIM,
            )
            if not claimed:
                return Progress.NONE
            checkpoint.passed("relay.claimed")
            answers = await publication.publish(self._publisher, claimed)
            checkpoint.passed("relay.answered")
            if answers.confirmed:
                await rows.remove(conn, [one.id for one in answers.confirmed])
                checkpoint.passed("relay.removed")
                await publication.tell(conn, self._on_confirmed, answers.confirmed)
            if answers.failed:
                await publication.back_off(conn, answers.failed, now=self._clock.now())
                checkpoint.passed("relay.backed_off")
        checkpoint.passed("relay.committed")
        publication.count_published(answers.confirmed)
        publication.count_failed(answers.failed)
        if not answers.confirmed:
            return Progress.NONE
        return Progress.PART if _is_full(claimed) else Progress.ALL

    async def _claim_if_due(self) -> None:
        now = time.monotonic()
        if not self._look and now < self._next_look:
            return
        told, self._look = self._look, False
        self._next_look = now + self._poll_seconds
        # A poll hardly ever finds anything, and a claim is a transaction.
        if (told or await self._any_due()) and await self.step() is Progress.PART:
            self._look = True

    async def _any_due(self) -> bool:
        async with self._database.acquire() as conn:
            return await rows.any_due(conn, now=self._clock.now())

    async def _measure(self) -> None:
        if time.monotonic() - self._measured < MEASURE_SECONDS:
            return
        self._measured = time.monotonic()
        async with self._database.acquire() as conn:
            pending, oldest_age_seconds = await rows.stats(conn)
        measures.PENDING.set(pending)
        measures.OLDEST_AGE.set(oldest_age_seconds)

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._next_look - time.monotonic())):
                await self._woken.wait()


def _is_full(claimed: Sequence[Pending]) -> bool:
    """Whether a limit of the claim was reached, so that it may have left something."""
    bulk = sum(one.lane is rows.Lane.BULK for one in claimed)
    size = sum(len(one.message.body) for one in claimed)
    return len(claimed) - bulk >= LEADS_PER_CLAIM or bulk >= BULK_PER_CLAIM or size >= BYTES_PER_CLAIM
