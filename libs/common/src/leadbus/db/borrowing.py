"""A connection of the pool, for as long as somebody works with it.

Classes, because there are a dozen uses for each lead: a generator costs several times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from leadbus.db.after_commit import CommitHooks
from leadbus.db.transactions import GIVE_BACK_SECONDS, LockingTransaction, Transaction, roll_back
from leadbus.log import logger

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
    Pool: TypeAlias = asyncpg.Pool

ACQUIRE_TIMEOUT_SECONDS = 10.0

_log = logger("db")


class Borrowed(AbstractAsyncContextManager[Connection, None]):
    """A connection from ``pool()``, given back at the end."""

    __slots__ = ("_connection", "_open_pool")
    _connection: PoolConnectionProxy[Any]

    def __init__(self, pool: Callable[[], Pool]) -> None:
        self._open_pool = pool

    async def __aenter__(self) -> Connection:
        self._connection = await self._open_pool().acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whatever was done with the connection is what counts: asyncpg ends one that cannot be given back.

        Of an interrupted statement the server has to be told, and a frozen one never hears it.
        """
        try:
            await _give_back(self._connection)
        except Exception as failure:  # noqa: BLE001 -- the connection is gone either way
            _log.info("db.connection_dropped", error=type(failure).__name__)


async def _give_back(connection: PoolConnectionProxy[Any]) -> None:
    """`Pool.release` without the task that it makes each time, against a cancellation meanwhile.

    Here that ends the connection, and the pool makes another one.
    """
    held: Any = connection  # all that is asyncpg's own stands in the next lines
    if held._con is not None:  # noqa: SLF001 -- else the pool has it back already
        held._con._on_release()  # noqa: SLF001
        await held._holder.release(GIVE_BACK_SECONDS)  # noqa: SLF001


class InTransaction(AbstractAsyncContextManager[Connection, None]):
    """A borrowed connection, in a transaction that ends before it is given back."""

    __slots__ = ("_borrowed", "_connection", "_hooks", "_locks", "_transaction")
    _connection: Connection
    _hooks: CommitHooks
    _transaction: Transaction

    def __init__(self, borrowed: Borrowed, locks: Sequence[int]) -> None:
        self._borrowed = borrowed
        self._locks = locks

    async def __aenter__(self) -> Connection:
        connection = self._connection = await self._borrowed.__aenter__()
        self._hooks = CommitHooks(connection)
        try:
            self._transaction = (
                LockingTransaction(connection, self._locks) if self._locks else connection.transaction()
            )
            await self._transaction.start()
        except BaseException:
            await self._give_back()
            raise
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._transaction.commit()
                self._hooks.committed()
            else:
                await roll_back(self._transaction, self._connection)
        finally:
            await self._give_back()

    async def _give_back(self) -> None:
        self._hooks.forget()
        await self._borrowed.__aexit__(None, None, None)
