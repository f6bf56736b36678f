"""What is old enough and finished leaves: the bytes of raw messages, then leads with all of theirs."""

from __future__ import annotations

from datetime import datetime

from leadbus.clock import Clock
from leadbus.db import Connection
from leadbus.retention import Removed, first, removed

# Somebody still has to decide about these; their bytes are what there is to decide about.
_OPEN = "EXISTS (SELECT FROM quarantine q WHERE q.raw_key = raw.raw_key AND q.state = 'open')"
_RAW_BYTES = f"""
WITH old AS MATERIALIZED (
    SELECT raw_key FROM raw WHERE stored_at < $1 AND pruned_at IS NULL AND NOT {_OPEN}
     ORDER BY stored_at, raw_key LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE raw SET body = '', attributes = '{{}}', pruned_at = $3 FROM old WHERE raw.raw_key = old.raw_key
"""  # noqa: S608 -- constants only
# By when it was received, a walk of the state's own index for each; one that is still told of stays. A lead
# that no sink spoke of is not finished, however old.
_LEADS = f"""
SELECT lead_id FROM unnest('{{delivered,failed,unrouted}}'::text[]) AS ended (state) CROSS JOIN LATERAL (
    SELECT lead_id FROM lead
     WHERE lead.state = ended.state AND received_at < $1 AND last_raw_at < $1
       AND NOT EXISTS (SELECT FROM raw WHERE raw.lead_id = lead.lead_id AND {_OPEN})
     ORDER BY received_at, lead_id LIMIT $2 FOR UPDATE SKIP LOCKED
) AS old LIMIT $2
"""  # noqa: S608 -- constants only
# Whoever adds to what is told of a lead holds its first piece.
_AWAITED = """
SELECT lead_id FROM knowledge AS first
 WHERE waiting AND place = 1 AND received_at < $1
   AND NOT EXISTS (SELECT FROM knowledge AS other
                    WHERE other.lead_id = first.lead_id AND other.received_at >= $1)
 ORDER BY received_at, lead_id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_LEADLESS = f"""
SELECT raw_key FROM raw WHERE lead_id IS NULL AND stored_at < $1 AND NOT {_OPEN}
 ORDER BY stored_at, raw_key LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 -- constants only
_HOLD_RAWS = "SELECT FROM raw WHERE lead_id = ANY($1::uuid[]) ORDER BY raw_key FOR UPDATE"
_OPENED = """
SELECT DISTINCT lead_id FROM raw JOIN quarantine USING (raw_key)
 WHERE lead_id = ANY($1::uuid[]) AND quarantine.state = 'open'
"""
_LEADS_QUARANTINE = """
DELETE FROM quarantine USING raw WHERE raw.raw_key = quarantine.raw_key AND raw.lead_id = ANY($1::uuid[])
"""
_LEADS_RAWS = "DELETE FROM raw WHERE lead_id = ANY($1::uuid[])"
# OFFSET keeps each a look into the index: joined, it is planned as a walk through all lists there are.
_LEADS_TERMS = """
DELETE FROM lead_term WHERE ctid = ANY (ARRAY(
    SELECT place FROM lead CROSS JOIN unnest(terms) AS listed (term) CROSS JOIN LATERAL (
        SELECT ctid AS place FROM lead_term
         WHERE term = listed.term AND received_at = lead.received_at AND lead_id = lead.lead_id OFFSET 0
    ) AS found WHERE lead.lead_id = ANY($1::uuid[])))
"""
_LEADS_KNOWLEDGE = "DELETE FROM knowledge WHERE lead_id = ANY($1::uuid[])"
_LEADS_LEDGER = "DELETE FROM ledger WHERE lead_id = ANY($1::uuid[])"
_LEADS_REVISIONS = "DELETE FROM lead_revision WHERE lead_id = ANY($1::uuid[])"
_THE_LEADS = "DELETE FROM lead WHERE lead_id = ANY($1::uuid[])"
_QUARANTINE = "DELETE FROM quarantine WHERE raw_key = ANY($1::uuid[]) AND state <> 'open'"
_RAWS = f"DELETE FROM raw WHERE raw_key = ANY($1::uuid[]) AND NOT {_OPEN}"  # noqa: S608 -- constants only


async def raw_bytes(conn: Connection, before: datetime, limit: int, *, clock: Clock) -> Removed:
    """Bodies and headers; that there was a message, its digest and what it made stay."""
    return {"raw_bytes": removed(await conn.execute(_RAW_BYTES, before, limit, clock.now()))}


async def oldest_raw_bytes(conn: Connection) -> datetime | None:
    return await first(
        conn, "SELECT stored_at FROM raw WHERE pruned_at IS NULL ORDER BY stored_at, raw_key LIMIT 1"
    )


async def leads(conn: Connection, before: datetime, limit: int) -> Removed:
    """Leads nobody told of since, with all that was told of them, in the order of the foreign keys."""
    found = [row["lead_id"] for row in await conn.fetch(_LEADS, before, limit)]
    if not found:
        return {}
    # Looked at once more, now that none of their messages can be quarantined again.
    await conn.execute(_HOLD_RAWS, found)
    opened = {row["lead_id"] for row in await conn.fetch(_OPENED, found)}
    gone = [lead_id for lead_id in found if lead_id not in opened]
    return {
        "quarantine": removed(await conn.execute(_LEADS_QUARANTINE, gone)),
        "raw": removed(await conn.execute(_LEADS_RAWS, gone)),
        "knowledge": removed(await conn.execute(_LEADS_KNOWLEDGE, gone)),
        "ledger": removed(await conn.execute(_LEADS_LEDGER, gone)),
        "lead_term": removed(await conn.execute(_LEADS_TERMS, gone)),
        "lead_revision": removed(await conn.execute(_LEADS_REVISIONS, gone)),
        "lead": removed(await conn.execute(_THE_LEADS, gone)),
    }


async def oldest_lead(conn: Connection) -> datetime | None:
    return await first(conn, "SELECT received_at FROM lead ORDER BY received_at, lead_id LIMIT 1")


async def awaited(conn: Connection, before: datetime, limit: int) -> Removed:
    """What was told of leads that never came, with its raw messages."""
    found = [row["lead_id"] for row in await conn.fetch(_AWAITED, before, limit)]
    return {
        "quarantine": removed(await conn.execute(_LEADS_QUARANTINE, found)),
        "raw": removed(await conn.execute(_LEADS_RAWS, found)),
        "knowledge": removed(await conn.execute(_LEADS_KNOWLEDGE, found)),
    }


async def oldest_awaited(conn: Connection) -> datetime | None:
    return await first(
        conn, "SELECT received_at FROM knowledge WHERE waiting ORDER BY received_at, lead_id LIMIT 1"
    )


async def leadless(conn: Connection, before: datetime, limit: int) -> Removed:
    """Raw messages that made no lead: discarded, tried, or read in vain and decided about."""
    raws = [row["raw_key"] for row in await conn.fetch(_LEADLESS, before, limit)]
    return {
        "quarantine": removed(await conn.execute(_QUARANTINE, raws)),
        "raw": removed(await conn.execute(_RAWS, raws)),
    }


async def oldest_leadless(conn: Connection) -> datetime | None:
    return await first(
        conn, "SELECT stored_at FROM raw WHERE lead_id IS NULL ORDER BY stored_at, raw_key LIMIT 1"
    )
