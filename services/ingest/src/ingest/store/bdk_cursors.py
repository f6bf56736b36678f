"""How far the bank's lists are known: one row for each partner number of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from leadbus.db import Connection

# One that was there before goes on where it was, however long the connection was gone.
_ENSURE = """
INSERT INTO bdk_cursor (connection, partner_number, known_until, next_at, failures, pages, entries,
                        unreadable, news)
SELECT $1, partner_number, $3, $4, 0, 0, 0, 0, 0 FROM unnest($2::text[]) AS listed (partner_number)
 ORDER BY partner_number
ON CONFLICT DO NOTHING
"""
_DUE_AT_ONCE = """
UPDATE bdk_cursor SET next_at = $2, known_until = least(known_until, $3)
 WHERE connection = $1 AND partner_number = ANY($4::text[])
"""
_CLAIM = """
UPDATE bdk_cursor SET lease_token = $4, lease_until = clock_timestamp() + $5 * interval '1 second',
       attempted_at = $3
 WHERE (connection, partner_number) IN (
       SELECT connection, partner_number FROM bdk_cursor
        WHERE connection = $1 AND partner_number = ANY($2::text[]) AND next_at <= $3
          AND (lease_until IS NULL OR lease_until < clock_timestamp())
        ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING partner_number, known_until, failures
"""
_RENEW = """
UPDATE bdk_cursor SET lease_until = clock_timestamp() + $4 * interval '1 second'
 WHERE connection = $1 AND partner_number = $2 AND lease_token = $3 RETURNING true
"""
_ENDED = """
UPDATE bdk_cursor SET known_until = greatest(known_until, $4), next_at = $5, failures = 0,
       outcome = 'answered', status = 200, succeeded_at = $6, pages = $7, entries = $8,
       unreadable = $9, news = $10, lease_token = NULL, lease_until = NULL
 WHERE connection = $1 AND partner_number = $2 AND lease_token = $3
"""
_FAILED = """
UPDATE bdk_cursor SET next_at = $4, failures = failures + 1, outcome = $5, status = $6, lease_token = NULL,
       lease_until = NULL
 WHERE connection = $1 AND partner_number = $2 AND lease_token = $3
"""
_WITH_DUE = """
SELECT DISTINCT connection FROM bdk_cursor WHERE connection = ANY($1::text[]) AND next_at <= $2
"""
_OF = """
SELECT connection, partner_number, known_until, next_at, failures, attempted_at, succeeded_at, outcome,
       status, pages, entries, unreadable, news
  FROM bdk_cursor WHERE connection = ANY($1::text[]) ORDER BY connection, partner_number
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A list that is due, in hand."""

    connection: str
    partner_number: str
    lease_token: UUID
    known_until: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class Listed:
    """What one list came to. ``news``: leads to be fetched for it."""

    pages: int = 0
    entries: int = 0
    unreadable: int = 0
    news: int = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one list is known, and what became of it last."""

    connection: str
    partner_number: str
    known_until: datetime
    next_at: datetime
    failures: int
    attempted_at: datetime | None
    succeeded_at: datetime | None
    outcome: str | None
    status: int | None
    pages: int
    entries: int
    unreadable: int
    news: int


async def ensure(
    conn: Connection, connection: str, partner_numbers: Sequence[str], *, known_until: datetime, now: datetime
) -> None:
    """Have a row for each list; a new one begins at ``known_until`` and is due."""
    await conn.execute(_ENSURE, connection, list(partner_numbers), known_until, now)


async def due_at_once(
    conn: Connection,
    connection: str,
    partner_numbers: Sequence[str],
    now: datetime,
    *,
    since: datetime | None = None,
) -> None:
    """Ask for the lists again now, from ``since`` on where that is earlier than they are known."""
    await conn.execute(_DUE_AT_ONCE, connection, now, since, list(partner_numbers))


async def with_due(conn: Connection, connections: Sequence[str], now: datetime) -> set[str]:
    """Those of ``connections`` that have a list due."""
    return {row["connection"] for row in await conn.fetch(_WITH_DUE, connections, now)}


async def claim(
    conn: Connection,
    connection: str,
    partner_numbers: Sequence[str],
    now: datetime,
    *,
    token: UUID,
    lease_seconds: float,
) -> Claimed | None:
    """Take a list that is due, committed before it is asked for."""
    row = await conn.fetchrow(_CLAIM, connection, list(partner_numbers), now, token, lease_seconds)
    return Claimed(connection=connection, lease_token=token, **row) if row else None


async def renew(conn: Connection, claimed: Claimed, *, lease_seconds: float) -> bool:
    """Whether it is still ours."""
    return bool(
        await conn.fetchval(
            _RENEW, claimed.connection, claimed.partner_number, claimed.lease_token, lease_seconds
        )
    )


async def ended(
    conn: Connection,
    claimed: Claimed,
    *,
    known_until: datetime,
    now: datetime,
    interval: timedelta,
    listed: Listed,
) -> None:
    """The list was read to its end: everything before ``known_until`` is known."""
    await conn.execute(
        _ENDED,
        claimed.connection,
        claimed.partner_number,
        claimed.lease_token,
        known_until,
        now + interval,
        now,
        listed.pages,
        listed.entries,
        listed.unreadable,
        listed.news,
    )


async def failed(
    conn: Connection, claimed: Claimed, *, next_at: datetime, outcome: str, status: int | None
) -> None:
    """It was not read to its end: the next one begins where this one did."""
    await conn.execute(
        _FAILED, claimed.connection, claimed.partner_number, claimed.lease_token, next_at, outcome, status
    )


async def of(conn: Connection, connections: Sequence[str]) -> list[Cursor]:
    """Every list there ever was of these connections."""
    return [Cursor(**row) for row in await conn.fetch(_OF, connections)]
