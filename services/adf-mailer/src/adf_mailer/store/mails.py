"""The mails: written once, sent as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from leadbus.contracts import Lead
from leadbus.db import Connection, Part

from adf_mailer.domain.document import Status
from adf_mailer.domain.letter import Written
from adf_mailer.domain.recipients import Recipient, Told


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail for a delivery; `repeat_number` 0 is the delivery's own, n the n-th repeat of it."""

    delivery_id: UUID
    repeat_number: int
    lead_id: UUID
    revision: int
    route: str
    written: Written


@dataclass(frozen=True, slots=True)
class Posted:
    """What lead and route permit now, and the mail for one try, None where none was written yet.

    `enabled` is the route's of today, None where there is none any more.
    """

    erased: bool
    contactable: bool
    enabled: bool | None
    listed: bool
    """The route of today names the mail's recipient in the mail's role."""
    received_at: datetime | None
    timed: bool
    """Counts into how long leads take: the first mail about it to a CRM, and no test."""
    test_refused: bool
    """The lead is a test, and the route takes none."""
    pruned: bool
    """There was a mail for this try, and its bytes have grown too old."""
    mail: StoredMail | None


@dataclass(frozen=True, slots=True)
class StoredMail:
    sender: str
    recipient: str
    message_id: str
    raw: bytes


def posted_new(new: NewMail, lead: Lead) -> Posted:
    """What `posted` says of a mail right after the commit that decided to send it."""
    written = new.written
    return Posted(
        erased=False,
        contactable=True,
        enabled=True,
        listed=True,
        received_at=lead.received_at,
        timed=written.status == "new" and written.role in ("lead", "alternate") and not lead.test,
        test_refused=False,
        pruned=False,
        mail=StoredMail(written.sender, written.recipient, written.mail.message_id, written.mail.raw),
    )


_ROWS = """
INSERT INTO mail (delivery_id, repeat_number, lead_id, revision, route, status, sender, recipient, message_id,
                  sha256, size_bytes, raw, warnings, role, written_at)
SELECT delivery_id, repeat_number, lead_id, revision, route, status, sender, recipient, message_id,
       sha256, octet_length(raw), raw, string_to_array(warnings, ' '), role, $14
FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::bytea[], $12::text[], $13::text[])
    AS new (delivery_id, repeat_number, lead_id, revision, route, status, sender, recipient, message_id,
            sha256, raw, warnings, role)
"""
_INSERT = f"{_ROWS} ON CONFLICT DO NOTHING"
_STORE = f"""
stored AS (
    {_ROWS} JOIN planned ON planned.id = new.delivery_id
    RETURNING delivery_id
)
"""

_TOLD = """
SELECT DISTINCT mail.lead_id, mail.recipient, mail.role
FROM mail JOIN delivery ON delivery.id = mail.delivery_id
WHERE mail.lead_id = ANY($1::uuid[]) AND mail.role <> 'warning'
    AND (delivery.phase IN ('queued', 'waiting', 'sending', 'delivered') OR delivery.doubts > 0)
"""

_POSTED = """
SELECT lead.erased, lead.contactable, lead.received_at,
       (setting.spec ->> 'enabled')::boolean AS enabled,
       coalesce(CASE mail.role
                    WHEN 'copy' THEN setting.spec -> 'copies' ? mail.recipient
                    WHEN 'notice' THEN setting.spec -> 'notify' ? mail.recipient
                    WHEN 'warning' THEN setting.spec -> 'notify' ? mail.recipient
                    WHEN 'alternate' THEN setting.spec ->> 'alternate_address' = mail.recipient
                    ELSE setting.spec ->> 'address' = mail.recipient
                        OR coalesce(setting.spec -> 'more_addresses' ? mail.recipient, false)
                END, false) AS listed,
       mail.status = 'new' AND mail.role IN ('lead', 'alternate')
           AND NOT (lead.data ->> 'test')::boolean AS timed,
       (lead.data ->> 'test')::boolean
           AND NOT coalesce((setting.spec ->> 'send_test_leads')::boolean, false) AS test_refused,
       mail.sender, mail.recipient, mail.message_id, mail.raw,
       mail.delivery_id IS NOT NULL AND mail.raw IS NULL AND NOT lead.erased AS pruned
FROM lead LEFT JOIN mail ON mail.delivery_id = $2 AND mail.repeat_number = $3
    LEFT JOIN setting ON setting.kind = 'AdfRoute' AND setting.name = $4
WHERE lead.lead_id = $1
"""


async def insert(conn: Connection, mails: Sequence[NewMail], *, now: datetime) -> None:
    """Keep these mails. One that is there already stays as it is: its bytes may have been sent."""
    await conn.execute(_INSERT, *_arguments(mails, now))


def storing(mails: Sequence[NewMail], *, now: datetime) -> Part:
    """Keep those of these mails whose deliveries are new, in a statement with `delivery.Planning` in it."""
    return Part(_STORE, _arguments(mails, now), "(SELECT count(*) FROM stored) AS mails_stored")


