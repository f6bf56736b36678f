"""DB: the pool, and what counts as the database being away."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from leadbus.db import Database, DatabaseUnavailable, is_out_of_reach, is_unavailable, on_commit
from sqlalchemy import text

AWAY = {
    "connection_refused": ConnectionRefusedError(),
    "timeout": TimeoutError(),
    "unavailable": DatabaseUnavailable(),
    "disk_full": asyncpg.DiskFullError("53100"),
    "admin_shutdown": asyncpg.AdminShutdownError("57P01"),
    "crash_shutdown": asyncpg.CrashShutdownError("57P02"),
    "cannot_connect_now": asyncpg.CannotConnectNowError("57P03"),
    "too_many_connections": asyncpg.TooManyConnectionsError("53300"),
    "out_of_memory": asyncpg.OutOfMemoryError("53200"),
    "standby": asyncpg.ReadOnlySQLTransactionError("25006"),
    "connection_lost": asyncpg.ConnectionDoesNotExistError("08003"),
    "lock_timeout": asyncpg.LockNotAvailableError("55P03"),
    "idle_in_transaction": asyncpg.IdleInTransactionSessionTimeoutError("25P03"),
    "closed": asyncpg.InterfaceError("connection is closed"),
    "taken_back": asyncpg.InterfaceError(
        "cannot call Connection.execute(): connection has been released back to the pool"
    ),
    "failed": asyncpg.InternalClientError('cannot switch to state 12; protocol is in the "failed" state'),
    "losing": asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    "deadlock": asyncpg.DeadlockDetectedError("40P01"),
}
REFUSING = {
    "password": asyncpg.InvalidPasswordError("28P01"),
    "no_database": asyncpg.InvalidCatalogNameError("3D000"),
    "no_right": asyncpg.InsufficientPrivilegeError("42501"),
    "no_table": asyncpg.UndefinedTableError("42P01"),
}
OURS = {
    "unique": asyncpg.UniqueViolationError("23505"),
    "syntax": asyncpg.PostgresSyntaxError("42601"),
    "misuse": asyncpg.InterfaceError("another operation is in progress"),
    "value": ValueError("a bug"),
    "cancelled": asyncio.CancelledError(),
}


@pytest.mark.parametrize("error", AWAY.values(), ids=AWAY.keys())
def test_db1_away(error: BaseException) -> None:
    assert is_unavailable(error)
    assert is_out_of_reach(error)


@pytest.mark.parametrize("error", OURS.values(), ids=OURS.keys())
def test_db2_not_away(error: BaseException) -> None:
    assert not is_unavailable(error)
    assert not is_out_of_reach(error)


@pytest.mark.parametrize("error", REFUSING.values(), ids=REFUSING.keys())
def test_db2_refusing_is_not_healed_by_waiting_and_nobodys_fault(error: BaseException) -> None:
    assert not is_unavailable(error)
    assert is_out_of_reach(error)


def _raised(error: Exception, cause: Exception | None) -> Exception:
    error.__cause__ = cause
    return error


def test_db3_looks_through_causes_and_groups() -> None:
    wrapped = _raised(RuntimeError("wrapped"), ConnectionResetError())
    assert is_unavailable(wrapped)
    assert is_unavailable(ExceptionGroup("all", [TimeoutError(), wrapped]))
    assert not is_unavailable(ExceptionGroup("one is a bug", [TimeoutError(), ValueError()]))


def test_db4_ignores_what_was_only_being_handled() -> None:
    bug = ValueError("a bug met while handling")
    bug.__context__ = ConnectionResetError()
    assert not is_unavailable(bug)


async def _terminate_others(url: str) -> None:
    admin = await asyncpg.connect(url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await admin.close()


async def test_db5_killed_backend_is_away_and_the_next_use_works(
    database: Database, storage_url: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT012 -- which statement meets the loss varies
        async with database.transaction() as conn:
            await _terminate_others(storage_url)
            await conn.execute("SELECT 1")
    assert is_unavailable(caught.value)
    assert await database.ping()


async def test_db6_session_survives_killed_backends(database: Database, storage_url: str) -> None:
    async with database.session() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await _terminate_others(storage_url)
    async with database.session() as session:
        assert await session.scalar(text("SELECT 1")) == 1


async def test_db7_session_error_of_a_killed_backend_is_away(database: Database, storage_url: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT012 -- which statement meets the loss varies
        async with database.session() as session:
            await session.execute(text("SELECT 1"))
            await _terminate_others(storage_url)
            await session.execute(text("SELECT 1"))
    assert is_unavailable(caught.value)


async def test_db8_statement_timeout_is_away(database: Database) -> None:
    async with database.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL statement_timeout = '20ms'")
        with pytest.raises(asyncpg.QueryCanceledError) as caught:
            await conn.execute("SELECT pg_sleep(5)")
    assert is_unavailable(caught.value)


async def test_db9_not_open_is_away() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    assert not await database.ping()
    with pytest.raises(DatabaseUnavailable):
        async with database.acquire():
            pass


async def test_db10_wrong_database_is_not_waited_for(database_url: str) -> None:
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await Database(f"{database_url}_does_not_exist").open()


async def test_db11_open_transaction_is_rolled_back_when_given_back(database: Database) -> None:
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    async with database.acquire() as conn:
        pid = await conn.fetchval("SELECT pg_backend_pid()")
        await conn.execute("BEGIN")
        await conn.execute("CREATE TABLE left_open (n int)")
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT pg_backend_pid()") == pid
        assert await conn.fetchval("SELECT to_regclass('left_open')") is None
    assert complaints, "and it is said aloud"


@pytest.mark.parametrize("query", ["", "?sslmode=prefer", "?application_name=x"])
async def test_db14_session_takes_the_url_that_asyncpg_takes(storage_url: str, query: str) -> None:
    database = Database(storage_url + query)
    async with database.session() as session:
        assert await session.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_db12_waits_for_a_server_that_is_away(private_postgres: Any) -> None:
    private_postgres.kill()
    database = Database(private_postgres.url)
    opening = asyncio.create_task(database.open())
    done, _ = await asyncio.wait({opening}, timeout=0.3)
    assert not done
    private_postgres.start()
    await asyncio.wait_for(opening, 20)
    assert await database.ping()
    private_postgres.kill()
    assert not await database.ping()
    await database.close()


async def test_db13_listener_comes_back_and_says_so(
    database: Database, storage_url: str, eventually: Any
) -> None:
    heard: list[None] = []
    listening = asyncio.create_task(database.listen("things", lambda: heard.append(None)))

    async def connected() -> bool:
        return len(heard) == 1

    async def notified() -> bool:
        async with database.acquire() as conn:
            await conn.execute("NOTIFY things")
        return len(heard) >= 2

    await eventually(connected)
    await eventually(notified)
    await _terminate_others(storage_url)
    before = len(heard)

    async def reconnected() -> bool:
        return len(heard) > before

    await eventually(reconnected)
    listening.cancel()


@pytest.mark.parametrize("way", ["acquire", "transaction"])
async def test_db15_a_server_that_stands_still_does_not_hold_who_is_cancelled(
    private_postgres: Any, way: str
) -> None:
    database = Database(private_postgres.url)
    await database.open()
    inside, frozen = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with getattr(database, way)() as conn:
            inside.set()
            await frozen.wait()
            await conn.fetchval("SELECT true")

    task = asyncio.create_task(work())
    await inside.wait()
    private_postgres.freeze()
    frozen.set()
    await asyncio.wait([task], timeout=0.3)
    assert not task.done(), "it waits for the server"
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled(), "a cancellation stays one, though the connection could not be given back"
    private_postgres.thaw()
    await work()
    await database.close()


async def test_db16_the_error_of_the_work_is_raised_and_not_that_of_its_rollback(
    database: Database, storage_url: str
) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 -- it is the work that fails
        async with database.transaction() as conn:
            await conn.execute("SELECT 1")
            await _terminate_others(storage_url)
            raise ZeroDivisionError
    async with database.transaction() as conn:
        assert await conn.fetchval("SELECT 1") == 1


async def test_db17_what_fails_is_rolled_back_and_the_connection_goes_on(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute("CREATE TABLE word (word text PRIMARY KEY)")
        backend = await conn.fetchval("SELECT pg_backend_pid()")
    with pytest.raises(asyncpg.UniqueViolationError):  # noqa: PT012 -- it is the second that fails
        async with database.transaction() as conn:
            await conn.execute("INSERT INTO word VALUES ('one')")
            await conn.execute("INSERT INTO word VALUES ('one')")
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM word") == 0
        assert await conn.fetchval("SELECT pg_backend_pid()") == backend


async def test_db18_a_hook_is_called_once_what_was_written_can_be_seen(database: Database) -> None:
    called: list[str] = []
    async with database.transaction() as conn:
        on_commit(conn, lambda: called.append("first"))
        on_commit(conn, lambda: called.append("second"))
        assert called == []
    assert called == ["first", "second"]
    async with database.transaction():
        pass
    assert called == ["first", "second"], "forgotten with its transaction"


async def test_db19_a_hook_is_not_called_when_nothing_was_committed(database: Database) -> None:
    called: list[str] = []
    with pytest.raises(ValueError, match="a bug"):  # noqa: PT012 -- it is the work that fails
        async with database.transaction() as conn:
            on_commit(conn, lambda: called.append("rolled back"))
            raise ValueError("a bug")
    with pytest.raises(asyncpg.PostgresError):  # noqa: PT012 -- it is the commit that fails
        async with database.transaction() as conn:
            on_commit(conn, lambda: called.append("refused"))
            await conn.execute("CREATE TEMPORARY TABLE later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
            await conn.execute("INSERT INTO later VALUES (1), (1)")
    assert called == []


async def test_db20_there_is_no_commit_to_wait_for_outside_a_transaction(database: Database) -> None:
    async with database.acquire() as conn:
        with pytest.raises(RuntimeError, match="no transaction"):
            on_commit(conn, lambda: None)
