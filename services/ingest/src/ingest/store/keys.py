"""API keys: find the one presented, keep the others in order."""

from __future__ import annotations

from datetime import datetime

from asyncpg import Record
from leadbus.db import Connection, Part, at_once
from sqlalchemy import Select, select
from sqlmodel import col

from ingest.domain.api_key import ApiKey
from ingest.store.tables import ApiKeyRow

_NAMES = (
    "key_id",
    "source",
    "account",
    "label",
    "digest",
    "created_at",
    "created_by",
    "expires_at",
    "revoked_at",
    "last_used_at",
    "rotated_to",
)
_COLUMNS = ", ".join(_NAMES)
_FIND = f"found_key AS (SELECT {_COLUMNS} FROM api_key WHERE key_id = $1)"  # noqa: S608
_OF_SOURCE = f"SELECT {_COLUMNS} FROM api_key WHERE source = $1 AND key_id = $2 FOR UPDATE"  # noqa: S608
_INSERT = """
INSERT INTO api_key (key_id, source, account, label, digest, created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Skips a row another request is touching: concurrent requests with one key must not queue up for this.
_TOUCH = """
UPDATE api_key SET last_used_at = $2 WHERE key_id IN (
    SELECT key_id FROM api_key
     WHERE key_id = $1 AND (last_used_at IS NULL OR last_used_at < $3) FOR UPDATE SKIP LOCKED)
"""


async def find(conn: Connection, key_id: str) -> ApiKey | None:
    return found(await at_once(conn, finding(key_id)))


def finding(key_id: str) -> Part:
    """`find` as a part of a larger statement; `found` reads its answer."""
    return Part(_FIND, (key_id,), "(SELECT found_key FROM found_key) AS found_key")


def found(row: Record) -> ApiKey | None:
    """What `find` returns, from the row of a statement with `finding` in it."""
    values = row["found_key"]
    return None if values is None else ApiKey(**dict(zip(_NAMES, values, strict=True)))


def of_source(source: str) -> Select[ApiKeyRow]:
    """All keys of a source, to be sorted and cut by whoever lists them."""
    return select(ApiKeyRow).where(col(ApiKeyRow.source) == source)


async def lock(conn: Connection, source: str, key_id: str) -> ApiKey | None:
    """The key of a source, held until the transaction ends."""
    row = await conn.fetchrow(_OF_SOURCE, source, key_id)
    return ApiKey(**dict(row)) if row else None


async def insert(conn: Connection, key: ApiKey) -> None:
    await conn.execute(
        _INSERT, key.key_id, key.source, key.account, key.label, key.digest, key.created_at, key.created_by
    )


async def retire(conn: Connection, key_id: str, *, expires_at: datetime, rotated_to: str) -> None:
    await conn.execute(
        "UPDATE api_key SET expires_at = $2, rotated_to = $3 WHERE key_id = $1",
        key_id,
        expires_at,
        rotated_to,
    )


async def revoke(conn: Connection, key_id: str, at: datetime) -> None:
    await conn.execute(
        "UPDATE api_key SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL", key_id, at
    )


async def touch(conn: Connection, key_id: str, now: datetime, unless_after: datetime) -> None:
    """Note the use of a key, unless one after ``unless_after`` is noted."""
    await conn.execute(_TOUCH, key_id, now, unless_after)
