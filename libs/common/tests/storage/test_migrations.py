"""MIG: services migrate one at a time, and know whether the schema is behind or ahead of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from leadbus import delivery, inbox, outbox
from leadbus.db import Database, Schema, migrate, schema_state
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine

ENV = """
from leadbus.db import run_env
from leadbus.inbox import metadata
run_env([metadata])
"""
REVISION = """
from alembic import op
revision = "{revision}"
down_revision = {down!r}
def upgrade():
    op.execute({ddl!r})
"""
INDEX_REVISION = """
from alembic import op
from leadbus.db import build_indexes
revision = "{revision}"
down_revision = {down!r}
def upgrade():
    op.execute({after!r})
    build_indexes({indexes!r})
"""
_WAITS_SINCE_A_SECOND = """
SELECT count(*) > 0 FROM pg_locks
 WHERE locktype = 'virtualxid' AND NOT granted AND waitstart < clock_timestamp() - interval '1 second'
   AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())
"""


class Package:
    """A service's package with migrations, made on disk."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self._migrations = root / name / "migrations"
        (self._migrations / "versions").mkdir(parents=True)
        (root / name / "__init__.py").touch()
        (self._migrations / "__init__.py").touch()
        (self._migrations / "env.py").write_text(ENV)

    def add(self, revision: str, down: str | None, ddl: str) -> None:
        path = self._migrations / "versions" / f"{revision}.py"
        path.write_text(REVISION.format(revision=revision, down=down, ddl=ddl))

    def add_index(
        self, revision: str, down: str, name: str, definition: str, *, after: str = "SELECT"
    ) -> None:
        path = self._migrations / "versions" / f"{revision}.py"
        path.write_text(
            INDEX_REVISION.format(revision=revision, down=down, after=after, indexes={name: definition})
        )

    def remove(self, revision: str) -> None:
        (self._migrations / "versions" / f"{revision}.py").unlink()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Package:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"service_{abs(hash(request.node.name))}"
    made = Package(tmp_path, name)
    made.add("0001", None, inbox.DDL_V1)
    return made


async def test_mig1_migrates_and_again_changes_nothing(package: Package, database_url: str) -> None:
    await asyncio.to_thread(migrate, package.name, database_url)
    migrate(package.name, database_url)  # blocks, and works inside a running loop too
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM inbox") == 0
    await connection.close()


async def test_mig2_behind_current_ahead(package: Package, database_url: str) -> None:
    database = Database(database_url)
    await database.open()
    assert await schema_state(package.name, database) is Schema.BEHIND
    await asyncio.to_thread(migrate, package.name, database_url)
    assert await schema_state(package.name, database) is Schema.CURRENT

    package.add("0002", "0001", "ALTER TABLE inbox ADD COLUMN note text")
    assert await schema_state(package.name, database) is Schema.BEHIND
    await asyncio.to_thread(migrate, package.name, database_url)
    assert await schema_state(package.name, database) is Schema.CURRENT

    package.remove("0002")
    assert await schema_state(package.name, database) is Schema.AHEAD
    await database.close()


async def test_mig3_two_at_once_take_turns(package: Package, database_url: str) -> None:
    package.add("0002", "0001", "CREATE TABLE slow AS SELECT pg_sleep(0.3)::text AS nothing")
    await asyncio.gather(*(asyncio.to_thread(migrate, package.name, database_url) for _ in range(3)))
    database = Database(database_url)
    await database.open()
    assert await schema_state(package.name, database) is Schema.CURRENT
    await database.close()


