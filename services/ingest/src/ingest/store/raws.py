"""Raw messages: take, look up, mark as published, forget."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record
from leadbus.db import Connection, Part
from leadbus.retention import Removed, first, removed

from ingest.domain.arrival import Arrival
from ingest.domain.raw import Offer, Receipt

_NAMES = (
    "raw_id",
    "source",
    "account",
    "content_type",
    "digest",
    "size_bytes",
    "test",
    "accepted_at",
    "published_at",
)
_RECEIPT = ", ".join(_NAMES)
_EARLIER = f"""
earlier AS (
    SELECT {_RECEIPT}, true AS by_key FROM raw WHERE raw_id = (
        SELECT raw_id FROM idempotency_key WHERE source = $1 AND account = $2 AND key = $3)
    UNION ALL
    (SELECT {_RECEIPT}, false FROM raw
      WHERE source = $1 AND account = $2 AND digest = $4 AND test = $5 AND content_type = $6
        AND key_id IS NOT NULL
      ORDER BY accepted_at DESC LIMIT 1)
)
"""  # noqa: S608 -- a constant
_TELL_EARLIER = """
(SELECT earlier FROM earlier WHERE by_key) AS by_key,
(SELECT earlier FROM earlier WHERE NOT by_key) AS by_content
"""
_INSERT = """
stored AS (
    INSERT INTO raw (raw_id, source, account, key_id, content_type, body, digest, size_bytes, test,
                     accepted_at)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
    RETURNING raw_id
)
"""
_INSERT_FIRST = _INSERT.replace("RETURNING", "WHERE NOT EXISTS (SELECT FROM earlier) RETURNING")
STORED = "EXISTS (SELECT FROM stored)"
"""Whether the statement with `inserting` stores the message, for its other parts."""
# In the order of ids: two replicas that bring the same cannot wait for each other.
_INSERT_ARRIVALS = """
INSERT INTO raw (raw_id, source, account, content_type, body, digest, size_bytes, test, accepted_at)
SELECT raw_id, source, account, content_type, body, digest, octet_length(body), test, $1
  FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::boolean[])
       AS m (raw_id, source, account, content_type, body, digest, test)
 ORDER BY raw_id
