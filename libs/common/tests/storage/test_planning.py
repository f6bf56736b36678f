"""PLAN: over the pool a statement is planned once, by index, however small its table was then."""

from leadbus.db import Connection, Database, plan_for_arguments

_FIND = "SELECT body FROM outbox WHERE id = ANY($1::bigint[])"


async def plans(conn: Connection) -> tuple[int, int]:
    """How often `_FIND` was executed with the plan for any values, and with one for those given."""
    row = await conn.fetchrow(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1", _FIND
    )
    assert row is not None
    return row["generic_plans"], row["custom_plans"]


async def test_plan1_statement_is_planned_for_any_values(database: Database) -> None:
    async with database.acquire() as conn:
        for _ in range(3):
            await conn.fetch(_FIND, [1])
        assert await plans(conn) == (3, 0)


async def test_plan2_empty_table_is_asked_by_its_index_already(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute("VACUUM ANALYZE outbox")
        explained = await conn.fetch(f"EXPLAIN {_FIND}", [1])
    assert not any("Seq Scan" in row[0] for row in explained), explained


async def test_plan3_filters_of_a_person_are_planned_for_what_they_say(database: Database) -> None:
    async with database.acquire() as conn:
        async with conn.transaction():
            await plan_for_arguments(conn)
            await conn.fetch(_FIND, [1])
            assert await plans(conn) == (0, 1)
        await conn.fetch(_FIND, [1])
        assert await plans(conn) == (1, 1), "the next transaction is as before"
