"""Publishes what the outbox holds. Any number of relays share a table; none of them keeps strict order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Protocol

from leadbus import checkpoint, pulse
from leadbus.cancellation import really_cancelled
from leadbus.clock import Clock, SystemClock
from leadbus.db import Connection, Database, is_unavailable
from leadbus.log import logger
from leadbus.messages import OutgoingMessage
from leadbus.outbox import measures, rows
from leadbus.outbox.rows import Pending
from leadbus.publisher import PublishResult

OnConfirmed = Callable[[Connection, list[str]], Awaitable[None]]
"""Called with the subjects of confirmed messages, in the transaction that removes their rows."""

POLL_SECONDS = 1.0
LEADS_PER_CLAIM = 500
BULK_PER_CLAIM = 20
BYTES_PER_CLAIM = 8 * 1024 * 1024
PUBLISH_TIMEOUT_SECONDS = 15.0
MEASURE_SECONDS = 15.0
_BACK_OFF_SECONDS = (1, 2, 5, 10, 30, 60)

_log = logger("outbox")


class Publishing(Protocol):
    """The part of ``leadbus.publisher.Publisher`` that a relay needs."""

    @property
    def connected(self) -> bool: ...

    async def publish_many(self, messages: Sequence[OutgoingMessage]) -> list[PublishResult]: ...


class Progress(IntEnum):
    """What one claim came to."""

    NONE = 0
    ALL = 1
    """Some of it was confirmed, and nothing more was due."""
    PART = 2
    """Some of it was confirmed, and more may be due."""


class OutboxRelay:
    """Claims hundreds of rows, publishes them with pipelined confirms, removes the confirmed; all in one
    transaction, whose row locks are the lease. A relay that dies in the middle gives its rows back by dying,
    and they are published again.

    What is returned (no queue takes it), refused or unknown stays and is tried again later and later; it
    never stands in the way of the rest.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publishing,
        *,
        on_confirmed: OnConfirmed | None = None,
        clock: Clock | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._on_confirmed = on_confirmed
        self._clock = clock or SystemClock()
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._measured = 0.0

    def wake(self) -> None:
        """A hint that rows were committed; without it the next poll finds them."""
        self._woken.set()

    async def run(self) -> None:
        """Publish until cancelled. Database and broker may come and go."""
        while True:
            pulse.beat()
            self._woken.clear()
            try:
                await self._measure()
                progress = await self.step()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                _log.warning("outbox.database_away", error=type(error).__name__)
                await asyncio.sleep(self._poll_seconds)
                continue
            if progress is not Progress.PART:
                await self._rest()

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
            results = await self._publish(claimed)
            checkpoint.passed("relay.answered")
            confirmed = [one for one, failure in results if failure is None]
            failed = [(one, failure) for one, failure in results if failure is not None]
            if confirmed:
                await rows.remove(conn, [one.id for one in confirmed])
                checkpoint.passed("relay.removed")
                await self._tell(conn, confirmed)
            if failed:
                await self._back_off(conn, failed)
                checkpoint.passed("relay.backed_off")
        checkpoint.passed("relay.committed")
        _count(confirmed, failed)
        if not confirmed:
            return Progress.NONE
        return Progress.PART if _is_full(claimed) else Progress.ALL

    async def _publish(self, claimed: Sequence[Pending]) -> list[tuple[Pending, str | None]]:
        """Each row with the code of its failure, None when confirmed."""
        try:
            results = await self._publish_bounded([one.message for one in claimed])
        except Exception as error:  # noqa: BLE001 -- one message that cannot be sent is a row's fate, not the loop's
            if len(claimed) == 1:
                _log.error("outbox.unpublishable", outbox_id=claimed[0].id, exc_info=error)
                return [(claimed[0], "unpublishable")]
            alone = [await self._publish([one]) for one in claimed]
            return [pair for pairs in alone for pair in pairs]
        codes = [None if result is PublishResult.CONFIRMED else result.value for result in results]
        return list(zip(claimed, codes, strict=True))

    async def _publish_bounded(self, messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        pulse.beat()
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
                return await self._publisher.publish_many(messages)
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if really_cancelled():
                raise
        return [PublishResult.UNKNOWN] * len(messages)

    async def _tell(self, conn: Connection, confirmed: Sequence[Pending]) -> None:
        subjects = [one.subject for one in confirmed if one.subject is not None]
        if self._on_confirmed is not None and subjects:
            await self._on_confirmed(conn, subjects)
            checkpoint.passed("relay.told")

    async def _back_off(self, conn: Connection, failed: Sequence[tuple[Pending, str]]) -> None:
        now = self._clock.now()
        await rows.back_off(
            conn,
            [(one.id, code, now + timedelta(seconds=_wait_seconds(one.attempts))) for one, code in failed],
        )
        for one, code in failed:
            # An unknown confirm is the ordinary end of a connection; a return means that a queue is missing.
            say = _log.info if code == PublishResult.UNKNOWN.value else _log.error
            say(
                "outbox.not_published",
                outbox_id=one.id,
                exchange=one.message.exchange,
                routing_key=one.message.routing_key,
                message_id=one.message.properties.message_id,
                error=code,
                attempts=one.attempts + 1,
            )

    async def _measure(self) -> None:
        if time.monotonic() - self._measured < MEASURE_SECONDS:
            return
        self._measured = time.monotonic()
        async with self._database.acquire() as conn:
            pending, oldest_age_seconds = await rows.stats(conn)
        measures.PENDING.set(pending)
        measures.OLDEST_AGE.set(oldest_age_seconds)

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
        except TimeoutError:
            return


def _is_full(claimed: Sequence[Pending]) -> bool:
    """Whether a limit of the claim was reached, so that it may have left something."""
    bulk = sum(one.lane is rows.Lane.BULK for one in claimed)
    size = sum(len(one.message.body) for one in claimed)
    return len(claimed) - bulk >= LEADS_PER_CLAIM or bulk >= BULK_PER_CLAIM or size >= BYTES_PER_CLAIM


def _wait_seconds(attempts: int) -> float:
    return _BACK_OFF_SECONDS[min(attempts, len(_BACK_OFF_SECONDS) - 1)]


def _count(confirmed: Sequence[Pending], failed: Sequence[tuple[Pending, str]]) -> None:
    for lane in rows.Lane:
        number = sum(one.lane is lane for one in confirmed)
        if number:
            measures.PUBLISHED.labels(lane=lane.name.lower()).inc(number)
    for _, code in failed:
        measures.FAILURES.labels(reason=code).inc()
