"""How a transaction begins and ends on a connection of the pool."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg

from leadbus.log import logger

if TYPE_CHECKING:
    from leadbus.db.borrowing import Connection

GIVE_BACK_SECONDS = 1.0
"""For a rollback, and for a connection to be ready for the next one; then it is cut."""

_log = logger("db")


class Transaction(Protocol):
    """Started once, then committed or rolled back once."""

    async def start(self) -> Any: ...
    async def commit(self) -> Any: ...
    async def rollback(self) -> Any: ...


class LockingTransaction:
    """Begins and takes advisory locks in one round trip; they are held until it ends.

    The locks are a statement of their own in it, and each statement after it reads a snapshot that is taken
    after the wait: it sees what the lock's last holder committed.

    asyncpg does not know of it: `connection.transaction()` inside raises InterfaceError.
    """

    def __init__(self, connection: Connection, locks: Sequence[int]) -> None:
        """`locks` are signed 64-bit numbers, taken in their order; ValueError for others."""
        if not all(-(2**63) <= number < 2**63 for number in locks):
            raise ValueError("an advisory lock is a signed 64-bit number")
        self._connection = connection
        # Numbers only: a statement with parameters cannot go together with another one.
        taking = ", ".join(f"pg_advisory_xact_lock({number:d})" for number in locks)
        self._begin = f"BEGIN; SELECT {taking}"

    async def start(self) -> None:
        """Wait for the locks. What fails or is cancelled meanwhile leaves no transaction behind."""
        try:
            await self._connection.execute(self._begin)
        except BaseException:
            await roll_back(self, self._connection)
            raise

    async def commit(self) -> None:
        """Raises InFailedSQLTransactionError when a statement failed and somebody went on all the same."""
        if await self._connection.execute("COMMIT") != "COMMIT":
            raise asyncpg.InFailedSQLTransactionError("the server rolled back where it was to commit")

    async def rollback(self) -> None:
        await self._connection.execute("ROLLBACK")


async def in_turn(connection: Connection, what: str) -> None:
    """Wait for every other transaction that has taken its turn of `what`; ours lasts until it ends.

    For what has no common row to wait for: two documents that must not say the same, created at once. What
    is read after it was committed by those before.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", what)


async def roll_back(transaction: Transaction, connection: Connection) -> None:
    """The error that brought us here is the one to raise; the server ends what it is not told to."""
    try:
        async with asyncio.timeout(GIVE_BACK_SECONDS):
            await transaction.rollback()
    except Exception as error:  # noqa: BLE001 -- above
        _log.info("db.not_rolled_back", error=type(error).__name__)
        with contextlib.suppress(asyncpg.InterfaceError):  # it is gone already
            connection.terminate()
