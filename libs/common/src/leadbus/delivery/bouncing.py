"""What is told of a delivery after it was taken: that it did not arrive."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from leadbus.db import Connection
from leadbus.delivery import store
from leadbus.delivery.breaker import BreakerSettings
from leadbus.delivery.machine import Bounced, NotAllowed, Phase
from leadbus.delivery.operations import NoSuchDelivery
from leadbus.delivery.recording import Happening, Rules, record
from leadbus.delivery.schedule import Schedule


class Became(StrEnum):
    """What a bounce made of its delivery."""

    FAILED = "failed"
    REPEATED = "repeated"
    """Failed, and to be tried again as a repeat."""
    SENDING = "sending"
    """Nothing yet: its answer is not recorded. To be told again once it is."""
    OUTDATED = "outdated"
    """Nothing: a newer repeat is what counts."""
    UNCHANGED = "unchanged"
    """Nothing: it had come back before, or is not on its way any more."""


_FINISHED_AT = "SELECT finished_at FROM delivery WHERE id = $1"
_INSTANT = timedelta(microseconds=1)


async def bounce(
    conn: Connection, delivery_id: UUID, event: Bounced, *, repeat_number: int, sink: str, now: datetime
) -> Became:
    """Have a delivery fail that had been taken, in the caller's transaction, and tell the outside.

    ``repeat_number``: which sending of it came back. Raises NoSuchDelivery. Afterwards wake engine and relay
    where it became FAILED or REPEATED.
    """
    rows = await store.lock(conn, [delivery_id])
    if not rows:
        raise NoSuchDelivery(delivery_id)
    (row,) = rows
    if row.state.repeat_number != repeat_number:
        return Became.OUTDATED
    if row.state.phase is Phase.SENDING:
        return Became.SENDING
    # Another replica, whose clock is ahead, may have recorded that it was taken: this came after.
    taken_at: datetime | None = await conn.fetchval(_FINISHED_AT, delivery_id)
    moment = max(now, taken_at + _INSTANT) if taken_at else now
    rules = Rules(sink, Schedule(), BreakerSettings())
    try:
        recorded = await record(conn, rules, [Happening(row, event)], now=moment)
    except NotAllowed:
        return Became.UNCHANGED
    return Became.FAILED if recorded.decisions[0].state.phase is Phase.FAILED else Became.REPEATED
