"""Leads that the bank told of: note, claim, end; one row for each lead of a connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from leadbus.contracts import NAMESPACE
from leadbus.db import Connection
from leadbus.retention import Removed, first, removed

NoticedBy = Literal["notification", "list", "operator"]

# What is being fetched just now is fetched once more: the answer under way may be older than the news.
_NOTE = """
INSERT INTO bdk_read AS known (read_id, connection, lead_id, state, first_noticed_by, first_noticed_at,
                               noticed_at, asked, asked_in_hand, tries, due_at, notice, correlation_id)
VALUES ($1, $2, $3, 'due', 'notification', $4, $4, 1, 0, 0, $4, $5, $6)
ON CONFLICT (read_id) DO UPDATE
   SET asked = known.asked + 1, state = 'due', tries = 0, due_at = $4, noticed_at = $4, notice = $5,
       correlation_id = $6
RETURNING asked
"""
# In the order of ids: two replicas that note the same cannot wait for each other.
_NOTE_LISTED = """
INSERT INTO bdk_read AS known (read_id, connection, lead_id, state, first_noticed_by, first_noticed_at,
                               noticed_at, asked, asked_in_hand, tries, due_at, entry_digest)
SELECT read_id, $1, lead_id, 'due', 'list', $2, $2, 1, 0, 0, $2, entry_digest
  FROM unnest($3::uuid[], $4::text[], $5::bytea[]) AS told (read_id, lead_id, entry_digest)
 ORDER BY read_id
ON CONFLICT (read_id) DO UPDATE
   SET asked = known.asked + 1, state = 'due', tries = 0, due_at = excluded.due_at,
       noticed_at = excluded.noticed_at, entry_digest = excluded.entry_digest
 WHERE known.entry_digest IS DISTINCT FROM excluded.entry_digest
RETURNING (xmax = 0) AS unheard_of
"""
_TAKEN = """
INSERT INTO bdk_read AS known (read_id, connection, lead_id, state, first_noticed_by, first_noticed_at,
                               noticed_at, asked, asked_in_hand, tries, due_at, outcome, raw_id,
                               correlation_id)
VALUES ($1, $2, $3, 'done', 'notification', $4, $4, 1, 1, 0, $4, 'answered', $5, $6)
ON CONFLICT (read_id) DO UPDATE SET noticed_at = $4, outcome = 'answered', raw_id = $5, correlation_id = $6,
       state = CASE WHEN known.state IN ('due', 'held') AND known.asked > known.asked_in_hand THEN known.state
                    ELSE 'done' END
"""
_WITH_DUE = """
SELECT connection FROM unnest($1::text[]) AS asked (connection)
 WHERE EXISTS (SELECT FROM bdk_read
                WHERE connection = asked.connection AND state IN ('due', 'held') AND due_at <= $2)
"""
_CLAIM = """
UPDATE bdk_read SET lease_token = $4, lease_until = clock_timestamp() + $5 * interval '1 second',
       attempted_at = $2, asked_in_hand = asked
 WHERE read_id = ANY (ARRAY(
       SELECT read_id FROM bdk_read
        WHERE connection = $1 AND state IN ('due', 'held') AND due_at <= $2
          AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED))
RETURNING read_id, lead_id, tries, noticed_at, raw_id, correlation_id
"""
_DONE = """
UPDATE bdk_read SET state = CASE WHEN asked > asked_in_hand THEN 'due' ELSE 'done' END, due_at = $3,
       tries = 0, lease_token = NULL, lease_until = NULL, outcome = 'answered', status = 200, raw_id = $4,
       notice = CASE WHEN asked > asked_in_hand THEN notice END
 WHERE read_id = $1 AND lease_token = $2
"""
_FAILED = """
UPDATE bdk_read SET
       state = CASE WHEN asked > asked_in_hand AND $3::text = 'given_up' THEN 'due' ELSE $3::text END,
       due_at = CASE WHEN asked > asked_in_hand AND $5::boolean THEN $8::timestamptz ELSE $4::timestamptz END,
       tries = tries + $5::boolean::int, lease_token = NULL, lease_until = NULL, outcome = $6, status = $7
 WHERE read_id = $1 AND lease_token = $2
"""
_RELEASE = (
    "UPDATE bdk_read SET lease_token = NULL, lease_until = NULL WHERE read_id = $1 AND lease_token = $2"
)
_WAKE = """
UPDATE bdk_read SET due_at = $2 WHERE connection = $1 AND state IN ('due', 'held') AND due_at > $2
"""
_RETRY = """
UPDATE bdk_read SET state = 'due', tries = 0, due_at = $2, noticed_at = $2, asked = asked + 1
 WHERE read_id = $1 RETURNING connection, lead_id
"""
_DISCARD = """
UPDATE bdk_read SET state = 'discarded', lease_token = NULL, lease_until = NULL, notice = NULL
 WHERE read_id = $1 AND state IN ('due', 'held', 'given_up') RETURNING connection, lead_id
"""
_WAITING = """
SELECT connection, state, count(*) AS number, min(noticed_at) AS oldest FROM bdk_read
 WHERE state IN ('due', 'held', 'given_up') GROUP BY connection, state
