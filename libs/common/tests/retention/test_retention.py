"""What is old enough leaves, by the service's clock, in batches, whoever else does the same."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from leadbus import inbox, metrics
from leadbus.clock import FakeClock
from leadbus.db import Connection, Database, DatabaseUnavailable
from leadbus.inbox import InboxEntry, Seen
from leadbus.retention import (
    Pace,
    Retention,
    RetentionSettings,
    Rule,
    audit_rule,
    inbox_rule,
    removed,
    shared,
)
from leadbus.settings.environment import SettingsError
from leadbus.web.audit import DDL_V1 as AUDIT_DDL_V1
from leadbus.web.audit import record
from pydantic_settings import SettingsConfigDict

HASTY = Pace(interval_seconds=0.01, pause_seconds=0, batch_size=10)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, max_size=6)
    await database.open()
    async with database.acquire() as conn:
        await conn.execute(inbox.DDL_V1)
        for name, on in inbox.INDEXES_V2.items():
            await conn.execute(f"CREATE INDEX {name} ON {on}")
        await conn.execute(AUDIT_DDL_V1)
        await conn.execute(
            "CREATE TABLE thing (id int PRIMARY KEY, at timestamptz NOT NULL, done bool NOT NULL)"
        )
    yield database
    await database.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def forget(conn: Connection, before: datetime, limit: int) -> dict[str, int]:
    status = await conn.execute(
        "DELETE FROM thing WHERE id = ANY (ARRAY("
        "SELECT id FROM thing WHERE at < $1 AND done LIMIT $2 FOR UPDATE SKIP LOCKED))",
        before,
        limit,
    )
    return {"thing": removed(status)}


async def oldest(conn: Connection) -> datetime | None:
    at: datetime | None = await conn.fetchval("SELECT min(at) FROM thing")
    return at


def retention(database: Database, clock: FakeClock, *rules: Rule, pace: Pace = HASTY) -> Retention:
    return Retention(database, rules or [Rule("things", 10, forget, oldest)], clock=clock, pace=pace)


async def things(
    database: Database, clock: FakeClock, count: int, *, done: bool = True, first: int = 0
) -> None:
    async with database.acquire() as conn:
        await conn.execute(
            "INSERT INTO thing SELECT n, $1, $2 FROM generate_series($3::int, $4::int) AS n",
            clock.now(),
            done,
            first,
            first + count - 1,
        )


async def left(database: Database, table: str = "thing") -> int:
    async with database.acquire() as conn:
        return int(await conn.fetchval(f"SELECT count(*) FROM {table}"))


async def test_what_is_old_enough_goes_by_the_injected_clock(database: Database, clock: FakeClock) -> None:
    await things(database, clock, 35)
    clock.advance(timedelta(days=10).total_seconds())
    assert await retention(database, clock).prune() == {}
    clock.advance(1)
    assert await retention(database, clock).prune() == {"thing": 35}
    assert await left(database) == 0


async def test_every_batch_is_a_transaction_of_its_own(database: Database, clock: FakeClock) -> None:
    await things(database, clock, 35)
    clock.advance(timedelta(days=11).total_seconds())
    batches: list[int] = []

    async def counted(conn: Connection, before: datetime, limit: int) -> dict[str, int]:
        async with database.acquire() as other:
            batches.append(await other.fetchval("SELECT count(*) FROM thing"))
        return await forget(conn, before, limit)

    await retention(database, clock, Rule("things", 10, counted, oldest)).prune()
    assert batches == [35, 25, 15, 5, 0]


async def test_what_somebody_holds_is_left_for_the_next_time(database: Database, clock: FakeClock) -> None:
    await things(database, clock, 25)
    clock.advance(timedelta(days=11).total_seconds())
    async with database.transaction() as conn:
        await conn.fetch("SELECT FROM thing WHERE id < 5 FOR UPDATE")
        assert await retention(database, clock).prune() == {"thing": 20}
    assert await retention(database, clock).prune() == {"thing": 5}


async def test_two_at_once_remove_everything_once(database: Database, clock: FakeClock) -> None:
    await things(database, clock, 200)
    clock.advance(timedelta(days=11).total_seconds())
    totals = await asyncio.gather(*(retention(database, clock).prune() for _ in range(3)))
    assert sum((Counter(total) for total in totals), Counter()) == {"thing": 200}


async def test_nothing_goes_that_is_kept_for_ever(database: Database, clock: FakeClock) -> None:
    await things(database, clock, 3)
    clock.advance(timedelta(days=10_000).total_seconds())
    assert await retention(database, clock, Rule("things", 0, forget, oldest)).prune() == {}
    assert await left(database) == 3


async def test_rows_and_the_oldest_are_measured(database: Database, clock: FakeClock) -> None:
    def value(name: str, **labels: str) -> float:
        return metrics.REGISTRY.get_sample_value(name, labels) or 0

    before = value("leadbus_retention_removed_rows_total", table="thing")
    await things(database, clock, 3)
    await things(database, clock, 1, done=False, first=100)
    clock.advance(timedelta(days=11).total_seconds())
    await retention(database, clock).prune()
    assert value("leadbus_retention_removed_rows_total", table="thing") == before + 3
    unfinished = timedelta(days=11).total_seconds()
    assert value("leadbus_retention_oldest_age_seconds", rule="things") == unfinished
    async with database.acquire() as conn:
        await conn.execute("DELETE FROM thing")
    await retention(database, clock).prune()
    assert value("leadbus_retention_oldest_age_seconds", rule="things") == 0


def failures(rule: str) -> float:
    return metrics.REGISTRY.get_sample_value("leadbus_retention_failed_total", {"rule": rule}) or 0


async def wrong(conn: Connection, before: datetime, limit: int) -> dict[str, int]:
    raise ValueError("a mistake in the rule")


async def wrongly_measured(conn: Connection) -> datetime | None:
    raise ValueError("a mistake in the rule")


async def slow(conn: Connection, before: datetime, limit: int) -> dict[str, int]:
    """Raises what is also raised when Postgres is shut down."""
    await conn.execute("SET LOCAL statement_timeout = 1")
    await conn.execute("SELECT pg_sleep(60)")
    return {}


@pytest.mark.parametrize(
    "failing", [Rule("wrong", 10, wrong, oldest), Rule("wrong", 0, forget, wrongly_measured)]
)
async def test_a_rule_that_raises_keeps_no_other_from_its_turn(
    database: Database, clock: FakeClock, failing: Rule
) -> None:
    await things(database, clock, 25)
    clock.advance(timedelta(days=11).total_seconds())
    before = failures("wrong"), failures("things")
    rules = [failing, Rule("things", 10, forget, oldest)]
    assert await retention(database, clock, *rules).prune() == {"thing": 25}
    assert (failures("wrong"), failures("things")) == (before[0] + 1, before[1])


async def test_a_rule_that_is_too_slow_is_no_database_that_is_away(
    database: Database, clock: FakeClock
) -> None:
    await things(database, clock, 25)
    clock.advance(timedelta(days=11).total_seconds())
    before = failures("slow")
    rules = [Rule("slow", 10, slow, oldest), Rule("things", 10, forget, oldest)]
    assert await retention(database, clock, *rules).prune() == {"thing": 25}
    assert failures("slow") == before + 1


async def test_a_database_that_is_away_is_no_failure_of_a_rule(database: Database, clock: FakeClock) -> None:
    before = failures("things")
    await database.close()
    with pytest.raises(DatabaseUnavailable):
        await retention(database, clock).prune()
    assert failures("things") == before


async def test_what_a_batch_removed_counts_when_the_next_one_fails(
    database: Database, clock: FakeClock
) -> None:
    await things(database, clock, 25)
    clock.advance(timedelta(days=11).total_seconds())

    async def once(conn: Connection, before: datetime, limit: int) -> dict[str, int]:
        if await conn.fetchval("SELECT count(*) FROM thing") < 25:
            raise ValueError("a mistake in the rule")
        return await forget(conn, before, limit)

    await retention(database, clock, Rule("things", 10, once, oldest)).prune()
    assert await left(database) == 15


async def test_the_task_goes_on(database: Database, clock: FakeClock) -> None:
    running = asyncio.create_task(retention(database, clock).run())
    for round_ in range(2):
        await things(database, clock, 15, first=100 * round_)
        clock.advance(timedelta(days=11).total_seconds())
        async with asyncio.timeout(20):
            while await left(database):  # noqa: ASYNC110 -- another task's doing is waited for
                await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_message_is_known_as_long_as_its_identity_is_kept(
    database: Database, clock: FakeClock
) -> None:
    async def claimed() -> Seen:
        async with database.transaction() as conn:
            (seen,) = await inbox.claim(conn, "c", [InboxEntry("s", "a", "1", "d")], now=clock.now())
        return seen

    prune = retention(database, clock, inbox_rule(400)).prune
    assert await claimed() is Seen.NEW
    clock.advance(timedelta(days=400).total_seconds())
    assert await prune() == {}
    assert await claimed() is Seen.DUPLICATE
    clock.advance(1)
    assert await prune() == {"inbox": 1}
    assert await claimed() is Seen.NEW


async def test_what_operators_did_is_kept_its_time(database: Database, clock: FakeClock) -> None:
    async with database.acquire() as conn:
        await record(conn, "olga", "lead.reveal", "lead/1")
        await record(conn, "olga", "lead.reveal", "lead/2")
        await conn.execute("UPDATE audit SET at = $1 WHERE object = 'lead/1'", clock.now())
        await conn.execute(
            "UPDATE audit SET at = $1 WHERE object = 'lead/2'", clock.now() + timedelta(days=1)
        )
    clock.advance(timedelta(days=101).total_seconds())
    assert await retention(database, clock, audit_rule(100)).prune() == {"audit": 1}
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT object FROM audit") == "lead/2"


@pytest.mark.parametrize(
    ("statement", "index", "fill"),
    [
        (
            inbox._PRUNE,
            "inbox_seen",
            "INSERT INTO inbox SELECT 'c', 's', 'a', n::text, 'd', $1::timestamptz + n * interval '1 minute'"
            " FROM generate_series(1, 20000) AS n",
        ),
        (
            shared._AUDIT,
            "audit_at",
            "INSERT INTO audit (at, actor, action, object, detail)"
            " SELECT $1::timestamptz + n * interval '1 minute', 'a', 'b', n::text, '{}'"
            " FROM generate_series(1, 20000) AS n",
        ),
    ],
)
async def test_the_oldest_are_found_by_an_index(
    statement: Any, index: Any, fill: Any, database: Database, clock: FakeClock
) -> None:
    async with database.acquire() as conn:
        await conn.execute(fill, clock.now())
        await conn.execute("ANALYZE")
        for before in (clock.now(), clock.now() + timedelta(days=1), clock.now() + timedelta(days=60)):
            plan = json.dumps(await conn.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", before, 200))
            assert index in plan
            assert "Seq Scan" not in plan


class Settings(RetentionSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_")


@pytest.mark.parametrize(("given", "right"), [("0", True), ("90", True), ("89", False), ("-1", False)])
def test_what_would_break_something_is_refused(
    given: Any, right: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AMQP_URL", "amqp://x"),
        ("DATABASE_URL", "postgresql://x"),
        ("TOKEN_KEY", "-" * 32),
        ("RETENTION_AUDIT_DAYS", given),
    ):
        monkeypatch.setenv(f"SHOP_{name}", value)
    if right:
        assert Settings.load().retention_audit_days == float(given)
    else:
        with pytest.raises(SettingsError, match="SHOP_RETENTION_AUDIT_DAYS"):
            Settings.load()
