"""Schema changes: alembic inside each service's package, run one at a time and never in the way.

Expand and contract: a release adds what it needs, the next one removes what nobody reads any more. A
service therefore runs against a schema that is ahead of it, and ends when the schema is behind.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from alembic import command, context, op
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import MetaData, text
from sqlalchemy.pool import NullPool

from leadbus.db.alchemy import engine_for
from leadbus.db.pool import CONNECT_TIMEOUT_SECONDS

LOCK_TIMEOUT_SECONDS = 5
"""A migration gives up rather than queue every writer of the table behind itself."""
WAIT_FOR_OTHER_MIGRATION_SECONDS = 300
_ASK_AGAIN_SECONDS = 0.1


def migrate(package: str, url: SecretStr | str) -> None:
    """Bring the database up to the newest revision in ``<package>/migrations``.

    Safe to run twice at once: an advisory lock lets one through at a time. Blocks; in a running event
    loop call it through ``asyncio.to_thread``.
    """
    plain = url.get_secret_value() if isinstance(url, SecretStr) else url
    # A thread of its own, because the caller's may already run an event loop.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, _migrate(package, plain)).result()


def run_env(metadatas: Sequence[MetaData]) -> None:
    """The whole of a service's ``migrations/env.py``.

    ``metadatas`` are what the migrated schema is expected to equal; ``leadbus.db`` brings the connection.
    Raises RuntimeError when alembic was started by hand.
    """
    connection = context.config.attributes.get("connection")
    if not isinstance(connection, SyncConnection):
        raise RuntimeError("migrations run through leadbus.db.migrate (`python -m <service> migrate`)")  # noqa: TRY004
    context.configure(
        connection=connection,
        target_metadata=list(metadatas),
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def build_indexes(indexes: Mapping[str, str], *, unique: bool = False) -> None:
    """In a revision: build indexes (``{name: "table (columns) …"}``) while the table is written to.

    Outside of any transaction: what a run that was cut short left behind is made anew. So nothing else may
    come before it in its revision, or that would be done twice; RuntimeError says so.
    """
    if op.get_bind().scalar(text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")):
        raise RuntimeError(
            "indexes are built in a revision of their own: one cut short could not be repeated"
        )
    with op.get_context().autocommit_block():
        # It waits until all older snapshots are gone, a backup's too, and stops no writer meanwhile.
        op.execute("SET lock_timeout = 0")
        kind = "UNIQUE INDEX" if unique else "INDEX"
        for name, definition in indexes.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE {kind} CONCURRENTLY {name} ON {definition}")
        op.execute(_give_up_on_locks())


def _give_up_on_locks() -> str:
    return f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"


def _config(package: str) -> Config:
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.set_main_option("path_separator", "os")
    return config


async def _migrate(package: str, url: str) -> None:
    engine = engine_for(url, connect={"timeout": CONNECT_TIMEOUT_SECONDS}, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade, package)
    finally:
        await engine.dispose()


def _upgrade(connection: SyncConnection, package: str) -> None:
    _wait_for_turn(connection, zlib.crc32(f"leadbus migrate {package}".encode()))
    connection.execute(text(_give_up_on_locks()))
    connection.commit()
    config = _config(package)
    config.attributes["connection"] = connection
    # The lock goes with the connection, which is closed after this.
    command.upgrade(config, "head")
    connection.commit()


def _wait_for_turn(connection: SyncConnection, key: int) -> None:
    """Take the advisory lock. Raises TimeoutError.

    Asked for again and again, because a statement that waits for it would hold a snapshot, and an index
    that the holder builds concurrently waits until all older snapshots are gone.
    """
    until = time.monotonic() + WAIT_FOR_OTHER_MIGRATION_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}):
        connection.rollback()
        if time.monotonic() > until:
            raise TimeoutError("another migration of this database does not end")
        time.sleep(_ASK_AGAIN_SECONDS)
    connection.commit()