def _arguments(mails: Sequence[NewMail], now: datetime) -> tuple[Any, ...]:
    return (
        [mail.delivery_id for mail in mails],
        [mail.repeat_number for mail in mails],
        [mail.lead_id for mail in mails],
        [mail.revision for mail in mails],
        [mail.route for mail in mails],
        [mail.written.status for mail in mails],
        [mail.written.sender for mail in mails],
        [mail.written.recipient for mail in mails],
        [mail.written.mail.message_id for mail in mails],
        [mail.written.mail.sha256 for mail in mails],
        [mail.written.mail.raw for mail in mails],
        [" ".join(f"{one.code}:{one.field}" for one in mail.written.warnings) for mail in mails],
        [mail.written.role for mail in mails],
        now,
    )


async def told(conn: Connection, lead_ids: Iterable[UUID]) -> dict[UUID, set[Told]]:
    """For each lead, who has, may have, or is about to get a mail about it, and in which form."""
    rows = await conn.fetch(_TOLD, list(lead_ids))
    found: dict[UUID, set[Told]] = {}
    for row in rows:
        found.setdefault(row["lead_id"], set()).add(Recipient(row["recipient"], row["role"]).told)
    return found


async def posted(
    conn: Connection, lead_id: UUID, delivery_id: UUID, repeat_number: int, route: str
) -> Posted | None:
    """What is known for one try; None where the lead is not."""
    row = await conn.fetchrow(_POSTED, lead_id, delivery_id, repeat_number, route)
    if row is None:
        return None
    mail = None
    if row["raw"] is not None:
        mail = StoredMail(row["sender"], row["recipient"], row["message_id"], row["raw"])
    return Posted(
        erased=row["erased"],
        contactable=row["contactable"],
        enabled=row["enabled"],
        listed=row["listed"],
        received_at=row["received_at"],
        timed=bool(row["timed"]),
        test_refused=bool(row["test_refused"]),
        pruned=row["pruned"],
        mail=mail,
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What a mail says of itself, what it is about, and whom it is for."""

    lead_id: UUID
    route: str
    status: Status
    recipient: Recipient


async def said(conn: Connection, delivery_id: UUID, repeat_number: int) -> Said | None:
    """None where there is no such mail."""
    row = await conn.fetchrow(
        "SELECT lead_id, mail.route, status, recipient, role, target "
        "FROM mail JOIN delivery ON delivery.id = mail.delivery_id "
        "WHERE delivery_id = $1 AND mail.repeat_number = $2",
        delivery_id,
        repeat_number,
    )
    if row is None:
        return None
    recipient = Recipient(row["recipient"], row["role"], row["target"])
    return Said(row["lead_id"], row["route"], row["status"], recipient)


@dataclass(frozen=True, slots=True)
class FirstMail:
    """A delivery's own mail, which its repeats refer to."""

    message_id: str
    recipient: Recipient


async def first(conn: Connection, delivery_id: UUID) -> FirstMail | None:
    """None where none was written: the delivery was skipped when it was planned."""
    row = await conn.fetchrow(
        "SELECT message_id, recipient, role FROM mail WHERE delivery_id = $1 ORDER BY repeat_number LIMIT 1",
        delivery_id,
    )
    return None if row is None else FirstMail(row["message_id"], Recipient(row["recipient"], row["role"]))


@dataclass(frozen=True, slots=True)
class RawMail:
    """`raw` is None once the lead was erased or the mail grew too old."""

    raw: bytes | None
    dealer: str | None


async def raw(conn: Connection, delivery_id: UUID, repeat_number: int) -> RawMail | None:
    """The bytes and whose they are; None where there never were any."""
    row = await conn.fetchrow(
        "SELECT mail.raw, delivery.dealer FROM mail JOIN delivery ON delivery.id = mail.delivery_id "
        "WHERE mail.delivery_id = $1 AND mail.repeat_number = $2",
        delivery_id,
        repeat_number,
    )
    return None if row is None else RawMail(row["raw"], row["dealer"])


async def described(conn: Connection, delivery_id: UUID) -> list[dict[str, Any]]:
    """For operators: every mail of a delivery without its content, the delivery's own first."""
    rows = await conn.fetch(
        "SELECT repeat_number, role, status, revision, recipient, message_id, sha256, size_bytes, warnings, "
        "written_at FROM mail WHERE delivery_id = $1 ORDER BY repeat_number",
        delivery_id,
    )
    return [{**row, "written_at": row["written_at"].isoformat()} for row in rows]


async def is_gone(conn: Connection, delivery_id: UUID) -> bool:
    """Whether the mail that the delivery would send now was written and has lost its bytes."""
    gone: bool | None = await conn.fetchval(
        "SELECT mail.raw IS NULL FROM mail JOIN delivery ON delivery.id = mail.delivery_id "
        "WHERE delivery.id = $1 AND mail.repeat_number = delivery.repeat_number",
        delivery_id,
    )
    return bool(gone)