async def test_mig4_gives_up_rather_than_queue_writers_behind_itself(
    package: Package, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadbus.db.migrations.LOCK_TIMEOUT_SECONDS", 0.2)
    await asyncio.to_thread(migrate, package.name, database_url)
    package.add("0002", "0001", "ALTER TABLE inbox ADD COLUMN note text")
    busy = await asyncpg.connect(database_url)
    async with busy.transaction():
        await busy.execute("LOCK TABLE inbox IN ROW EXCLUSIVE MODE")
        with pytest.raises(Exception, match="lock timeout"):
            await asyncio.to_thread(migrate, package.name, database_url)
    await asyncio.to_thread(migrate, package.name, database_url)
    assert await busy.fetchval("SELECT count(note) FROM inbox") == 0
    await busy.close()


async def test_mig5_failed_migration_leaves_nothing_half_done(package: Package, database_url: str) -> None:
    package.add("0002", "0001", "DO $$ BEGIN CREATE TABLE half (n int); RAISE EXCEPTION 'no'; END $$")
    with pytest.raises(Exception, match="no"):
        await asyncio.to_thread(migrate, package.name, database_url)
    database = Database(database_url)
    await database.open()
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT version_num FROM alembic_version") == "0001"
        assert await conn.fetchval("SELECT to_regclass('half')") is None
    await database.close()


def indexes(*built: Mapping[str, str]) -> list[str]:
    return [f"CREATE INDEX {name} ON {on}" for these in built for name, on in these.items()]


DELIVERY = [delivery.DDL_V1, delivery.DDL_V2, delivery.DDL_V3, delivery.DDL_V4, delivery.DDL_V5]
SHARED: list[tuple[list[str], MetaData]] = [
    ([inbox.DDL_V1, *indexes(inbox.INDEXES_V2)], inbox.metadata),
    ([outbox.DDL_V1], outbox.metadata),
    ([*DELIVERY, *indexes(delivery.INDEXES_V2, delivery.INDEXES_V3)], delivery.metadata),
]


@pytest.mark.parametrize(("ddl", "metadata"), SHARED, ids=["inbox", "outbox", "delivery"])
async def test_mig6_shared_ddl_equals_its_metadata(
    ddl: list[str], metadata: MetaData, database_url: str
) -> None:
    def differences(connection: Connection) -> list[object]:
        for statement in ddl:
            connection.exec_driver_sql(statement)
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_mig7_indexes_are_built_while_others_wait_their_turn(
    package: Package, database_url: str
) -> None:
    """A second migrator must not stop the first one's concurrent build, nor an earlier build that failed."""
    package.add("0002", "0001", "CREATE INDEX noted ON inbox (digest)")
    await asyncio.to_thread(migrate, package.name, database_url)
    package.add_index("0003", "0002", "noted", "inbox (seen_at)")
    await asyncio.gather(*(asyncio.to_thread(migrate, package.name, database_url) for _ in range(3)))
    connection = await asyncpg.connect(database_url)
    built = await connection.fetch(
        "SELECT indexdef, indisvalid FROM pg_indexes JOIN pg_index ON indexrelid = indexname::regclass"
        " WHERE indexname = 'noted'"
    )
    assert [("(seen_at)" in row["indexdef"], row["indisvalid"]) for row in built] == [(True, True)]
    await connection.close()


async def test_mig8_indexes_are_built_however_long_others_read(
    package: Package, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build waits for every older snapshot, and stops no writer while it does: there is no hurry."""
    monkeypatch.setattr("leadbus.db.migrations.LOCK_TIMEOUT_SECONDS", 0.2)
    await asyncio.to_thread(migrate, package.name, database_url)
    package.add_index("0002", "0001", "noted", "inbox (digest)")
    package.add(
        "0003", "0002", "CREATE TABLE waits AS SELECT current_setting('lock_timeout') AS lock_timeout"
    )
    reading, looking = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    async with reading.transaction(isolation="repeatable_read"):
        await reading.fetch("SELECT FROM inbox")
        migrating = asyncio.create_task(asyncio.to_thread(migrate, package.name, database_url))
        async with asyncio.timeout(30):
            while not await looking.fetchval(_WAITS_SINCE_A_SECOND):
                assert not migrating.done(), migrating.exception()
                await asyncio.sleep(0.05)
        await looking.execute("INSERT INTO inbox VALUES ('c', 's', 'a', 'i', 'd', now())")
    await migrating
    assert await looking.fetchval("SELECT lock_timeout FROM waits") == "200ms"
    await reading.close()
    await looking.close()


async def test_mig9_indexes_are_built_in_a_revision_of_their_own(package: Package, database_url: str) -> None:
    """What came before them would be committed, and done once more by the run after one cut short."""
    package.add_index(
        "0002", "0001", "noted", "inbox (digest)", after="ALTER TABLE inbox ADD COLUMN note text"
    )
    for _ in range(2):
        with pytest.raises(RuntimeError, match="a revision of their own"):
            await asyncio.to_thread(migrate, package.name, database_url)
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "0001"
    assert await connection.fetchval("SELECT count(*) FROM pg_attribute WHERE attname = 'note'") == 0
    await connection.close()


def test_a_running_service_has_no_use_for_alembic() -> None:
    asked = "import sys, leadbus.service; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
