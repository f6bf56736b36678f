"""The latest revision of each lead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadbus.contracts import Lead
from leadbus.db import Connection

from adf_mailer.domain.routing import Before


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a lead. `before` is None where nothing of it was decided yet."""

    revision: int
    erased: bool
    before: Before | None


# Made where it is unknown, written as it is where it is known: either way it is ours until the end.
_HOLD = """
INSERT INTO lead AS known (lead_id, revision, contactable, erased, updated_at)
SELECT lead_id, 0, false, false, $2 FROM unnest($1::uuid[]) AS new (lead_id) ORDER BY lead_id
ON CONFLICT (lead_id) DO UPDATE SET updated_at = known.updated_at
RETURNING lead_id, revision, material, contactable, erased
"""

_WRITE = """
UPDATE lead SET revision = new.revision, data = new.data::jsonb, material = new.material,
    contactable = new.contactable, received_at = new.received_at, updated_at = $7
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[])
    AS new (lead_id, revision, data, material, contactable, received_at)
WHERE lead.lead_id = new.lead_id
"""

_ERASE = """
WITH forgotten AS (
    UPDATE lead SET erased = true, data = NULL, material = NULL, updated_at = $2
    WHERE lead_id = ANY($1::uuid[])
)
UPDATE mail SET raw = NULL WHERE lead_id = ANY($1::uuid[])
"""


async def lock(conn: Connection, lead_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, Known]:
    """Every one of these leads, locked in id order until the transaction ends; unknown ones are made."""
    rows = await conn.fetch(_HOLD, sorted(lead_ids), now)
    return {
        row["lead_id"]: Known(
            revision=row["revision"],
            erased=row["erased"],
            before=Before(row["material"], row["contactable"]) if row["material"] else None,
        )
        for row in rows
    }


async def write(conn: Connection, leads: Sequence[tuple[Lead, Before]], *, now: datetime) -> None:
    """Keep these revisions, and what was decided on."""
    if not leads:
        return
    await conn.execute(
        _WRITE,
        [lead.lead_id for lead, _ in leads],
        [lead.revision for lead, _ in leads],
        [lead.to_json().decode() for lead, _ in leads],
        [state.material for _, state in leads],
        [state.contactable for _, state in leads],
        [lead.received_at for lead, _ in leads],
        now,
    )


async def erase(conn: Connection, lead_ids: Sequence[UUID], *, now: datetime) -> None:
    """Forget what these leads and the mails about them say; that there were any stays."""
    await conn.execute(_ERASE, list(lead_ids), now)


async def latest(conn: Connection, lead_id: UUID) -> Lead | None:
    """The lead as stored; None where it is unknown or erased."""
    data = await conn.fetchval("SELECT data::text FROM lead WHERE lead_id = $1 AND NOT erased", lead_id)
    return None if data is None else Lead.model_validate_json(data)
