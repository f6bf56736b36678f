"""Open quarantine entries by what they have in common, in the order in which a job goes through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from leadbus.db import Connection

_MATCH = """
    state = 'open'
    AND ($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR source = $2)
    AND ($3::text IS NULL OR account = $3) AND ($4::text IS NULL OR location = $4)
    AND ($5::timestamptz IS NULL OR quarantined_at >= $5)
    AND ($6::timestamptz IS NULL OR quarantined_at < $6)
"""
_COUNT = f"SELECT count(*) AS total, max(quarantined_at) AS up_to FROM quarantine WHERE {_MATCH}"  # noqa: S608
_SOME = f"""
SELECT raw_key, source, account, wire_id, reason FROM quarantine
 WHERE {_MATCH} ORDER BY quarantined_at, raw_key LIMIT $7
"""  # noqa: S608 -- a constant
_NEXT = f"""
SELECT raw_key, quarantined_at FROM quarantine
 WHERE {_MATCH} AND quarantined_at <= $7 AND ($8::timestamptz IS NULL OR (quarantined_at, raw_key) > ($8, $9))
 ORDER BY quarantined_at, raw_key LIMIT $10
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Which:
    """Entries that are all of this; None says nothing."""

    reason: str | None = None
    source: str | None = None
    account: str | None = None
    location: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def arguments(self) -> tuple[str | datetime | None, ...]:
        return (self.reason, self.source, self.account, self.location, self.since, self.until)


@dataclass(frozen=True, slots=True)
class Place:
    """An entry's place in the order."""

    quarantined_at: datetime
    raw_key: UUID


async def count(conn: Connection, which: Which) -> tuple[int, datetime | None]:
    """How many there are, and when the latest was quarantined."""
    row = await conn.fetchrow(_COUNT, *which.arguments)
    assert row is not None
    return row["total"], row["up_to"]


async def some(conn: Connection, which: Which, limit: int) -> list[Mapping[str, Any]]:
    """The first of them: ids and codes."""
    return [
        {
            "id": str(row["raw_key"]),
            **{name: row[name] for name in ("source", "account", "wire_id", "reason")},
        }
        for row in await conn.fetch(_SOME, *which.arguments, limit)
    ]


async def following(
    conn: Connection, which: Which, after: Place | None, up_to: datetime, limit: int
) -> list[Place]:
    """The next ones behind a place, none quarantined later than `up_to`."""
    rows = await conn.fetch(
        _NEXT,
        *which.arguments,
        up_to,
        after and after.quarantined_at,
        after and after.raw_key,
        limit,
    )
    return [Place(row["quarantined_at"], row["raw_key"]) for row in rows]
