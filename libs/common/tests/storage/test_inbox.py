"""INB: the inbox says new, duplicate or reused, whoever asks and however often at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from leadbus.clock import FakeClock
from leadbus.db import Database, Part, at_once
from leadbus.inbox import Claim, InboxEntry, Seen, claim, claiming_new, prune, recognising


def entry(
    id: str = "m1",  # noqa: A002
    digest: str = "d1",
    *,
    source: str = "bdk",
    account: str = "a",
    window_seconds: int | None = None,
) -> InboxEntry:
    return InboxEntry(source, account, id, digest, window_seconds)


async def test_inb1_new_then_duplicate_then_reused(database: Database) -> None:
    async with database.transaction() as conn:
        assert await claim(conn, "c", [entry()]) == [Seen.NEW]
    async with database.transaction() as conn:
        assert await claim(conn, "c", [entry(), entry("m2"), entry(digest="d2")]) == [
            Seen.DUPLICATE,
            Seen.NEW,
            Seen.REUSED,
        ]


async def test_inb2_same_identity_twice_in_one_batch(database: Database) -> None:
    async with database.transaction() as conn:
        batch = [entry("b"), entry("a"), entry("b"), entry("a", "other"), entry("c")]
        assert await claim(conn, "c", batch) == [
            Seen.NEW,
            Seen.NEW,
            Seen.DUPLICATE,
            Seen.REUSED,
            Seen.NEW,
        ]


@pytest.mark.parametrize(
    "other",
    [entry(source="adf"), entry(account="b"), entry(id="m2")],
    ids=["source", "account", "id"],
)
async def test_inb3_identity_is_source_account_and_id(database: Database, other: InboxEntry) -> None:
    async with database.transaction() as conn:
        assert await claim(conn, "c", [entry(), other]) == [Seen.NEW, Seen.NEW]


async def test_inb4_consumers_do_not_share(database: Database) -> None:
    async with database.transaction() as conn:
        assert await claim(conn, "one", [entry()]) == [Seen.NEW]
        assert await claim(conn, "two", [entry()]) == [Seen.NEW]


async def test_inb5_rolled_back_claim_never_was(database: Database) -> None:
    async with database.acquire() as conn:
        undone = conn.transaction()
        await undone.start()
        assert await claim(conn, "c", [entry()]) == [Seen.NEW]
        await undone.rollback()
    async with database.transaction() as conn:
        assert await claim(conn, "c", [entry()]) == [Seen.NEW]


async def test_inb6_window_forgets(database: Database) -> None:
    clock = FakeClock()
    bare = entry(window_seconds=600)

    async def seen(candidate: InboxEntry) -> Seen:
        async with database.transaction() as conn:
            return (await claim(conn, "c", [candidate], now=clock.now()))[0]

    assert await seen(bare) is Seen.NEW
    clock.advance(599)
    assert await seen(bare) is Seen.DUPLICATE
    clock.advance(1)
    assert await seen(bare) is Seen.NEW, "ten minutes later the same body is another message"
    clock.advance(599)
    assert await seen(bare) is Seen.DUPLICATE, "the window starts again with the new one"


async def test_inb7_without_window_nothing_is_forgotten(database: Database) -> None:
    clock = FakeClock()
    async with database.transaction() as conn:
        assert await claim(conn, "c", [entry()], now=clock.now()) == [Seen.NEW]
        clock.advance(10 * 365 * 86400)
        assert await claim(conn, "c", [entry()], now=clock.now()) == [Seen.DUPLICATE]


async def test_inb8_overlapping_batches_wait_and_agree(database: Database, eventually: Any) -> None:
    """Two consumers with the same messages in opposite order, met half way: no deadlock, each new once."""
    names = [f"m{n}" for n in range(9)]

    async def consume(order: list[str]) -> dict[str, Seen]:
        async with database.transaction() as conn:
            return dict(zip(order, await claim(conn, "c", [entry(name) for name in order]), strict=True))

    async def both_wait() -> bool:
        async with database.acquire() as conn:
            waiting = await conn.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        return bool(waiting == 2)

    async with database.acquire() as third:
        in_the_middle = third.transaction()
        await in_the_middle.start()
        await claim(third, "c", [entry("m4")])
        consumers = [asyncio.create_task(consume(order)) for order in (names, names[::-1])]
        await eventually(both_wait)
        await in_the_middle.rollback()
        answers = await asyncio.gather(*consumers)
    for name in names:
        assert {answer[name] for answer in answers} == {Seen.NEW, Seen.DUPLICATE}


async def test_inb9_waits_for_an_open_claim_and_sees_its_digest(database: Database) -> None:
    """The row another transaction has not committed yet is not visible to one statement's snapshot."""
    async with database.acquire() as first, database.acquire() as second:
        transaction = first.transaction()
        await transaction.start()
        assert await claim(first, "c", [entry()]) == [Seen.NEW]

        async def later(digest: str) -> list[Seen]:
            async with second.transaction():
                return await claim(second, "c", [entry(digest=digest)])

        waiting = asyncio.create_task(later("other"))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        await transaction.commit()
        assert await waiting == [Seen.REUSED]