ON CONFLICT (raw_id) DO NOTHING RETURNING raw_id
"""
_REMEMBER_KEY = """
remembered AS (
    INSERT INTO idempotency_key (source, account, key, raw_id) VALUES ($1, $2, $3, $4) RETURNING raw_id
)
"""
_REMEMBER_KEY_OF_STORED = """
remembered AS (
    INSERT INTO idempotency_key (source, account, key, raw_id) SELECT $1, $2, $3, raw_id FROM stored
    RETURNING raw_id
)
"""
_TELL_REMEMBERED = "(SELECT count(*) FROM remembered) AS keys_remembered"
_MARK_PUBLISHED = "UPDATE raw SET published_at = $2 WHERE raw_id = ANY($1::uuid[]) AND published_at IS NULL"
# Rows that failed are few, and only they are indexed by subject.
_FAILURES = "SELECT attempts, last_error FROM outbox WHERE subject = $1 AND attempts > 0"
_FORGET = """
DELETE FROM raw WHERE raw_id = ANY (ARRAY(
    SELECT raw_id FROM raw WHERE published_at < $1 ORDER BY published_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_OLDEST = "SELECT published_at FROM raw WHERE published_at IS NOT NULL ORDER BY published_at LIMIT 1"


@dataclass(frozen=True, slots=True)
class Earlier:
    """Messages taken before that an offer may repeat.

    ``by_content`` is the newest with the same bytes under the same content type: a sender who corrects its
    charset says something else. What ingest fetched itself is none of them: it may be a trial, or for
    somebody else.
    """

    by_key: Receipt | None
    by_content: Receipt | None


def locks(offer: Offer) -> Sequence[int]:
    """Locks by which nobody else takes the same body or uses the same Idempotency-Key meanwhile.

    The key's always comes first, so two senders cannot wait for each other. A transaction takes them before
    its first statement: what follows reads a snapshot taken after the wait.
    """
    content = _lock_number(b"content", offer.source, offer.account, offer.digest)
    if offer.idempotency_key is None:
        return (content,)
    return _lock_number(b"key", offer.source, offer.account, offer.idempotency_key.encode()), content


def looking(offer: Offer) -> Part:
    """Look for what an offer may repeat; `earlier` reads the answer."""
    arguments = (
        offer.source,
        offer.account,
        offer.idempotency_key,
        offer.digest,
        offer.test,
        offer.content_type,
    )
    return Part(_EARLIER, arguments, _TELL_EARLIER)


def earlier(row: Record) -> Earlier:
    """What was found, from the row of a statement with `looking` in it."""
    by_key, by_content = row["by_key"], row["by_content"]
    return Earlier(_receipt(by_key) if by_key else None, _receipt(by_content) if by_content else None)


def receipt_of(offer: Offer, raw_id: UUID, accepted_at: datetime) -> Receipt:
    """What the sender is told of an offer that was taken."""
    return Receipt(
        raw_id=raw_id,
        source=offer.source,
        account=offer.account,
        content_type=offer.content_type,
        digest=offer.digest,
        size_bytes=len(offer.body),
        test=offer.test,
        accepted_at=accepted_at,
    )


def inserting(offer: Offer, receipt: Receipt, *, if_first: bool) -> Part:
    """Store the offer, as a part of the statement that also has it published.

    With ``if_first`` the statement has ``looking`` in it as well, and stores nothing if that found anything.
    It tells ``messages_stored``.
    """
    arguments = (
        receipt.raw_id,
        offer.source,
        offer.account,
        offer.key_id,
        offer.content_type,
        offer.body,
        receipt.digest,
        receipt.size_bytes,
        offer.test,
        receipt.accepted_at,
    )
    sql = _INSERT_FIRST if if_first else _INSERT
    return Part(sql, arguments, "(SELECT count(*) FROM stored) AS messages_stored")


def remembering_key(offer: Offer, raw_id: UUID) -> Part:
    """Have the offer's Idempotency-Key stand for a message that was stored before."""
    arguments = (offer.source, offer.account, offer.idempotency_key, raw_id)
    return Part(_REMEMBER_KEY, arguments, _TELL_REMEMBERED)


def remembering_key_of_stored(offer: Offer) -> Part:
    """Have it stand for the message that the same statement stores, if it does."""
    arguments = (offer.source, offer.account, offer.idempotency_key)
    return Part(_REMEMBER_KEY_OF_STORED, arguments, _TELL_REMEMBERED)


async def insert_arrivals(conn: Connection, arrivals: Sequence[Arrival], now: datetime) -> set[UUID]:
    """Store each once; returns the ids of those that were not stored before."""
    if not arrivals:
        return set()
    rows = await conn.fetch(
        _INSERT_ARRIVALS,
        now,
        [arrival.raw_id for arrival in arrivals],
        [arrival.source for arrival in arrivals],
        [arrival.account for arrival in arrivals],
        [arrival.content_type for arrival in arrivals],
        [arrival.body for arrival in arrivals],
        [arrival.digest for arrival in arrivals],
        [arrival.test for arrival in arrivals],
    )
    return {row["raw_id"] for row in rows}


async def receipt(conn: Connection, raw_id: UUID) -> Receipt | None:
    row = await conn.fetchrow(f"SELECT {_RECEIPT} FROM raw WHERE raw_id = $1", raw_id)  # noqa: S608
    return _receipt(row) if row else None


async def failures(conn: Connection, raw_id: UUID) -> tuple[int, str | None]:
    """How often publishing failed so far, and how it failed last; (0, None) when it did not."""
    row = await conn.fetchrow(_FAILURES, str(raw_id))
    return (row["attempts"], row["last_error"]) if row else (0, None)


async def body(conn: Connection, raw_id: UUID) -> bytes | None:
    content: bytes | None = await conn.fetchval("SELECT body FROM raw WHERE raw_id = $1", raw_id)
    return content


async def mark_published(conn: Connection, raw_ids: Sequence[UUID], at: datetime) -> None:
    await conn.execute(_MARK_PUBLISHED, raw_ids, at)


async def forget(conn: Connection, published_before: datetime, limit: int) -> Removed:
    """Delete up to ``limit`` messages published before a moment, oldest first, and their keys."""
    return {"raw": removed(await conn.execute(_FORGET, published_before, limit))}


async def oldest(conn: Connection) -> datetime | None:
    """When the oldest published message was published."""
    return await first(conn, _OLDEST)


def _receipt(row: Iterable[Any]) -> Receipt:
    """From a row that begins with `_RECEIPT`. One that stands in another row has no names."""
    return Receipt(**dict(zip(_NAMES, row, strict=False)))


def _lock_number(kind: bytes, source: str, account: str, what: bytes) -> int:
    """A 64-bit number for the thing to lock; two things that share one merely wait for each other."""
    name = b"\0".join((kind, source.encode(), account.encode(), what))
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), signed=True)
