"""Bodies that came in and were not published: keep, look at, forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadbus.contracts.vocabulary import QuarantineReason
from leadbus.db import Connection
from leadbus.retention import Removed, first, removed

from ingest.domain.arrival import Faulty

# In the order of ids: two replicas that bring the same cannot wait for each other.
_PUT = """
INSERT INTO quarantine (raw_id, source, account, content_type, body, digest, size_bytes, test, reason, detail,
                        quarantined_at)
SELECT raw_id, source, account, content_type, body, digest, octet_length(body), test, reason, detail, $1
  FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::boolean[],
              $9::text[], $10::text[])
       AS m (raw_id, source, account, content_type, body, digest, test, reason, detail)
 ORDER BY raw_id
ON CONFLICT (raw_id) DO NOTHING RETURNING raw_id
"""
_DISCARD = """
DELETE FROM quarantine WHERE raw_id = $1 RETURNING raw_id, source, account, reason, test
"""
_FORGET = """
DELETE FROM quarantine WHERE raw_id = ANY (ARRAY(
    SELECT raw_id FROM quarantine WHERE quarantined_at < $1 ORDER BY quarantined_at LIMIT $2
    FOR UPDATE SKIP LOCKED))
"""
_OLDEST = "SELECT quarantined_at FROM quarantine ORDER BY quarantined_at LIMIT 1"


@dataclass(frozen=True, slots=True)
class Discarded:
    """What was kept, without its content."""

    raw_id: UUID
    source: str
    account: str
    reason: QuarantineReason
    test: bool


async def put(conn: Connection, faulty: Sequence[Faulty], now: datetime) -> set[UUID]:
    """Keep each once; returns the ids of those that were not kept before."""
    if not faulty:
        return set()
    arrivals = [one.arrival for one in faulty]
    rows = await conn.fetch(
        _PUT,
        now,
        [arrival.raw_id for arrival in arrivals],
        [arrival.source for arrival in arrivals],
        [arrival.account for arrival in arrivals],
        [arrival.content_type for arrival in arrivals],
        [arrival.body for arrival in arrivals],
        [arrival.digest for arrival in arrivals],
        [arrival.test for arrival in arrivals],
        [one.reason for one in faulty],
        [one.detail for one in faulty],
    )
    return {row["raw_id"] for row in rows}


async def body(conn: Connection, raw_id: UUID) -> bytes | None:
    content: bytes | None = await conn.fetchval("SELECT body FROM quarantine WHERE raw_id = $1", raw_id)
    return content


async def discard(conn: Connection, raw_id: UUID) -> Discarded | None:
    """Delete one; returns what it was, None where there is none."""
    row = await conn.fetchrow(_DISCARD, raw_id)
    return Discarded(**dict(row)) if row else None


async def forget(conn: Connection, before: datetime, limit: int) -> Removed:
    """Delete up to ``limit`` entries made before a moment, oldest first."""
    return {"quarantine": removed(await conn.execute(_FORGET, before, limit))}


async def oldest(conn: Connection) -> datetime | None:
    """When the oldest entry was made."""
    return await first(conn, _OLDEST)
