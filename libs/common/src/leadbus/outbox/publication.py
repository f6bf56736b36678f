"""One publication of several rows, and what its answers mean for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from leadbus import checkpoint, pulse
from leadbus.cancellation import really_cancelled
from leadbus.db import Connection
from leadbus.log import logger
from leadbus.messages import OutgoingMessage
from leadbus.outbox import measures, rows
from leadbus.outbox.rows import Pending
from leadbus.publisher import PublishResult

PUBLISH_TIMEOUT_SECONDS = 15.0
_BACK_OFF_SECONDS = (1, 2, 5, 10, 30, 60)

_log = logger("outbox")


OnConfirmed = Callable[[Connection, list[str]], Awaitable[None]]
"""Called with the subjects of confirmed messages, in the transaction that removes their rows."""


class Publishing(Protocol):
    """The part of ``leadbus.publisher.Publisher`` that a relay needs."""

    @property
    def connected(self) -> bool: ...

    async def publish_many(self, messages: Sequence[OutgoingMessage]) -> list[PublishResult]: ...


@dataclass(frozen=True, slots=True)
class Answers:
    """Rows that the broker confirmed, and the others with the code of their failure."""

    confirmed: Sequence[Pending]
    failed: Sequence[tuple[Pending, str]]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What is kept of a row until it is removed: not its message."""

    id: int
    lane: rows.Lane
    subject: str | None


async def publish(publisher: Publishing, pending: Sequence[Pending]) -> Answers:
    """Publish them pipelined; raises nothing that the broker or a message is to blame for."""
    results = await _publish(publisher, pending)
    return Answers(
        [one for one, failure in results if failure is None],
        [(one, failure) for one, failure in results if failure is not None],
    )


async def tell(conn: Connection, owner: OnConfirmed | None, confirmed: Sequence[Pending | Confirmed]) -> None:
    """Tell the owner of those that have a subject."""
    subjects = [one.subject for one in confirmed if one.subject is not None]
    if owner is not None and subjects:
        await owner(conn, subjects)
        checkpoint.passed("relay.told")


async def back_off(conn: Connection, failed: Sequence[tuple[Pending, str]], *, now: datetime) -> None:
    """Have them tried again later, the later the more often they failed."""
    await rows.back_off(
        conn, [(one.id, code, now + timedelta(seconds=_wait_seconds(one.attempts))) for one, code in failed]
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


def count_published(published: Sequence[Pending | Confirmed]) -> None:
    """To be called once the removal of their rows is committed."""
    for lane in rows.Lane:
        number = sum(one.lane is lane for one in published)
        if number:
            measures.PUBLISHED.labels(lane=lane.name.lower()).inc(number)


def count_failed(failed: Sequence[tuple[Pending, str]]) -> None:
    for _, code in failed:
        measures.FAILURES.labels(reason=code).inc()


async def _publish(publisher: Publishing, pending: Sequence[Pending]) -> Sequence[tuple[Pending, str | None]]:
    """Each row with the code of its failure, None when confirmed."""
    try:
        results = await _publish_bounded(publisher, [one.message for one in pending])
    except Exception as error:  # noqa: BLE001 -- one message that cannot be sent is a row's fate, not the loop's
        if len(pending) == 1:
            _log.error("outbox.unpublishable", outbox_id=pending[0].id, exc_info=error)
            return [(pending[0], "unpublishable")]
        alone = [await _publish(publisher, [one]) for one in pending]
        return [pair for pairs in alone for pair in pairs]
    codes = [None if result is PublishResult.CONFIRMED else result.value for result in results]
    return list(zip(pending, codes, strict=True))


async def _publish_bounded(
    publisher: Publishing, messages: Sequence[OutgoingMessage]
) -> Sequence[PublishResult]:
    pulse.beat()
    try:
        async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
            return await publisher.publish_many(messages)
    except TimeoutError:
        pass
    except asyncio.CancelledError:
        if really_cancelled():
            raise
    return [PublishResult.UNKNOWN] * len(messages)


def _wait_seconds(attempts: int) -> float:
    return _BACK_OFF_SECONDS[min(attempts, len(_BACK_OFF_SECONDS) - 1)]
