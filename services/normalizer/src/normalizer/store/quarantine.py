"""What could not be read or placed: put in, take out, find what may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
from leadbus.contracts.vocabulary import QuarantineReason
from leadbus.db import Connection

from normalizer.domain.raw import Raw

State = Literal["open", "released", "discarded"]
How = Literal["replayed", "mapped", "discarded"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why `raw` made no lead; `location` is the reference that no setting maps."""

    raw: Raw
    reason: QuarantineReason
    detail: str
    field: str | None = None
    value_kind: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it stands, held by our transaction."""

    raw_key: UUID
    state: State
    reason: QuarantineReason
    times: int


# What was open stays in its place, with today's verdict; what was closed opens once more.
_PUT = """
INSERT INTO quarantine (raw_key, source, account, wire_id, size_bytes, reason, field, value_kind, detail,
                        location, state, times, quarantined_at)
SELECT raw_key, source, account, wire_id, size_bytes, reason, field, value_kind, detail,
       location, 'open', 1, $1
  FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::text[])
       AS m (raw_key, source, account, wire_id, size_bytes, reason, field, value_kind, detail, location)
 ORDER BY raw_key
ON CONFLICT (raw_key) DO UPDATE
   SET reason = excluded.reason, field = excluded.field, value_kind = excluded.value_kind,
       detail = excluded.detail, location = excluded.location, times = quarantine.times + 1,
       quarantined_at = CASE WHEN quarantine.state = 'open' THEN quarantine.quarantined_at ELSE $1 END,
       state = 'open', closed_at = NULL, closed_by = NULL, how = NULL, note = NULL
RETURNING raw_key, times
"""
_CLOSE = """
UPDATE quarantine SET state = $2, how = $3, closed_at = $4, closed_by = $5, note = $6
 WHERE raw_key = ANY($1::uuid[]) AND state = 'open'
RETURNING raw_key, reason, times
"""
_LOCK = "SELECT raw_key, state, reason, times FROM quarantine WHERE raw_key = $1 FOR UPDATE"
# Oldest first. Rows that another replica is releasing are left to it.
_MAPPED = """
SELECT q.raw_key FROM quarantine AS q
 WHERE q.state = 'open' AND q.reason = 'location_unmapped'
   AND EXISTS (SELECT FROM setting AS l
                 JOIN setting AS d ON d.kind = 'Dealer' AND d.name = l.spec ->> 'dealer'
                WHERE l.kind = 'Location'
                  AND l.spec ->> 'source' = q.source AND l.spec ->> 'external_id' = q.location
                  AND coalesce(l.spec ->> 'account', q.account) = q.account)
 ORDER BY q.quarantined_at, q.raw_key LIMIT $1 FOR UPDATE OF q SKIP LOCKED
"""
_OPEN = """
SELECT q.source, q.reason, count(*) AS entries FROM quarantine AS q JOIN raw USING (raw_key)
 WHERE q.state = 'open' AND NOT raw.test GROUP BY q.source, q.reason
"""


async def put(conn: Connection, verdicts: Sequence[Verdict], now: datetime) -> dict[UUID, int]:
    """Open an entry for each; returns how many times each raw message was quarantined by now."""
    if not verdicts:
        return {}
    rows = await conn.fetch(
        _PUT,
        now,
        [verdict.raw.key for verdict in verdicts],
        [verdict.raw.source for verdict in verdicts],
        [verdict.raw.account for verdict in verdicts],
        [verdict.raw.wire_id for verdict in verdicts],
        [len(verdict.raw.body) for verdict in verdicts],
        [verdict.reason for verdict in verdicts],
        [verdict.field for verdict in verdicts],
        [verdict.value_kind for verdict in verdicts],
        [verdict.detail for verdict in verdicts],
        [verdict.location for verdict in verdicts],
    )
    return {row["raw_key"]: row["times"] for row in rows}


async def close(
    conn: Connection,
    raw_keys: Sequence[UUID],
    how: How,
    now: datetime,
    *,
    by: str | None = None,
    note: str | None = None,
) -> list[Entry]:
    """Close those that are open; returns them as they were."""
    state: State = "discarded" if how == "discarded" else "released"
    rows = await conn.fetch(_CLOSE, list(raw_keys), state, how, now, by, note)
    return [Entry(row["raw_key"], "open", row["reason"], row["times"]) for row in rows]


async def lock(conn: Connection, raw_key: UUID) -> Entry | None:
    """The entry of a raw message, held until the transaction ends."""
    row: asyncpg.Record | None = await conn.fetchrow(_LOCK, raw_key)
    return Entry(**dict(row)) if row else None


async def mapped(conn: Connection, limit: int) -> list[UUID]:
    """Raw messages that waited for a mapping which exists now, held until the transaction ends."""
    return [row["raw_key"] for row in await conn.fetch(_MAPPED, limit)]


async def open_counts(conn: Connection) -> dict[tuple[str, str], int]:
    """Open entries by (source, reason), those of tests left out."""
    return {(row["source"], row["reason"]): row["entries"] for row in await conn.fetch(_OPEN)}


async def state_of(conn: Connection, raw_key: UUID) -> State | None:
    """Where the entry of a raw message stands; None when it was never in quarantine."""
    state: State | None = await conn.fetchval("SELECT state FROM quarantine WHERE raw_key = $1", raw_key)
    return state
