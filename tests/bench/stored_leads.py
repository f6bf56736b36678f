"""Databases of the normalizer that hold leads already: a thousand real ones, multiplied by SQL.

Every row that belongs to a lead is there (inbox, raw, lead, lead_term, lead_revision), with ids as random as
real ones and the door's time going back; so the indexes are what they would be. Bodies and documents are left
out: a new lead reads none of an old one, and tables grow at their end. The last tenth comes after the indexes
were built, so that their pages are as full, and as often changed since the last checkpoint, as those of a
database that has run for a while.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import asyncpg
from leadbus_devstack import databases

BASE = 1000
_LATE_PART = 10


def _uuid(column: str) -> str:
    return f"md5(t.{column}::text || '/' || n)::uuid"


_TERM = "split_part({0}, ':', 1) || ':' || md5({0} || '/' || n)"
_EARLIER = "t.received_at - n * interval '30 seconds'"
_NEW: Mapping[str, Mapping[str, str]] = {
    "inbox": {"id": f"{_uuid('id')}::text"},
    "raw": {
        "raw_key": _uuid("raw_key"),
        "wire_id": f"{_uuid('wire_id')}::text",
        "lead_id": _uuid("lead_id"),
        "received_at": _EARLIER,
        "body": "''::bytea",
    },
    "lead": {
        "lead_id": _uuid("lead_id"),
        "received_at": _EARLIER,
        "terms": f"ARRAY(SELECT {_TERM.format('term')} FROM unnest(t.terms) AS term)",
    },
    "lead_term": {
        "term": _TERM.format("t.term"),
        "lead_id": _uuid("lead_id"),
        "received_at": _EARLIER,
    },
    "lead_revision": {
        "lead_id": _uuid("lead_id"),
        "raw_key": _uuid("raw_key"),
        "document": "'{}'::jsonb",
    },
}
"""By table, what differs from the row that is copied; `n` counts the copies."""

_COLUMNS = (
    "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped"
)
_INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
 WHERE indrelid = ANY($1::regclass[]) AND NOT indisprimary
"""


def copy_of(postgres_url: str, base: str, name: str) -> str:
    """A new database like `base`; its URL."""
    databases.execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{base}"')
    return databases.with_database(postgres_url, name)


async def multiply(url: str, leads: int) -> None:
    """Make the base's thousand leads `leads`."""
    copies = leads // BASE - 1
    late = max(1, copies // _LATE_PART)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET session_replication_role = replica")  # foreign keys hold by themselves
        await connection.execute("SET maintenance_work_mem = '512MB'")
        tables = list(_NEW)
        indexes = await connection.fetch(_INDEXES, tables)
        for table in tables:
            await connection.execute(f"CREATE TEMP TABLE base_{table} AS TABLE {table}")
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        await _copy(connection, tables, 1, copies - late)
        for index in indexes:
            await connection.execute(index["definition"])
        await connection.execute("CHECKPOINT")
        await _copy(connection, tables, copies - late + 1, copies)
        await connection.execute(f"VACUUM ANALYZE {', '.join(tables)}")
    finally:
        await connection.close()


async def _copy(
    connection: asyncpg.Connection[asyncpg.Record], tables: Sequence[str], first: int, last: int
) -> None:
    for table in tables:
        columns = [row["attname"] for row in await connection.fetch(_COLUMNS, table)]
        values = [_NEW[table].get(column, f"t.{column}") for column in columns]
        await connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"
            f" FROM generate_series({first}, {last}) AS n, base_{table} AS t"
        )


def name_of(url: str) -> str:
    return urlsplit(url).path[1:]
