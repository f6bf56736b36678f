"""DB: transactions that begin with advisory locks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from leadbus.db import Database, is_unavailable

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

_LOCKS = """
SELECT (classid::bigint << 32) | objid::bigint AS number, granted FROM pg_locks
 WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY granted DESC, number
"""


async def _locks(database: Database) -> list[tuple[int, bool]]:
    async with database.acquire() as conn:
        return [(row["number"], row["granted"]) for row in await conn.fetch(_LOCKS)]


def _waits(database: Database) -> Callable[[], Awaitable[bool]]:
    async def waits() -> bool:
        return any(not granted for _, granted in await _locks(database))

    return waits


def _complaints() -> list[dict[str, Any]]:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    return complaints


async def test_db21_it_begins_and_locks_in_one_round_trip(database: Database) -> None:
    said: list[str] = []
    async with database.acquire() as conn:
        conn.add_query_logger(lambda record: said.append(record.query))
    async with database.transaction(locks=[-(2**63), 2**63 - 1]):
        pass
    await asyncio.sleep(0)  # asyncpg tells its loggers in the next turn of the loop
    lowest, highest = (
        "pg_advisory_xact_lock(-9223372036854775808)",
        "pg_advisory_xact_lock(9223372036854775807)",
    )
    assert said == [f"BEGIN; SELECT {lowest}, {highest}", "COMMIT"]


async def test_db22_locks_are_held_to_the_end_whatever_it_is(database: Database) -> None:
    async with database.transaction(locks=[2, 1]):
        assert await _locks(database) == [(1, True), (2, True)]
    assert await _locks(database) == []
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 -- it is the work that fails
        async with database.transaction(locks=[1]) as conn:
            await conn.execute("CREATE TABLE rolled_back (n int)")
            raise ZeroDivisionError
    assert await _locks(database) == []
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT to_regclass('rolled_back')") is None


async def test_db23_who_waited_sees_what_was_committed_meanwhile(
    database: Database, eventually: Eventually
) -> None:
    async with database.acquire() as conn:
        await conn.execute("CREATE TABLE word (word text)")

    async def words() -> int:
        async with database.transaction(locks=[7]) as conn:
            return int(await conn.fetchval("SELECT count(*) FROM word"))

    async with database.transaction(locks=[7]) as conn:
        waiting = asyncio.create_task(words())
        await eventually(_waits(database))
        await conn.execute("INSERT INTO word VALUES ('one')")
    assert await waiting == 1


async def test_db24_who_is_cancelled_while_waiting_leaves_nothing_behind(
    database: Database, eventually: Eventually
) -> None:
    complaints = _complaints()

    async def wait() -> None:
        async with database.transaction(locks=[7]):
            raise AssertionError("it has no lock")

    async with database.transaction(locks=[7]):
        waiting = asyncio.create_task(wait())
        await eventually(_waits(database))
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert await _locks(database) == [(7, True)]
    assert await _locks(database) == []
    assert complaints == [], "no transaction is left for the pool to end"


async def test_db25_a_wait_that_fails_leaves_a_connection_that_goes_on(
    database: Database, eventually: Eventually
) -> None:
    complaints = _complaints()
    waiter: list[int] = []

    async def wait() -> None:
        async with database.transaction(locks=[7]):
            raise AssertionError("it has no lock")

    async with database.transaction(locks=[7]) as holder:
        waiting = asyncio.create_task(wait())
        await eventually(_waits(database))
        waiter.append(await holder.fetchval("SELECT pid FROM pg_locks WHERE NOT granted AND objid = 7"))
        await holder.execute("SELECT pg_cancel_backend($1)", waiter[0])
        with pytest.raises(asyncpg.QueryCanceledError) as caught:
            await waiting
    assert is_unavailable(caught.value)
    async with database.acquire() as one, database.acquire() as other:
        assert waiter[0] in {conn.get_server_pid() for conn in (one, other)}
        assert await one.fetchval("SELECT 1") == await other.fetchval("SELECT 1") == 1
    assert complaints == []


async def test_db26_no_commit_is_taken_for_one_that_was_a_rollback(database: Database) -> None:
    with pytest.raises(asyncpg.InFailedSQLTransactionError):  # noqa: PT012 -- it is the commit that fails
        async with database.transaction(locks=[1]) as conn:
            with pytest.raises(asyncpg.DivisionByZeroError):
                await conn.execute("SELECT 1 / 0")


async def test_db27_asyncpg_says_that_it_holds_no_transaction(database: Database) -> None:
    async with database.transaction(locks=[1]) as conn:
        with pytest.raises(asyncpg.InterfaceError, match="manually started"):
            async with conn.transaction():
                pass
        assert await conn.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
async def test_db28_a_lock_is_a_signed_64_bit_number(database: Database, number: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        async with database.transaction(locks=[number]):
            pass
    assert await database.ping()
