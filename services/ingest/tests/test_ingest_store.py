"""What the tables promise: the schema is as declared, old messages go, unpublished ones stay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ingest.store import raws
from ingest.store.tables import METADATA
from leadbus import jobs, outbox
from leadbus.db import Schema, schema_state
from leadbus.retention import Pace, Retention, Rule
from leadbus.settings import documents
from leadbus.web.audit import metadata as audit
from sqlalchemy.ext.asyncio import create_async_engine

# Made by ingest on shared tables: its queries for failures of one message and for recipients need them.
OWN_INDEXES = {"outbox_failed_subject", "setting_mail_address"}


async def test_migrated_schema_is_the_declared_one(ingest: Any, ingest_database_url: str) -> None:
    assert await schema_state("ingest", ingest.database) is Schema.CURRENT
    engine = create_async_engine(ingest_database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        differences = await connection.run_sync(_differences)
    await engine.dispose()
    assert differences == []


def _differences(connection: Any) -> list[Any]:
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_object": lambda _, name, *__: name not in {"alembic_version", *OWN_INDEXES},
        },
    )
    ours: Any = [METADATA, outbox.metadata, documents.metadata, audit, jobs.metadata]
    return list(compare_metadata(context, ours))


def retention(ingest: Any, days: float = 14) -> Retention:
    rule = Rule("raw", days, raws.forget, raws.oldest)
    return Retention(ingest.database, [rule], clock=ingest.clock, pace=Pace(pause_seconds=0, batch_size=100))


async def test_published_messages_go_after_their_retention(ingest: Any) -> None:
    kept = (await ingest.bring(b"1", headers={"Idempotency-Key": "k-1"})).json()["raw_id"]
    gone = (await ingest.bring(b"2", headers={"Idempotency-Key": "k-2"})).json()["raw_id"]
    async with ingest.database.transaction() as conn:
        await raws.mark_published(conn, [UUID(gone)], ingest.clock.now())
    ingest.clock.advance(timedelta(days=14).total_seconds())
    assert await retention(ingest).prune() == {}
    ingest.clock.advance(1)
    assert await retention(ingest, days=0).prune() == {}
    assert await retention(ingest).prune() == {"raw": 1}
    assert [str(row["raw_id"]) for row in await ingest.rows("SELECT raw_id FROM raw")] == [kept]
    assert [row["key"] for row in await ingest.rows("SELECT key FROM idempotency_key")] == ["k-1"]
    answer = await ingest.http.get(f"/v1/raw/{gone}", headers=ingest.token("viewer"))
    assert answer.status_code == 404
    assert (await ingest.bring(b"2", headers={"Idempotency-Key": "k-2"})).json()["duplicate"] is False


async def test_retention_goes_on_until_nothing_is_due(ingest: Any) -> None:
    await ingest.rows(
        "INSERT INTO raw SELECT gen_random_uuid(), 'adf', 'a', 'k', 'text/xml', '', '', 0, false, $1, $1"
        " FROM generate_series(1, $2)",
        ingest.clock.now(),
        201,
    )
    ingest.clock.advance(timedelta(days=15).total_seconds())
    assert await retention(ingest).prune() == {"raw": 201}
    assert await ingest.count("raw") == 0


async def test_a_message_is_marked_published_once(ingest: Any) -> None:
    raw_id = UUID((await ingest.bring(b"1")).json()["raw_id"])
    first = ingest.clock.now()
    for _ in range(2):
        async with ingest.database.transaction() as conn:
            await raws.mark_published(conn, [raw_id], ingest.clock.now())
        ingest.clock.advance(60)
    (row,) = await ingest.rows("SELECT published_at FROM raw")
    assert row["published_at"] == first
    told = (await ingest.http.get(f"/v1/raw/{raw_id}", headers=ingest.token("viewer"))).json()
    assert (told["status"], told["published_at"]) == ("published", "2026-03-02T09:00:00Z")


async def test_finding_a_repeat_reads_an_index(ingest: Any) -> None:
    await ingest.rows(
        "INSERT INTO raw SELECT gen_random_uuid(), 'adf', 'a', 'k', 'text/xml', '', sha256(n::text::bytea),"
        " 0, false, $1, NULL FROM generate_series(1, 5000) AS n",
        ingest.clock.now(),
    )
    await ingest.rows("ANALYZE raw")
    plan = await ingest.rows(
        f"EXPLAIN (FORMAT TEXT) WITH {raws._EARLIER} SELECT * FROM earlier",
        "adf",
        "a",
        "k",
        b"\0" * 32,
        False,
        "text/xml",
    )
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "raw_content" in text
    assert "Seq Scan on raw" not in text
