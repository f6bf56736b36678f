"""A database with the shared tables, and waiting with a deadline instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from leadbus import inbox, outbox
from leadbus.db import Database

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
async def storage_url(database_url: str) -> str:
    connection = await asyncpg.connect(database_url)
    try:
        for ddl in (inbox.DDL_V1, outbox.DDL_V1):
            await connection.execute(ddl)
    finally:
        await connection.close()
    return database_url


@pytest.fixture
async def database(storage_url: str) -> AsyncIterator[Database]:
    database = Database(storage_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def eventually() -> Eventually:
    async def wait(condition: Callable[[], Awaitable[bool]], within_seconds: float = 20.0) -> None:
        deadline = time.monotonic() + within_seconds
        while not await condition():
            if time.monotonic() > deadline:
                raise AssertionError("did not come about in time")
            await asyncio.sleep(0.02)

    return wait
