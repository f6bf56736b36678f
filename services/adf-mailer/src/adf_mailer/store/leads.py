"""The latest revision of each lead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from leadbus.contracts import Lead
from leadbus.db import Connection, Part
from leadbus.inbox import InboxEntry

from adf_mailer.domain.routing import refusal
from adf_mailer.store.counting import counted_for


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a lead. `before` is what was decided on last, None where nothing of it was yet."""

    revision: int
    erased: bool
    before: Lead | None


# Made where it is unknown, written as it is where it is known: either way it is ours until the end, and what
# comes back is what whoever we waited for left of it. No other part of the statement would see that.
_HOLD = """
held AS (
    INSERT INTO lead AS known (lead_id, revision, contactable, erased, updated_at)
    SELECT DISTINCT lead_id, 0, false, false, $1::timestamptz
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) AS told (lead_id, source, account, id)
        JOIN claimed USING (source, account, id)
    ORDER BY lead_id
    ON CONFLICT (lead_id) DO UPDATE SET updated_at = known.updated_at
    RETURNING lead_id, revision, erased, data::text
)
"""
_HELD = """
ARRAY(SELECT lead_id FROM held) AS held_ids, ARRAY(SELECT revision FROM held) AS held_revisions,
ARRAY(SELECT erased FROM held) AS held_erased, ARRAY(SELECT data FROM held) AS held_data
"""

_WRITE = """
leads_written AS (
    UPDATE lead SET revision = new.revision, data = new.data::jsonb, contactable = new.contactable,
        received_at = new.received_at, counted_for = new.counted_for, updated_at = $7
    FROM unnest($1::uuid[], $2::int[], $3::text[], $4::boolean[], $5::timestamptz[], $6::text[])
        AS new (lead_id, revision, data, contactable, received_at, counted_for)
    WHERE lead.lead_id = new.lead_id
    RETURNING lead.lead_id
)
"""

_ADD = """
leads_added AS (
    INSERT INTO lead (lead_id, revision, data, contactable, erased, received_at, counted_for, updated_at)
    SELECT lead_id, revision, data::jsonb, contactable, false, received_at, counted_for, $7
    FROM unnest($1::uuid[], $2::int[], $3::text[], $4::boolean[], $5::timestamptz[], $6::text[])
        AS new (lead_id, revision, data, contactable, received_at, counted_for)
    ORDER BY lead_id
    RETURNING lead_id
)
"""

_KNOWN = "known AS (SELECT FROM lead WHERE lead_id = ANY($1::uuid[]))"

_ERASE = """
WITH forgotten AS (
    UPDATE lead SET erased = true, data = NULL, material = NULL, updated_at = $2
    WHERE lead_id = ANY($1::uuid[])
), came_back AS (
    UPDATE bounce SET raw = NULL, diagnostic = NULL
    WHERE delivery_id IN (SELECT delivery_id FROM mail WHERE lead_id = ANY($1::uuid[]))
)
UPDATE mail SET raw = NULL WHERE lead_id = ANY($1::uuid[])
"""


def holding(told: Iterable[tuple[InboxEntry, UUID]], *, now: datetime) -> Part:
    """Lock leads in id order until the transaction ends; unknown ones are made.

    Of a statement with `inbox.Claim` in it: only leads are held that a new message tells of.
    """
    pairs = list(told)
    arguments = (
        now,
        [lead_id for _, lead_id in pairs],
        [entry.source for entry, _ in pairs],
        [entry.account for entry, _ in pairs],
        [entry.id for entry, _ in pairs],
    )
    return Part(_HOLD, arguments, _HELD)


def held(row: asyncpg.Record) -> dict[UUID, Known]:
    """The leads that are ours now, from the row of a statement with `holding` in it."""
    columns = ("held_ids", "held_revisions", "held_erased", "held_data")
    return {
        lead_id: Known(revision, erased, Lead.model_validate_json(data) if data else None)
        for lead_id, revision, erased, data in zip(*(row[name] for name in columns), strict=True)
    }


def writing(leads: Sequence[Lead], *, now: datetime) -> Part:
    """Keep these revisions of leads that are held."""
    return Part(_WRITE, _columns(leads, now), "(SELECT count(*) FROM leads_written) AS leads_written")


def looking(lead_ids: Iterable[UUID]) -> Part:
    """Look whether any of these is known, and hold nothing: `any_known` tells it."""
    return Part(_KNOWN, (list(lead_ids),), "EXISTS (SELECT FROM known) AS leads_known")


def any_known(row: asyncpg.Record) -> bool:
    """From the row of a statement with `looking` in it."""
    known: bool = row["leads_known"]
    return known


def adding(leads: Sequence[Lead], *, now: datetime) -> Part:
    """`writing` for leads that nobody has heard of; UniqueViolationError where somebody has."""
    return Part(_ADD, _columns(leads, now), "(SELECT count(*) FROM leads_added) AS leads_added")


def _columns(leads: Sequence[Lead], now: datetime) -> tuple[Any, ...]:
    return (
        [lead.lead_id for lead in leads],
        [lead.revision for lead in leads],
        [lead.to_json().decode() for lead in leads],
        [refusal(lead) is None for lead in leads],
        [lead.received_at for lead in leads],
        [counted_for(lead) for lead in leads],
        now,
    )


async def erase(conn: Connection, lead_ids: Sequence[UUID], *, now: datetime) -> None:
    """Forget what these leads, the mails about them and their bounces say; that there were any stays."""
    await conn.execute(_ERASE, list(lead_ids), now)


@dataclass(frozen=True, slots=True)
class Stored:
    """`lead` is None once it was erased; `counted_for` is the dealer whose it was, where that is known."""

    lead: Lead | None
    counted_for: str | None


async def stored(conn: Connection, lead_id: UUID) -> Stored | None:
    """The lead as it is now; None where it is unknown."""
    row = await conn.fetchrow(
        "SELECT data::text AS data, counted_for FROM lead WHERE lead_id = $1 AND (erased OR revision > 0)",
        lead_id,
    )
    if row is None:
        return None
    lead = None if row["data"] is None else Lead.model_validate_json(row["data"])
    return Stored(lead, row["counted_for"])


async def latest_of_dealer(conn: Connection, dealer: str) -> Lead | None:
    """The last lead that this dealer had, no test; None where there is none that tells anything."""
    data = await conn.fetchval(
        "SELECT data::text FROM lead WHERE counted_for = $1 AND counted_for <> '' AND contactable"
        " AND data IS NOT NULL ORDER BY received_at DESC LIMIT 1",
        dealer,
    )
    return None if data is None else Lead.model_validate_json(data)


async def latest(conn: Connection, lead_id: UUID) -> Lead | None:
    """The lead as stored; None where it is unknown or erased."""
    data = await conn.fetchval("SELECT data::text FROM lead WHERE lead_id = $1 AND NOT erased", lead_id)
    return None if data is None else Lead.model_validate_json(data)


async def deliveries(conn: Connection, lead_id: UUID) -> list[UUID]:
    """Ids of the lead's deliveries, in the order of their planning."""
    rows = await conn.fetch("SELECT id FROM delivery WHERE subject_id = $1 ORDER BY seq", str(lead_id))
    return [row["id"] for row in rows]
