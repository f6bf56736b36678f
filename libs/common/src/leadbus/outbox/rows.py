"""Messages to rows and back, and all SQL of the outbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import IntEnum
from typing import Any

from leadbus import checkpoint
from leadbus.db import Connection, Part, at_once
from leadbus.envelope import Properties
from leadbus.messages import OutgoingMessage


class Lane(IntEnum):
    """Who goes first. Every claim takes leads before bulk, and a little bulk every time."""

    LEADS = 0
    BULK = 1


_KNOWN_PROPERTIES = tuple(field.name for field in fields(Properties))


@dataclass(frozen=True, slots=True)
class Pending:
    """A claimed row: the message, and what to tell the owner once it is confirmed."""

    id: int
    lane: Lane
    attempts: int
    subject: str | None
    message: OutgoingMessage


_INSERT = """
to_publish AS (
    INSERT INTO outbox (lane, exchange, routing_key, headers, properties, body, mandatory, subject,
                        not_before)
    SELECT $1, exchange, routing_key, headers::json, properties::json, body, mandatory, subject, $9
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::boolean[], $8::text[])
        WITH ORDINALITY AS m (exchange, routing_key, headers, properties, body, mandatory, subject, n)
    ORDER BY n
    RETURNING id
)
"""
_IN_ORDER = "ORDER BY n"

_IDS = "(SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM to_publish) AS message_ids"

# The row lock is the lease: a relay that dies gives its rows back by dying. Rows beyond `$4` bytes are
# locked but not read; the first one is read whatever its size.
_CLAIM = """
WITH waiting AS MATERIALIZED (
    SELECT * FROM outbox WHERE not_before <= $1 ORDER BY not_before LIMIT $2 FOR UPDATE SKIP LOCKED
), leads AS MATERIALIZED (
    SELECT * FROM outbox WHERE lane = 0 AND not_before IS NULL ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
), bulk AS MATERIALIZED (
    SELECT * FROM outbox WHERE lane > 0 AND not_before IS NULL ORDER BY lane, id LIMIT $3
    FOR UPDATE SKIP LOCKED
), claimed AS (
    SELECT *, sum(octet_length(body)) OVER (ORDER BY lane, id) - octet_length(body) AS bytes_before
    FROM (SELECT * FROM waiting UNION ALL SELECT * FROM leads UNION ALL SELECT * FROM bulk) AS due
)
SELECT id, lane, exchange, routing_key, headers, properties, body, mandatory, subject, attempts
FROM claimed WHERE bytes_before < $4 ORDER BY lane, id
"""

_ANY_DUE = """
SELECT EXISTS (SELECT FROM outbox WHERE not_before <= $1)
    OR EXISTS (SELECT FROM outbox WHERE lane = 0 AND not_before IS NULL)
    OR EXISTS (SELECT FROM outbox WHERE lane > 0 AND not_before IS NULL)
"""

_DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[]) RETURNING id"

# One that another relay has meanwhile tried in vain keeps its time.
_RELEASE = "UPDATE outbox SET not_before = NULL WHERE id = ANY($1::bigint[]) AND attempts = 0"

_BACK_OFF = """
UPDATE outbox SET attempts = attempts + 1, last_error = failed.error, not_before = failed.not_before
FROM unnest($1::bigint[], $2::text[], $3::timestamptz[]) AS failed (id, error, not_before)
WHERE outbox.id = failed.id
"""

_STATS = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 FROM outbox
"""


async def add(
    conn: Connection,
    messages: Sequence[OutgoingMessage],
    *,
    lane: Lane = Lane.LEADS,
    subjects: Sequence[str] | None = None,
) -> None:
    """Write messages to be published once ``conn``'s transaction commits; one statement for all.

    ``subjects`` (one per message) come back through the relay's ``on_confirmed``. Raises TypeError for header
    values that JSON cannot hold. Afterwards wake the relay; it finds the rows by itself within a second.
    """
    if messages:
        await at_once(conn, adding(messages, lane=lane, subjects=subjects))
        checkpoint.passed("outbox.added")


def adding(
    messages: Sequence[OutgoingMessage],
    *,
    lane: Lane = Lane.LEADS,
    subjects: Sequence[str] | None = None,
    held_until: datetime | None = None,
    provided: str | None = None,
) -> Part:
    """``add`` as a part of a larger statement, which tells ``message_ids`` in the order of the messages.

    Before ``held_until`` no relay claims them: whoever writes them publishes them. They are written only
    where ``provided`` is true, a constant condition in SQL about the statement's other parts.
    """
    if subjects is not None and len(subjects) != len(messages):
        raise ValueError("one subject per message")
    arguments = (
        int(lane),
        [message.exchange for message in messages],
        [message.routing_key for message in messages],
        [json.dumps(dict(message.headers)) for message in messages],
        [_dump(message.properties) for message in messages],
        [message.body for message in messages],
        [message.mandatory for message in messages],
        list(subjects) if subjects is not None else [None] * len(messages),
        held_until,
    )
    sql = _INSERT if provided is None else _INSERT.replace(_IN_ORDER, f"WHERE {provided} {_IN_ORDER}")
    return Part(sql, arguments, _IDS)


async def stats(conn: Connection) -> tuple[int, float]:
    """How many messages are not confirmed yet, and the age of the oldest in seconds (0.0 when none)."""
    row = await conn.fetchrow(_STATS)
    assert row is not None
    return row[0], max(0.0, row[1])


async def any_due(conn: Connection, *, now: datetime) -> bool:
    """Whether a claim may find something."""
    return bool(await conn.fetchval(_ANY_DUE, now))


async def claim(conn: Connection, *, now: datetime, leads: int, bulk: int, max_bytes: int) -> list[Pending]:
    """Lock and read what is due, leads first; the locks last until ``conn``'s transaction ends."""
    rows = await conn.fetch(_CLAIM, now, leads, bulk, max_bytes)
    return [
        Pending(
            id=row["id"],
            lane=Lane(row["lane"]) if row["lane"] in (0, 1) else Lane.BULK,
            attempts=row["attempts"],
            subject=row["subject"],
            message=OutgoingMessage(
                exchange=row["exchange"],
                routing_key=row["routing_key"],
                body=row["body"],
                headers=json.loads(row["headers"]),
                properties=_load(row["properties"]),
                mandatory=row["mandatory"],
            ),
        )
        for row in rows
    ]


async def remove(conn: Connection, ids: Sequence[int]) -> set[int]:
    """Returns those that were still there."""
    return {row["id"] for row in await conn.fetch(_DELETE, ids)}


async def release(conn: Connection, ids: Sequence[int]) -> None:
    """End the lease of rows that nobody has tried to publish."""
    await conn.execute(_RELEASE, ids)


async def back_off(conn: Connection, failed: Sequence[tuple[int, str, datetime]]) -> None:
    """Keep rows for later: (id, error code, not before)."""
    ids, errors, times = zip(*failed, strict=True)
    await conn.execute(_BACK_OFF, list(ids), list(errors), list(times))


def _dump(properties: Properties) -> str:
    stated: dict[str, Any] = {}
    for name in _KNOWN_PROPERTIES:
        value = getattr(properties, name)
        if value is not None:
            stated[name] = value.isoformat() if isinstance(value, datetime) else value
    return json.dumps(stated)


def _load(text: str) -> Properties:
    stated = json.loads(text)
    if "timestamp" in stated:
        stated["timestamp"] = datetime.fromisoformat(stated["timestamp"])
    # A newer release of ours may have written what this one does not know.
    return Properties(**{name: value for name, value in stated.items() if name in _KNOWN_PROPERTIES})
