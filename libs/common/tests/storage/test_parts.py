"""Parts of one statement."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from leadbus.db import Database, Part, at_once

_KEEP = Part(
    "kept AS (INSERT INTO kept SELECT unnest($1::int[]) RETURNING id)",
    ([3, 1, 2],),
    "(SELECT ROW(array_agg(id), count(*)) FROM kept) AS kept",
)


@pytest.fixture
async def table(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute("CREATE TABLE kept (id int PRIMARY KEY)")
        await conn.execute("CREATE TABLE names (id int REFERENCES kept, name text)")


async def test_parameters_are_each_parts_own(database: Database, table: Any) -> None:
    names = Part(
        "named AS (INSERT INTO names SELECT $2, $1 RETURNING name)",
        ("a", 3),
        "(TABLE named) AS name, $1::text AS told",
    )
    async with database.transaction() as conn:
        row = await at_once(conn, _KEEP, names)
    assert (tuple(row["kept"]), row["name"], row["told"]) == (([3, 1, 2], 3), "a", "a")


async def test_more_than_nine_parameters(database: Database) -> None:
    places = " || ".join(f"${place}::text" for place in range(1, 12))
    left = Part(f"l AS (SELECT {places} AS told)", tuple("abcdefghijk"), "(TABLE l) AS left")
    right = Part(f"r AS (SELECT {places} AS told)", tuple("ABCDEFGHIJK"), "(TABLE r) AS right")
    async with database.acquire() as conn:
        row = await at_once(conn, left, right)
    assert tuple(row.values()) == ("abcdefghijk", "ABCDEFGHIJK")


async def test_one_part_that_fails_undoes_all(database: Database, table: Any) -> None:
    orphan = Part(
        "named AS (INSERT INTO names VALUES ($1, 'x') RETURNING id)", (99,), "(TABLE named) AS orphan"
    )
    async with database.acquire() as conn:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await at_once(conn, _KEEP, orphan)
        assert await conn.fetchval("SELECT count(*) FROM kept") == 0
