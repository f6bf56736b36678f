"""The migrated schema is the one that the tables declare."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from leadbus import inbox, jobs, outbox
from leadbus.db import Database, Schema, schema_state
from leadbus.settings import tables as settings
from leadbus.web.audit import metadata as audit_metadata
from normalizer.store.tables import METADATA
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

OURS: Any = [METADATA, inbox.metadata, outbox.metadata, settings.metadata, audit_metadata, jobs.metadata]


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            # An index over expressions on a shared table: declared by the migration alone.
            "include_name": lambda name, kind, _: (
                (kind, name) not in {("table", "alembic_version"), ("index", "setting_location")}
            ),
        },
    )
    return list(compare_metadata(context, OURS))


async def test_migrated_equals_declared(make_database: Any) -> None:
    url = make_database("normalizer")
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_a_migrated_database_is_current(make_database: Any) -> None:
    database = Database(make_database("normalizer"))
    await database.open()
    assert await schema_state("normalizer", database) is Schema.CURRENT
    await database.close()


async def test_one_reference_has_one_location(workshop: Any) -> None:
    rows = await workshop.fetch(
        "SELECT 1 FROM pg_indexes WHERE indexname = 'setting_location' AND indexdef LIKE 'CREATE UNIQUE%'"
    )
    assert len(rows) == 1
