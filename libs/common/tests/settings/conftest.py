"""One database for all tests of documents, emptied before each: making one costs more than a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from leadbus.db import Database
from leadbus.settings import documents
from leadbus.web.audit import DDL_V1 as AUDIT_DDL
from leadbus_devstack.databases import DatabaseFactory, execute


@pytest.fixture(scope="module")
def documents_url(database_factory: DatabaseFactory) -> Iterator[str]:
    url = database_factory.create()
    execute(url, documents.DDL_V1, AUDIT_DDL)
    yield url
    database_factory.drop(url)


@pytest.fixture
async def database(documents_url: str) -> AsyncIterator[Database]:
    opened = Database(documents_url)
    await opened.open()
    async with opened.acquire() as connection:
        await connection.execute("TRUNCATE setting, setting_history, audit")
    yield opened
    await opened.close()