async def test_inb10_prune_removes_what_is_old(database: Database) -> None:
    clock = FakeClock()
    async with database.transaction() as conn:
        await claim(conn, "c", [entry("old")], now=clock.now())
        await claim(conn, "c", [entry("new")], now=clock.advance(3600))
        assert await prune(conn, before=clock.now() - timedelta(seconds=1)) == 1
        assert await claim(conn, "c", [entry("old"), entry("new")]) == [Seen.NEW, Seen.DUPLICATE]


async def test_inb11_nothing_asked_nothing_answered(database: Database) -> None:
    async with database.transaction() as conn:
        assert await claim(conn, "c", []) == []


async def test_inb12_another_part_works_for_new_messages_only(database: Database) -> None:
    batch = [entry("known"), entry("b"), entry("a"), entry("b", "other")]
    columns = zip(*(one.identity for one in batch[:3]), strict=True)
    asked = Part(
        "worked_for AS (SELECT id FROM unnest($1::text[], $2::text[], $3::text[]) AS m (source, account, id)"
        " JOIN claimed USING (source, account, id))",
        tuple(list(column) for column in columns),
        "ARRAY(SELECT id FROM worked_for ORDER BY id) AS worked_for",
    )
    async with database.transaction() as conn:
        await claim(conn, "c", [entry("known")])
        claiming = Claim("c", batch, FakeClock().now())
        row = await at_once(conn, claiming.part, asked)
        assert await claiming.answers(conn, row) == [Seen.DUPLICATE, Seen.NEW, Seen.NEW, Seen.REUSED]
    assert row["worked_for"] == ["a", "b"]


async def test_inb13_a_look_tells_what_was_seen_and_writes_nothing(database: Database) -> None:
    clock = FakeClock()
    batch = [entry("new"), entry("known", "other"), entry("forgotten")]
    async with database.acquire() as conn:
        await claim(conn, "c", [entry("known"), entry("forgotten", window_seconds=1)], now=clock.now())
        clock.advance(60)
        for _ in range(2):
            row = await at_once(conn, recognising("c", batch))
            assert sorted(row["recognised"]) == [["bdk", "a", "forgotten"], ["bdk", "a", "known"]]
        assert (await at_once(conn, recognising("another", batch)))["recognised"] == []


async def test_inb14_what_has_to_be_new_is_remembered(database: Database) -> None:
    clock = FakeClock()
    async with database.acquire() as conn:
        batch = [entry("b"), entry("a", window_seconds=60)]
        row = await at_once(conn, claiming_new("c", batch, clock.now()))
        assert row["claimed_new"] == 2
        seen = [Seen.DUPLICATE, Seen.REUSED]
        assert await claim(conn, "c", [entry("a"), entry("b", "other")], now=clock.advance(59)) == seen
        assert await claim(conn, "c", [entry("a", "other"), entry("b")], now=clock.advance(1)) == [
            Seen.NEW,
            Seen.DUPLICATE,
        ]


@pytest.mark.parametrize("batch", [["new", "known"], ["new", "new"]], ids=["known", "twice"])
async def test_inb15_all_of_it_fails_when_one_is_not_new(database: Database, batch: list[str]) -> None:
    effect = Part("effect AS (INSERT INTO inbox VALUES ($1, '', '', '', '', now(), NULL))", ("effect",), "1")
    entries = [entry(one) for one in batch]
    async with database.acquire() as conn:
        await claim(conn, "c", [entry("known")])
        with pytest.raises(asyncpg.UniqueViolationError):
            await at_once(conn, claiming_new("c", entries, FakeClock().now()), effect)
        left = await conn.fetch("SELECT consumer, id FROM inbox")
        assert [tuple(row) for row in left] == [("c", "known")]


async def test_inb16_of_two_that_claim_the_same_as_new_one_fails(database: Database) -> None:
    async with database.acquire() as first, database.acquire() as second:
        transaction = first.transaction()
        await transaction.start()
        await at_once(first, claiming_new("c", [entry()], FakeClock().now()))
        waiting = asyncio.create_task(at_once(second, claiming_new("c", [entry()], FakeClock().now())))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
        await transaction.commit()
        with pytest.raises(asyncpg.UniqueViolationError):
            await waiting
