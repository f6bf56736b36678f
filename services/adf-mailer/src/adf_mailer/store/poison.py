"""Messages set aside: stored whole, so that a repaired release can take them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leadbus.db import Connection
from leadbus.envelope import Properties
from leadbus.messages import IncomingMessage
from sqlalchemy import select
from sqlalchemy.orm import defer
from sqlmodel import col

from adf_mailer.store.tables import PoisonRow

_MAX_TEXT = 500

_INSERT = """
INSERT INTO poison (at, reason, detail, routing_key, content_type, headers, body, sha256)
SELECT $1, reason, detail, routing_key, content_type, headers, body, sha256
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::text[])
    AS new (reason, detail, routing_key, content_type, headers, body, sha256)
"""


@dataclass(frozen=True, slots=True)
class Poison:
    """Why a message was set aside. `detail` names fields and kinds of error, never values."""

    message: IncomingMessage
    reason: str
    detail: str


async def insert(conn: Connection, poison: Sequence[Poison], *, now: datetime) -> None:
    await conn.execute(
        _INSERT,
        now,
        [one.reason for one in poison],
        [_text(one.detail) for one in poison],
        [_text(one.message.routing_key) for one in poison],
        [_text(one.message.properties.content_type or "") for one in poison],
        [_headers(one.message) for one in poison],
        [one.message.body for one in poison],
        [hashlib.sha256(one.message.body).hexdigest() for one in poison],
    )


async def lock(conn: Connection, poison_id: int) -> IncomingMessage | None:
    """The message as it came in, for another try; None where there is none waiting for a decision."""
    row = await conn.fetchrow(
        "SELECT routing_key, content_type, headers, body FROM poison "
        "WHERE id = $1 AND settled_at IS NULL FOR UPDATE",
        poison_id,
    )
    if row is None:
        return None
    return IncomingMessage(
        body=row["body"],
        exchange="",
        routing_key=row["routing_key"],
        headers=json.loads(row["headers"]),
        properties=Properties(content_type=row["content_type"] or None),
        redelivered=True,
        delivery_count=0,
        delivery_tag=0,
    )


def described(*, waiting: bool | None = None) -> Any:
    """For operators: without bytes, of which there may be megabytes. `waiting` for a decision, or settled."""
    row: Any = PoisonRow
    bytes_left_out = (defer(row.body, raiseload=True), defer(row.headers, raiseload=True))
    statement = select(PoisonRow).options(*bytes_left_out)
    settled = col(PoisonRow.settled_at)
    if waiting is None:
        return statement
    return statement.where(settled.is_(None) if waiting else settled.is_not(None))


async def settle(conn: Connection, poison_id: int, settled_as: str, *, now: datetime) -> None:
    await conn.execute(
        "UPDATE poison SET settled_at = $2, settled_as = $3 WHERE id = $1", poison_id, now, settled_as
    )


def _headers(message: IncomingMessage) -> bytes:
    """The headers an envelope is read from are strings; others are of no use and may be anything."""
    kept = {name: value for name, value in message.headers.items() if isinstance(value, str)}
    return json.dumps(kept).encode()


def _text(value: str) -> str:
    return value.replace("\0", "")[:_MAX_TEXT].encode("utf-8", "replace").decode()