"""
_FORGET = """
DELETE FROM bdk_read WHERE read_id = ANY (ARRAY(
    SELECT read_id FROM bdk_read WHERE state IN ('done', 'discarded') AND noticed_at < $1
     ORDER BY noticed_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_OLDEST = "SELECT noticed_at FROM bdk_read ORDER BY noticed_at LIMIT 1"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A due read in hand. ``raw_id``: what was last made of the lead; ``noticed_at``: the last word of it."""

    read_id: UUID
    lease_token: UUID
    lead_id: str
    tries: int
    noticed_at: datetime
    raw_id: UUID | None
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many reads of a connection are in a state, and when the first of them was told of."""

    connection: str
    state: str
    number: int
    oldest: datetime


def read_id(connection: str, lead_id: str) -> UUID:
    """The id of a lead's row: the same for ever."""
    return uuid5(NAMESPACE, json.dumps(["bdk-read", connection, lead_id]))


async def note(
    conn: Connection,
    connection: str,
    lead_id: str,
    now: datetime,
    *,
    notice: bytes,
    correlation_id: str | None,
) -> bool:
    """Have a lead fetched that a notification told of; whether it is the first word of it."""
    asked = await conn.fetchval(
        _NOTE, read_id(connection, lead_id), connection, lead_id, now, notice, correlation_id
    )
    return bool(asked == 1)


async def note_taken(
    conn: Connection,
    connection: str,
    lead_id: str,
    now: datetime,
    *,
    raw_id: UUID,
    correlation_id: str | None,
) -> None:
    """A notification brought the lead itself: there is nothing to fetch, unless it was told of before."""
    await conn.execute(_TAKEN, read_id(connection, lead_id), connection, lead_id, now, raw_id, correlation_id)


async def note_listed(
    conn: Connection, connection: str, entries: Sequence[tuple[str, bytes]], now: datetime
) -> tuple[int, int]:
    """Have leads fetched whose entry (lead id, digest) is new or changed; how many, and of how many the list
    is the first word."""
    latest = dict(entries)
    rows = await conn.fetch(
        _NOTE_LISTED,
        connection,
        now,
        [read_id(connection, lead_id) for lead_id in latest],
        list(latest),
        list(latest.values()),
    )
    return len(rows), sum(row["unheard_of"] for row in rows)


async def with_due(conn: Connection, connections: Sequence[str], now: datetime) -> set[str]:
    """Those of ``connections`` that have something due."""
    return {row["connection"] for row in await conn.fetch(_WITH_DUE, connections, now)}


async def claim(
    conn: Connection, connection: str, now: datetime, limit: int, *, token: UUID, lease_seconds: float
) -> list[Claimed]:
    """Take up to ``limit`` due reads, before anything is asked; the lease is by the database's clock."""
    rows = await conn.fetch(_CLAIM, connection, now, limit, token, lease_seconds)
    return [Claimed(lease_token=token, **row) for row in rows]


async def done(conn: Connection, claimed: Claimed, now: datetime, raw_id: UUID) -> None:
    """It was fetched; told of again meanwhile, it is due again."""
    await conn.execute(_DONE, claimed.read_id, claimed.lease_token, now, raw_id)


async def failed(
    conn: Connection,
    claimed: Claimed,
    *,
    state: str,
    due_at: datetime,
    counts: bool,
    outcome: str,
    status: int | None,
    now: datetime,
) -> None:
    """It was not fetched. Told of again meanwhile, it is due at once where this was a try of it."""
    await conn.execute(
        _FAILED, claimed.read_id, claimed.lease_token, state, due_at, counts, outcome, status, now
    )


async def release(conn: Connection, claimed: Claimed) -> None:
    """Let another one try it at once, rather than when the lease has run out."""
    await conn.execute(_RELEASE, claimed.read_id, claimed.lease_token)


async def wake(conn: Connection, connection: str, now: datetime) -> None:
    """Try at once whatever waits."""
    await conn.execute(_WAKE, connection, now)


async def retry(conn: Connection, read: UUID, now: datetime) -> str | None:
    """Have a lead fetched again, whatever became of it; its connection, None without such a read."""
    row = await conn.fetchrow(_RETRY, read, now)
    return str(row["connection"]) if row else None


async def discard(conn: Connection, read: UUID) -> str | None:
    """Fetch it no more; its connection, None where there is nothing to give up."""
    row = await conn.fetchrow(_DISCARD, read)
    return str(row["connection"]) if row else None


async def waiting(conn: Connection) -> list[Waiting]:
    """What is not done, of every connection."""
    return [Waiting(**row) for row in await conn.fetch(_WAITING)]


async def forget(conn: Connection, before: datetime, limit: int) -> Removed:
    """Delete up to ``limit`` leads that were fetched and not told of since a moment, oldest first."""
    return {"bdk_read": removed(await conn.execute(_FORGET, before, limit))}


async def oldest(conn: Connection) -> datetime | None:
    """When the one was told of that was told of longest ago."""
    return await first(conn, _OLDEST)
