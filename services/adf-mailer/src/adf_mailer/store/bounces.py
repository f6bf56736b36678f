"""Bounces: stored once, whatever becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from leadbus.db import Connection
from sqlalchemy import select
from sqlalchemy.orm import defer
from sqlmodel import col

from adf_mailer.store.tables import BounceRow


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail of ours that a bounce may be about. The lead of it is held against erasing until the commit."""

    delivery_id: UUID
    repeat_number: int
    recipient: str
    dealer: str | None
    test: bool
    erased: bool


@dataclass(frozen=True, slots=True)
class NewBounce:
    """`raw` None: of a lead that was erased nothing is kept."""

    received_at: datetime
    returned_to: UUID
    sha256: str
    kind: str
    verdict: str
    reason: str | None
    matched_by: str | None
    mail: SentMail | None
    recipient_role: str
    action: str | None
    status: str | None
    reporting_mta: str | None
    diagnostic: str | None
    size_bytes: int
    raw: bytes | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A bounce that came before it was recorded that the mail was taken."""

    id: int
    delivery_id: UUID
    repeat_number: int
    verdict: str
    reason: str | None


# By the range of all Message-IDs with this UUID, in the order of the index: `A` comes after `@`.
_SENT = """
SELECT mail.delivery_id, mail.repeat_number, mail.recipient, delivery.dealer, delivery.test, lead.erased
FROM mail JOIN delivery ON delivery.id = mail.delivery_id JOIN lead ON lead.lead_id = mail.lead_id
WHERE mail.message_id ~>=~ $1 AND mail.message_id ~<~ $2
LIMIT 1
FOR SHARE OF lead
"""
_INSERT = """
INSERT INTO bounce (received_at, returned_to, sha256, kind, verdict, reason, became, matched_by, delivery_id,
                    repeat_number, dealer, test, recipient_role, action, status, reporting_mta, diagnostic,
                    size_bytes, raw)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT DO NOTHING
RETURNING id
"""
_REPEATED = "SELECT count(*) FROM bounce WHERE delivery_id = $1 AND became = 'repeated'"
_WAITING = """
SELECT bounce.id, bounce.delivery_id, bounce.repeat_number, bounce.verdict, bounce.reason
FROM bounce JOIN delivery ON delivery.id = bounce.delivery_id
WHERE bounce.became = 'sending' AND delivery.phase <> 'sending'
ORDER BY bounce.id LIMIT $1 FOR UPDATE OF bounce SKIP LOCKED
"""
_DESCRIBED = """
SELECT id, received_at, kind, verdict, reason, became, repeat_number, recipient_role, action, status,
       reporting_mta, diagnostic
FROM bounce WHERE delivery_id = $1 ORDER BY id
"""


async def sent(conn: Connection, message: UUID) -> SentMail | None:
    """The mail whose Message-ID has this UUID."""
    row = await conn.fetchrow(_SENT, f"<{message}@", f"<{message}A")
    return None if row is None else SentMail(**row)


async def insert(conn: Connection, new: NewBounce, *, became: str) -> int | None:
    """Its id; None where it is known."""
    mail = new.mail
    found: int | None = await conn.fetchval(
        _INSERT,
        new.received_at,
        new.returned_to,
        new.sha256,
        new.kind,
        new.verdict,
        new.reason,
        became,
        new.matched_by,
        mail.delivery_id if mail else None,
        mail.repeat_number if mail else None,
        mail.dealer if mail else None,
        mail.test if mail else False,
        new.recipient_role,
        new.action,
        new.status,
        new.reporting_mta,
        new.diagnostic,
        new.size_bytes,
        new.raw,
    )
    return found


async def settle(conn: Connection, bounce_id: int, became: str) -> None:
    await conn.execute("UPDATE bounce SET became = $2 WHERE id = $1", bounce_id, became)


async def times_repeated(conn: Connection, delivery_id: UUID) -> int:
    """How often the delivery was tried again because it had come back."""
    return int(await conn.fetchval(_REPEATED, delivery_id))


async def lock_waiting(conn: Connection, *, limit: int) -> list[Waiting]:
    """Those that can be settled now; what another replica holds is left out."""
    return [Waiting(**row) for row in await conn.fetch(_WAITING, limit)]


def described() -> Any:
    """For operators: without bytes."""
    row: Any = BounceRow
    return select(BounceRow).options(defer(row.raw, raiseload=True))


def unmatched(statement: Any, wanted: bool) -> Any:
    """Only those of no known delivery, or only the others."""
    delivery_id = col(BounceRow.delivery_id)
    return statement.where(delivery_id.is_(None) if wanted else delivery_id.is_not(None))


async def of_delivery(conn: Connection, delivery_id: UUID) -> list[dict[str, Any]]:
    """For the story of a delivery, in the order in which they came."""
    rows = await conn.fetch(_DESCRIBED, delivery_id)
    return [{**row, "received_at": row["received_at"].isoformat()} for row in rows]


@dataclass(frozen=True, slots=True)
class RawBounce:
    """`raw` is None once the lead was erased or the bounce grew too old."""

    raw: bytes | None
    dealer: str | None


async def raw(conn: Connection, bounce_id: int) -> RawBounce | None:
    row = await conn.fetchrow("SELECT raw, dealer FROM bounce WHERE id = $1", bounce_id)
    return None if row is None else RawBounce(row["raw"], row["dealer"])
