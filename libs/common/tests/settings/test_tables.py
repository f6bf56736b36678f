"""The frozen DDL makes exactly the tables that the models describe."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from leadbus.settings import tables
from leadbus.web.audit import DDL_V1 as AUDIT_DDL
from leadbus.web.audit import metadata as audit_metadata
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine


@pytest.mark.parametrize(
    ("ddl", "metadata"),
    [
        pytest.param(tables.DDL_V1, tables.metadata, id="settings"),
        pytest.param(AUDIT_DDL, audit_metadata, id="audit"),
    ],
)
async def test_ddl_and_models_agree(database_url: str, ddl: str, metadata: MetaData) -> None:
    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with engine.begin() as connection:
        await connection.execute(text(ddl))
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(sync, opts={"compare_type": True}), metadata
            )
        )
    await engine.dispose()
    assert differences == []
