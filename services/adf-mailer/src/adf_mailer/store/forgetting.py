"""What is old enough and finished leaves: contents of mails, then tries, then leads with all of theirs."""

from __future__ import annotations

from datetime import datetime

from leadbus.db import Connection
from leadbus.retention import Removed, first, removed

_OPEN = "('queued', 'waiting', 'sending')"
# Asked of each one in turn: a join would read all deliveries there are to find a batch.
_ENDED = "(SELECT finished_at FROM delivery WHERE id = delivery_id) < $1"
# Whoever redrives a delivery locks it: the bytes go before, which is seen then, or they stay.
_HELD = """held AS (
    SELECT id FROM delivery WHERE id IN (SELECT delivery_id FROM old) AND finished_at < $1
     ORDER BY id FOR UPDATE SKIP LOCKED
)"""
_MAIL_BYTES = f"""
WITH old AS MATERIALIZED (
    SELECT delivery_id, repeat_number FROM mail
     WHERE raw IS NOT NULL AND written_at < $1 AND {_ENDED}
     ORDER BY written_at LIMIT $2 FOR UPDATE SKIP LOCKED
), {_HELD}
UPDATE mail SET raw = NULL FROM old JOIN held ON held.id = old.delivery_id
 WHERE mail.delivery_id = old.delivery_id AND mail.repeat_number = old.repeat_number
"""  # noqa: S608 -- constants only
_ATTEMPTS = f"""
WITH old AS MATERIALIZED (
    SELECT delivery_id, n FROM attempt
     WHERE finished_at < $1 AND {_ENDED}
     ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED
), {_HELD}
DELETE FROM attempt USING old JOIN held ON held.id = old.delivery_id
 WHERE attempt.delivery_id = old.delivery_id AND attempt.n = old.n
"""  # noqa: S608 -- constants only
_POISON = """
DELETE FROM poison WHERE id = ANY (ARRAY(
    SELECT id FROM poison WHERE settled_at < $1 ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
# By when it was received, which has an index; a lead that is still told of stays by when it was told of last.
_LEADS = f"""
SELECT lead_id FROM lead
 WHERE received_at < $1 AND updated_at < $1
   AND NOT EXISTS (SELECT FROM delivery
                    WHERE subject_id = lead.lead_id::text AND (phase IN {_OPEN} OR finished_at >= $1))
 ORDER BY received_at, lead_id LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 -- constants only
_DELIVERIES = """
SELECT subject_id, finished_at FROM delivery WHERE subject_id = ANY($1::text[]) ORDER BY id FOR UPDATE
"""
_BOUNCE_BYTES = """
UPDATE bounce SET raw = NULL WHERE id = ANY (ARRAY(
    SELECT id FROM bounce WHERE raw IS NOT NULL AND received_at < $1 AND delivery_id IS NOT NULL
        AND became <> 'sending'
     ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_STRAY_BOUNCES = """
DELETE FROM bounce WHERE id = ANY (ARRAY(
    SELECT id FROM bounce WHERE received_at < $1 AND delivery_id IS NULL
     ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_LEADS_BOUNCES = """
DELETE FROM bounce WHERE delivery_id IN (SELECT id FROM delivery WHERE subject_id = ANY($1::text[]))
"""
_LEADS_MAILS = "DELETE FROM mail WHERE lead_id = ANY($1::uuid[])"
_LEADS_LOOKS = """
DELETE FROM unrouted WHERE delivery_id IN (SELECT id FROM delivery WHERE subject_id = ANY($1::text[]))
"""
_LEADS_DELIVERIES = "DELETE FROM delivery WHERE subject_id = ANY($1::text[])"
_THE_LEADS = "DELETE FROM lead WHERE lead_id = ANY($1::uuid[])"


async def mail_bytes(conn: Connection, before: datetime, limit: int) -> Removed:
    """Contents of mails whose delivery ended; that there was a mail, and its digest, stay."""
    return {"mail_bytes": removed(await conn.execute(_MAIL_BYTES, before, limit))}


async def oldest_mail_bytes(conn: Connection) -> datetime | None:
    return await first(conn, "SELECT written_at FROM mail WHERE raw IS NOT NULL ORDER BY written_at LIMIT 1")


async def attempts(conn: Connection, before: datetime, limit: int) -> Removed:
    """Tries of deliveries that ended; how many there were stays."""
    return {"attempt": removed(await conn.execute(_ATTEMPTS, before, limit))}


async def oldest_attempt(conn: Connection) -> datetime | None:
    oldest = "SELECT finished_at FROM attempt WHERE finished_at IS NOT NULL ORDER BY finished_at LIMIT 1"
    return await first(conn, oldest)


async def poison(conn: Connection, before: datetime, limit: int) -> Removed:
    """Messages set aside that somebody decided about."""
    return {"poison": removed(await conn.execute(_POISON, before, limit))}


async def oldest_poison(conn: Connection) -> datetime | None:
    """Also of those that nobody decided about."""
    return await first(conn, "SELECT at FROM poison ORDER BY id LIMIT 1")


async def bounces(conn: Connection, before: datetime, limit: int) -> Removed:
    """Contents of bounces, whose rows stay with their delivery; bounces of no known mail altogether."""
    return {
        "bounce_bytes": removed(await conn.execute(_BOUNCE_BYTES, before, limit)),
        "bounce": removed(await conn.execute(_STRAY_BOUNCES, before, limit)),
    }


async def oldest_bounce(conn: Connection) -> datetime | None:
    oldest = (
        "SELECT least((SELECT received_at FROM bounce WHERE raw IS NOT NULL ORDER BY received_at LIMIT 1),"
        " (SELECT received_at FROM bounce WHERE delivery_id IS NULL ORDER BY received_at LIMIT 1))"
    )
    return await first(conn, oldest)


async def leads(conn: Connection, before: datetime, limit: int) -> Removed:
    """Leads nobody told of since, with their mails and deliveries, all of which ended before."""
    found = [row["lead_id"] for row in await conn.fetch(_LEADS, before, limit)]
    if not found:
        return {}
    # Looked at once more, now that nobody can redrive them.
    deliveries = await conn.fetch(_DELIVERIES, [str(lead_id) for lead_id in found])
    needed = {
        row["subject_id"] for row in deliveries if row["finished_at"] is None or row["finished_at"] >= before
    }
    gone = [lead_id for lead_id in found if str(lead_id) not in needed]
    return {
        "bounce": removed(await conn.execute(_LEADS_BOUNCES, [str(lead_id) for lead_id in gone])),
        "mail": removed(await conn.execute(_LEADS_MAILS, gone)),
        "unrouted": removed(await conn.execute(_LEADS_LOOKS, [str(lead_id) for lead_id in gone])),
        "delivery": removed(await conn.execute(_LEADS_DELIVERIES, [str(lead_id) for lead_id in gone])),
        "lead": removed(await conn.execute(_THE_LEADS, gone)),
    }


async def oldest_lead(conn: Connection) -> datetime | None:
    oldest = "SELECT received_at FROM lead WHERE received_at IS NOT NULL ORDER BY received_at LIMIT 1"
    return await first(conn, oldest)
