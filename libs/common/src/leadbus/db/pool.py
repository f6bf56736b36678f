"""The connections of one service to its own database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from leadbus.backoff import waits
from leadbus.db.alchemy import engine_for
from leadbus.db.availability import DatabaseUnavailable, is_unavailable
from leadbus.db.borrowing import ACQUIRE_TIMEOUT_SECONDS, Borrowed, Connection, InTransaction
from leadbus.db.planning import PLANNED_ONCE
from leadbus.log import logger

COMMAND_TIMEOUT_SECONDS = 10.0
CONNECT_TIMEOUT_SECONDS = 5.0
PING_TIMEOUT_SECONDS = 2.0
IDLE_IN_TRANSACTION_SECONDS = 30
# Away once we run (a password was rotated); at the start somebody configured us wrong.
_REFUSALS = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
_LISTEN_CHECK_SECONDS = 30.0

_log = logger("db")


async def _no_reset(_: Any) -> None:
    """asyncpg itself still rolls back a transaction that was left open."""


class Database:
    """A pool of asyncpg connections, and SQLAlchemy sessions for operator queries.

    ``url`` is ``postgresql://user:password@host:port/name``. Every command is bounded by
    ``COMMAND_TIMEOUT_SECONDS``; a server that is away shows as an error for which
    ``is_unavailable`` is true. Whoever is cancelled meanwhile ends as a cancelled one, and within seconds.
    """

    def __init__(self, url: SecretStr | str, *, min_size: int = 1, max_size: int = 10) -> None:
        self._url = url.get_secret_value() if isinstance(url, SecretStr) else url
        self._min_size = min_size
        self._max_size = max_size
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._engine: AsyncEngine | None = None

    async def open(self) -> None:
        """Connect; waits and tries again for as long as the server is away.

        Errors that waiting does not heal (wrong password, no such database) are raised.
        """
        said = False
        pauses = waits(0.1, 2.0)
        while self._pool is None:
            try:
                self._pool = await self._new_pool()
            except Exception as error:
                if isinstance(error, _REFUSALS) or not is_unavailable(error):
                    raise
                if not said:
                    _log.warning("db.waiting", error=type(error).__name__)
                    said = True
                await asyncio.sleep(next(pauses))

    async def close(self) -> None:
        """Give every connection back; those still in use after 5 seconds are cut."""
        pool, self._pool = self._pool, None
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()
        if pool is None:
            return
        try:
            async with asyncio.timeout(5):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    def acquire(self) -> AbstractAsyncContextManager[Connection, None]:
        """A connection outside any transaction (each statement commits by itself)."""
        return Borrowed(self._open_pool)

    def transaction(self, *, locks: Sequence[int] = ()) -> AbstractAsyncContextManager[Connection, None]:
        """A connection in a READ COMMITTED transaction: committed at the end, rolled back on an error.

        It begins with advisory locks on ``locks``, in their order and in the round trip of its begin; then
        it holds no transaction of asyncpg's (``conn.transaction()`` raises InterfaceError).
        """
        return InTransaction(Borrowed(self._open_pool), locks)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A SQLAlchemy session for operator queries, over a small pool of its own."""
        if self._engine is None:
            self._engine = engine_for(
                self._url,
                connect={"timeout": CONNECT_TIMEOUT_SECONDS, "command_timeout": COMMAND_TIMEOUT_SECONDS},
                pool_size=2,
                max_overflow=3,
                pool_timeout=ACQUIRE_TIMEOUT_SECONDS,
                # A connection that died with the server is found before the query, not by it.
                pool_pre_ping=True,
            )
        async with async_sessionmaker(self._engine, expire_on_commit=False)() as session:
            yield session

    async def ping(self) -> bool:
        """Whether the database answers within ``PING_TIMEOUT_SECONDS``."""
        try:
            async with asyncio.timeout(PING_TIMEOUT_SECONDS), self.acquire() as connection:
                return bool(await connection.fetchval("SELECT true"))
        except Exception as error:
            if not is_unavailable(error):
                raise
            return False

    async def listen(self, channel: str, callback: Callable[[], None]) -> None:
        """Call ``callback`` on every NOTIFY of ``channel`` until cancelled.

        A hint, never a guarantee: notifications sent while the connection was down are lost. Therefore
        ``callback`` is also called after each reconnection; whoever listens must poll as well.
        """
        while True:
            try:
                await self._listen_once(channel, callback)
            except Exception as error:
                if not is_unavailable(error):
                    raise
            await asyncio.sleep(1.0)

    def _open_pool(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._pool is None:
            raise DatabaseUnavailable("the pool is not open")
        return self._pool

    async def _listen_once(self, channel: str, callback: Callable[[], None]) -> None:
        connection = await asyncpg.connect(
            self._url, timeout=CONNECT_TIMEOUT_SECONDS, command_timeout=COMMAND_TIMEOUT_SECONDS
        )
        lost = asyncio.Event()
        try:
            # A dead server ends the connection without a word to the listener.
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(channel, lambda *_: callback())
            callback()
            while not lost.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(lost.wait(), _LISTEN_CHECK_SECONDS)
                if not lost.is_set():
                    await connection.fetchval("SELECT true")
        finally:
            connection.terminate()

    async def _new_pool(self) -> asyncpg.Pool[asyncpg.Record]:
        return await asyncpg.create_pool(
            self._url,
            min_size=self._min_size,
            max_size=self._max_size,
            timeout=CONNECT_TIMEOUT_SECONDS,
            command_timeout=COMMAND_TIMEOUT_SECONDS,
            reset=_no_reset,
            server_settings={
                "application_name": "leadbus",
                **PLANNED_ONCE,
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_SECONDS * 1000),
            },
        )
