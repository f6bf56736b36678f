"""Leads that no route took: which are to be looked at again, and that they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from leadbus.contracts import Lead
from leadbus.db import Connection

RACE = timedelta(minutes=1)
"""A change is looked at for so long after it was made: it may be committed later than it says, and whoever
decided just then may not have seen it. Above what clocks differ and a transaction takes."""

# Driven by the routes that changed, which are few. The conditions are those of the index delivery_unrouted.
_DUE = """
WITH changed AS MATERIALIZED (
    SELECT spec ->> 'dealer' AS dealer, max(updated_at) AS at FROM setting
    WHERE kind = 'AdfRoute' AND (spec ->> 'enabled')::boolean AND updated_at > $1
    GROUP BY 1
)
SELECT delivery.id, delivery.seq, delivery.subject_id, delivery.reason
FROM changed JOIN delivery USING (dealer) LEFT JOIN unrouted ON unrouted.delivery_id = delivery.id
WHERE delivery.phase = 'skipped' AND delivery.reason IN ('no_route', 'no_matching_route', 'route_disabled')
    AND delivery.planned_at > $1
    AND (unrouted.released_at IS NULL OR unrouted.released_at < delivery.finished_at)
    AND changed.at > greatest(unrouted.looked_at, delivery.finished_at) - $2::interval
"""
_NEXT = f"{_DUE} AND delivery.seq > $3 ORDER BY delivery.seq LIMIT $4"
# As they are now that their leads are ours.
_STILL = f"{_DUE} AND delivery.id = ANY($3::uuid[]) ORDER BY delivery.id FOR UPDATE OF delivery SKIP LOCKED"
_HOLD = """
SELECT lead_id, data::text AS data FROM lead
WHERE lead_id = ANY($1::uuid[]) AND NOT erased AND data IS NOT NULL ORDER BY lead_id FOR UPDATE SKIP LOCKED
"""
_LOOKED = """
INSERT INTO unrouted AS known (delivery_id, looked_at, released_at)
SELECT id, $2::timestamptz, CASE WHEN released THEN $2::timestamptz END
FROM unnest($1::uuid[], $3::boolean[]) AS new (id, released)
ON CONFLICT (delivery_id) DO UPDATE SET looked_at = excluded.looked_at, released_at = excluded.released_at
"""
_SKIPPED = "SELECT id FROM delivery WHERE key = ANY($1::text[]) AND phase = 'skipped' ORDER BY id"
_OF = "SELECT looked_at AS routes_looked_at, released_at FROM unrouted WHERE delivery_id = $1"


@dataclass(frozen=True, slots=True)
class Unrouted:
    """A delivery that was skipped because no route took its lead."""

    delivery_id: UUID
    seq: int
    lead_id: UUID
    reason: str


async def due(conn: Connection, *, after_seq: int, since: datetime, limit: int) -> list[Unrouted]:
    """Those planned after `since` whose dealer's routes changed since the last look; nothing is locked."""
    rows = await conn.fetch(_NEXT, since, RACE, after_seq, limit)
    return [Unrouted(row["id"], row["seq"], UUID(row["subject_id"]), row["reason"]) for row in rows]


async def hold(
    conn: Connection, found: Sequence[Unrouted], *, since: datetime
) -> list[tuple[Unrouted, Lead]]:
    """Those of `found` that are due still, with their leads; ours until the transaction ends.

    What somebody else has in hand is left out, and so is what was erased. Leads before deliveries, as
    everybody locks them.
    """
    held = await conn.fetch(_HOLD, list({one.lead_id for one in found}))
    leads = {row["lead_id"]: Lead.model_validate_json(row["data"]) for row in held}
    wanted = [one.delivery_id for one in found if one.lead_id in leads]
    rows = await conn.fetch(_STILL, since, RACE, wanted) if wanted else []
    still = {row["id"] for row in rows}
    return [(one, leads[one.lead_id]) for one in found if one.delivery_id in still]


async def looked(conn: Connection, released: Sequence[tuple[UUID, bool]], *, now: datetime) -> None:
    """Note of deliveries that are held that they were looked at, and whether they were released."""
    await conn.execute(_LOOKED, [one for one, _ in released], now, [yes for _, yes in released])


async def skipped(conn: Connection, keys: Sequence[str]) -> list[UUID]:
    """Deliveries that have these keys, and were skipped."""
    return [row["id"] for row in await conn.fetch(_SKIPPED, list(keys))]


async def of(conn: Connection, delivery_id: UUID) -> dict[str, datetime | None] | None:
    """When the routes were looked at again for it, and when one took its lead; None where they never were."""
    row = await conn.fetchrow(_OF, delivery_id)
    return None if row is None else dict(row)
