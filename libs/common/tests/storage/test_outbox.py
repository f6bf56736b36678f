"""OUT: what was committed is published, leads first; what is not confirmed stays, in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from leadbus.clock import FakeClock
from leadbus.db import Connection, Database
from leadbus.envelope import Properties
from leadbus.messages import OutgoingMessage
from leadbus.outbox import Lane, OutboxRelay, add, relay, stats
from leadbus.publisher import PublishResult

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Answer = Callable[[Sequence[OutgoingMessage]], Awaitable[list[PublishResult]]]


def message(body: bytes = b"{}", routing_key: str = "lead.received.v1") -> OutgoingMessage:
    return OutgoingMessage("leadbus.events", routing_key, body, {}, Properties(), mandatory=True)


def numbered(count: int, prefix: str = "") -> list[OutgoingMessage]:
    return [message(f"{prefix}{n}".encode()) for n in range(count)]


class Scripted:
    """A broker that answers what the test says, and remembers what was handed to it."""

    def __init__(self) -> None:
        self.connected = True
        self.batches: list[list[bytes]] = []
        self.answer: Answer | None = None

    async def publish_many(self, messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        self.batches.append([one.body for one in messages])
        if self.answer is not None:
            return await self.answer(messages)
        return [PublishResult.CONFIRMED] * len(messages)

    @property
    def published(self) -> list[bytes]:
        return [body for batch in self.batches for body in batch]


@pytest.fixture
def broker() -> Scripted:
    return Scripted()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def outbox_relay(database: Database, broker: Scripted, clock: FakeClock) -> OutboxRelay:
    return OutboxRelay(database, broker, clock=clock, poll_seconds=0.05)


async def put(database: Database, messages: Sequence[OutgoingMessage], **more: Any) -> None:
    async with database.transaction() as conn:
        await add(conn, messages, **more)


async def pending(database: Database) -> int:
    async with database.acquire() as conn:
        return (await stats(conn))[0]


async def column(database: Database, name: str) -> list[Any]:
    async with database.acquire() as conn:
        return [row[0] for row in await conn.fetch(f"SELECT {name} FROM outbox ORDER BY id")]


async def test_out1_message_comes_out_as_it_went_in(
    database: Database, outbox_relay: OutboxRelay, broker: Scripted
) -> None:
    original = OutgoingMessage(
        exchange="leadbus.raw",
        routing_key="raw.bdk",
        body=bytes(range(256)),
        headers={"cloudEvents_id": "é\U0001f697", "n": 7, "none": None, "nested": {"a": [1.5, True]}},
        properties=Properties(
            content_type="application/xml",
            message_id="m",
            correlation_id="c",
            timestamp=datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC),
            type="t",
            app_id="a",
        ),
        mandatory=False,
    )
    seen: list[OutgoingMessage] = []

    async def remember(messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        seen.extend(messages)
        return [PublishResult.CONFIRMED] * len(messages)

    broker.answer = remember
    await put(database, [original, message()])
    assert await outbox_relay.step()
    assert seen == [original, message()]
    assert await pending(database) == 0


async def test_out2_rolled_back_is_not_published(
    database: Database, outbox_relay: OutboxRelay, broker: Scripted
) -> None:
    async with database.acquire() as conn:
        undone = conn.transaction()
        await undone.start()
        await add(conn, [message()])
        await undone.rollback()
    assert not await outbox_relay.step()
    assert broker.batches == []


async def test_out3_leads_go_before_bulk_and_bulk_goes_too(
    database: Database, outbox_relay: OutboxRelay, broker: Scripted
) -> None:
    await put(database, numbered(100, "bulk"), lane=Lane.BULK)
    await put(database, numbered(relay.LEADS_PER_CLAIM + 50, "lead"))
    await outbox_relay.step()
    leads = [f"lead{n}".encode() for n in range(relay.LEADS_PER_CLAIM)]
    bulk = [f"bulk{n}".encode() for n in range(relay.BULK_PER_CLAIM)]
    assert broker.batches == [leads + bulk]


async def test_out4_returned_stays_and_backs_off_on_the_injected_clock(
    database: Database, outbox_relay: OutboxRelay, broker: Scripted, clock: FakeClock
) -> None:
    async def no_queue_yet(messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        return [
            PublishResult.RETURNED if one.body == b"lost" else PublishResult.CONFIRMED for one in messages
        ]

    broker.answer = no_queue_yet
    await put(database, [message(b"before"), message(b"lost"), message(b"after")])
    assert await outbox_relay.step()
    assert await column(database, "body") == [b"lost"]
    assert await column(database, "last_error") == ["returned"]

    tries = 1
    for wait_seconds in (1, 2, 5, 10, 30, 60, 60):
        clock.advance(wait_seconds - 0.1)
        await outbox_relay.step()
        assert broker.published.count(b"lost") == tries, "not before its time"
        clock.advance(0.1)
        await outbox_relay.step()
        tries += 1
        assert broker.published.count(b"lost") == tries
    assert await column(database, "attempts") == [tries]

    broker.answer = None
    clock.advance(60)
    await outbox_relay.step()
    assert await pending(database) == 0


@pytest.mark.parametrize("result", [PublishResult.REFUSED, PublishResult.UNKNOWN])
async def test_out5_what_is_not_confirmed_stays(
    database: Database, outbox_relay: OutboxRelay, broker: Scripted, result: PublishResult
) -> None:
    async def unconfirmed(messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        return [result] * len(messages)

    broker.answer = unconfirmed
    await put(database, [message()])
    assert not await outbox_relay.step(), "no progress: the loop must not spin"
    assert await column(database, "last_error") == [result.value]


async def test_out6_owner_is_told_in_the_same_transaction(
    database: Database, broker: Scripted, storage_url: str
) -> None:
    told: list[list[str]] = []

    async def mark_published(conn: Connection, subjects: list[str]) -> None:
        told.append(subjects)
        await conn.execute("CREATE TABLE IF NOT EXISTS published (subject text)")
        await conn.executemany("INSERT INTO published VALUES ($1)", [(subject,) for subject in subjects])
        if len(told) == 1:
            raise RuntimeError("the owner fails the first time")

    outbox_relay = OutboxRelay(database, broker, on_confirmed=mark_published)
    await put(database, numbered(2), subjects=["raw-1", "raw-2"])
    await put(database, numbered(1))
    with pytest.raises(RuntimeError):
        await outbox_relay.step()
    assert await pending(database) == 3, "not told, not removed"
    await outbox_relay.step()
    assert told == [["raw-1", "raw-2"]] * 2
    assert await pending(database) == 0
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM published") == 2


async def test_out7_message_that_cannot_be_sent_stands_in_nobodys_way(
    database: Database, outbox_relay: OutboxRelay, broker: Scripted
) -> None:
    async def choke(messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        if any(one.body == b"poison" for one in messages):
            raise ValueError("cannot be marshalled")
        return [PublishResult.CONFIRMED] * len(messages)

    broker.answer = choke
    await put(database, [message(b"1"), message(b"poison"), message(b"2")])
    await outbox_relay.step()
    assert await column(database, "last_error") == ["unpublishable"]


async def test_out8_rows_do_not_age_while_the_broker_is_away(
    database: Database, outbox_relay: OutboxRelay, broker: Scripted
) -> None:
    broker.connected = False
    await put(database, [message()])
    assert not await outbox_relay.step()
    assert broker.batches == []
    assert await column(database, "attempts") == [0]


async def test_out9_leaked_cancellation_does_not_end_the_loop_and_a_real_one_does(
    database: Database, outbox_relay: OutboxRelay, broker: Scripted, clock: FakeClock, eventually: Eventually
) -> None:
    async def leak(_: Sequence[OutgoingMessage]) -> list[PublishResult]:
        raise asyncio.CancelledError

    broker.answer = leak
    await put(database, [message()])
    running = asyncio.create_task(outbox_relay.run())

    async def leaked() -> bool:
        return await column(database, "last_error") == ["unknown"]

    await eventually(leaked)
    broker.answer = None
    clock.advance(1)

    async def empty() -> bool:
        return await pending(database) == 0

    await eventually(empty)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_out10_two_relays_share_and_nothing_goes_twice(database: Database) -> None:
    await put(database, numbered(1000))
    brokers = [Scripted(), Scripted()]
    relays = [OutboxRelay(database, broker) for broker in brokers]
    both_claimed = asyncio.Barrier(2)

    async def when_both_have_some(messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        await both_claimed.wait()
        return [PublishResult.CONFIRMED] * len(messages)

    for broker in brokers:
        broker.answer = when_both_have_some

    async def empty_it(one: OutboxRelay) -> None:
        while await one.step():
            pass

    await asyncio.gather(*(empty_it(one) for one in relays))
    published = [body for broker in brokers for body in broker.published]
    assert sorted(published) == sorted(one.body for one in numbered(1000))


async def test_out11_claims_are_bounded_in_bytes_and_take_one_however_big(
    database: Database, outbox_relay: OutboxRelay, broker: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "BYTES_PER_CLAIM", 1000)
    await put(database, [message(b"x" * 5000), message(b"y" * 600), message(b"z" * 600), message(b"w" * 600)])
    while await outbox_relay.step():
        pass
    assert [[body[:1] for body in batch] for batch in broker.batches] == [[b"x"], [b"y", b"z"], [b"w"]]


async def test_out12_wake_and_poll(
    database: Database, broker: Scripted, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a hint the poll finds it; with a hint nobody waits for the poll."""
    polling = OutboxRelay(database, broker, poll_seconds=0.05)
    running = asyncio.create_task(polling.run())
    await put(database, [message()])

    async def empty() -> bool:
        return await pending(database) == 0

    await eventually(empty)
    running.cancel()

    hinted = OutboxRelay(database, broker, poll_seconds=3600)
    resting = asyncio.Event()
    really_rest = hinted._rest

    async def rest() -> None:
        resting.set()
        await really_rest()

    monkeypatch.setattr(hinted, "_rest", rest)
    running = asyncio.create_task(hinted.run())
    await asyncio.wait_for(resting.wait(), 20)
    await put(database, [message()])
    hinted.wake()
    await eventually(empty)
    running.cancel()


async def test_out13_stats_tell_number_and_age(database: Database) -> None:
    async with database.acquire() as conn:
        assert await stats(conn) == (0, 0.0)
        await add(conn, numbered(3))
        await conn.execute("UPDATE outbox SET created_at = now() - interval '1 hour' WHERE body = '1'")
        number, age_seconds = await stats(conn)
    assert number == 3
    assert 3600 <= age_seconds < 3700


async def test_out14_one_subject_per_message(database: Database) -> None:
    async with database.acquire() as conn:
        with pytest.raises(ValueError, match="one subject"):
            await add(conn, numbered(2), subjects=["only one"])
