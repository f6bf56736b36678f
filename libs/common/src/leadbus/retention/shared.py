"""Rules for the tables that services share.

The outbox has none: its rows leave when the broker confirms them, and one that it did not confirm is kept
however old. Settings and their history are kept: few, and nobody's personal data.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from leadbus import inbox
from leadbus.db import Connection
from leadbus.retention.rule import Removed, Rule

_OLDEST_SEEN = "SELECT seen_at FROM inbox ORDER BY seen_at LIMIT 1"
_AUDIT = """
DELETE FROM audit WHERE id = ANY (ARRAY(
    SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
# Jobs are few, and end about in the order they are planned in; what became of their items goes with them.
_JOBS = """
DELETE FROM job WHERE id = ANY (ARRAY(
    SELECT id FROM job WHERE ended_at < $1 ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_OLDEST_JOB = "SELECT planned_at FROM job ORDER BY seq LIMIT 1"
_OLDEST_ACT = "SELECT at FROM audit ORDER BY at LIMIT 1"


def inbox_rule(days: float) -> Rule:
    """Identities of messages. Kept longer than any message can come again, or it would count as new."""

    async def remove(conn: Connection, before: datetime, limit: int) -> Removed:
        return {"inbox": await inbox.prune(conn, before=before, limit=limit)}

    return Rule("inbox", days, remove, partial(first, query=_OLDEST_SEEN))


def audit_rule(days: float) -> Rule:
    """What operators did."""

    async def remove(conn: Connection, before: datetime, limit: int) -> Removed:
        return {"audit": removed(await conn.execute(_AUDIT, before, limit))}

    return Rule("audit", days, remove, partial(first, query=_OLDEST_ACT))


def jobs_rule(days: float) -> Rule:
    """Operators' jobs that have ended."""

    async def remove(conn: Connection, before: datetime, limit: int) -> Removed:
        return {"job": removed(await conn.execute(_JOBS, before, limit))}

    return Rule("jobs", days, remove, partial(first, query=_OLDEST_JOB))


def removed(status: str) -> int:
    """The number of rows in a command's status, `DELETE 7`."""
    return int(status.rpartition(" ")[2])


async def first(conn: Connection, query: str) -> datetime | None:
    """The moment that `query` answers with; None without a row."""
    moment: datetime | None = await conn.fetchval(query)
    return moment
