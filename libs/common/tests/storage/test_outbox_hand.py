"""HND: what a process has written it publishes itself, from memory; whatever goes wrong, the table has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from leadbus import metrics
from leadbus.clock import FakeClock
from leadbus.db import Connection, Database, Part, at_once
from leadbus.envelope import Properties
from leadbus.messages import OutgoingMessage
from leadbus.outbox import OutboxRelay, hand, publication, stats
from leadbus.publisher import PublishResult

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
HOLD_SECONDS = 10.0


def message(body: bytes = b"{}") -> OutgoingMessage:
    return OutgoingMessage("leadbus.events", "lead.received.v1", body, {}, Properties(), mandatory=True)


class Broker:
    """Confirms, or answers `result`; while `gate` is closed it does not answer."""

    def __init__(self) -> None:
        self.connected = True
        self.published: list[bytes] = []
        self.together: list[int] = []
        self.result = PublishResult.CONFIRMED
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish_many(self, messages: Sequence[OutgoingMessage]) -> list[PublishResult]:
        self.published += [one.body for one in messages]
        self.together.append(len(messages))
        await self.gate.wait()
        return [self.result] * len(messages)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def relay(database: Database, broker: Broker, clock: FakeClock) -> OutboxRelay:
    """One that looks into the table only when it is woken."""
    return OutboxRelay(database, broker, clock=clock, poll_seconds=3600, hold_seconds=HOLD_SECONDS)


async def write(relay: OutboxRelay, conn: Connection, *bodies: bytes, subjects: Any = None) -> None:
    writing = relay.writing([message(body) for body in bodies], subjects=subjects)
    writing.written(conn, await at_once(conn, writing.part))


async def rows(database: Database) -> list[Any]:
    async with database.acquire() as conn:
        return list(await conn.fetch("SELECT body, not_before, attempts, last_error FROM outbox ORDER BY id"))


def gone(database: Database) -> Callable[[], Awaitable[bool]]:
    async def empty() -> bool:
        async with database.acquire() as conn:
            return (await stats(conn))[0] == 0

    return empty


@asynccontextmanager
async def running(relay: OutboxRelay, broker: Broker) -> AsyncIterator[None]:
    """The relay's loop, after its first look into the table."""
    connected, broker.connected = broker.connected, False
    task = asyncio.create_task(relay.run())
    while relay._look or relay._next_look == 0.0:  # noqa: ASYNC110 -- nobody tells
        await asyncio.sleep(0.005)
    broker.connected = connected
    user = asyncio.current_task()
    assert user is not None
    task.add_done_callback(lambda ended: ended.cancelled() or user.cancel())
    try:
        yield
    except asyncio.CancelledError:
        user.uncancel()
        await task  # it ended by itself: what it raises is the news
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, LookupError):
            await task


@pytest.mark.parametrize("so", [True, False])
async def test_on_a_condition_that_does_not_hold_nothing_is_written(
    relay: OutboxRelay, database: Database, so: bool
) -> None:
    writing = relay.writing([message(b"1")], provided="(SELECT so FROM asked)")
    async with database.acquire() as conn:
        row = await at_once(
            conn, Part("asked AS (SELECT $1::boolean AS so)", (so,), "true AS x"), writing.part
        )
        assert len(row["message_ids"]) == so
        assert (await stats(conn))[0] == so


async def test_hnd1_what_is_committed_is_published_without_a_look_into_the_table(
    database: Database, relay: OutboxRelay, broker: Broker, eventually: Eventually
) -> None:
    broker.gate.clear()
    async with running(relay, broker):
        async with database.transaction() as conn:
            await write(relay, conn, b"1", b"2")
            assert broker.published == [], "nothing is committed yet"

        async def published() -> bool:
            return broker.published == [b"1", b"2"]

        await eventually(published)
        assert [row["body"] for row in await rows(database)] == [b"1", b"2"], "kept until it is confirmed"
        broker.gate.set()
        await eventually(gone(database))
    assert broker.published == [b"1", b"2"]


async def test_hnd2_a_statement_that_commits_by_itself(
    database: Database, relay: OutboxRelay, broker: Broker, eventually: Eventually
) -> None:
    async with running(relay, broker):
        writing = relay.writing([message(b"1")])
        async with database.acquire() as conn:
            writing.committed(await at_once(conn, writing.part))
        await eventually(gone(database))
    assert broker.published == [b"1"]


async def test_hnd3_rolled_back_is_not_published(
    database: Database, relay: OutboxRelay, broker: Broker, eventually: Eventually
) -> None:
    async with running(relay, broker):
        with pytest.raises(ValueError, match="no"):  # noqa: PT012 -- it is the work that fails
            async with database.transaction() as conn:
                await write(relay, conn, b"undone")
                raise ValueError("no")
        async with database.transaction() as conn:
            await write(relay, conn, b"done")
        await eventually(gone(database))
    assert broker.published == [b"done"]


async def test_hnd4_nobody_else_takes_it_before_its_lease_has_run_out(
    database: Database, relay: OutboxRelay, broker: Broker, clock: FakeClock
) -> None:
    other_broker = Broker()
    other = OutboxRelay(database, other_broker, clock=clock)
    async with database.transaction() as conn, running(relay, broker):
        await write(relay, conn, b"of one that died")
    assert broker.published == [], "it was committed after the end of its relay"
    clock.advance(HOLD_SECONDS - 0.1)
    await other.step()
    assert other_broker.published == []
    clock.advance(0.1)
    await other.step()
    assert other_broker.published == [b"of one that died"]
    assert await rows(database) == []


async def test_hnd5_while_the_broker_is_away_nothing_is_held(
    database: Database, relay: OutboxRelay, broker: Broker
) -> None:
    async with running(relay, broker):
        broker.connected = False
        async with database.transaction() as conn:
            await write(relay, conn, b"1")
        broker.connected = True
    await relay.step()
    assert broker.published == [b"1"]


async def test_hnd6_what_is_in_hand_when_the_broker_goes_is_given_back(
    database: Database, relay: OutboxRelay, broker: Broker, eventually: Eventually
) -> None:
    async with database.transaction() as conn:
        await write(relay, conn, b"1")
    broker.connected = False
    async with running(relay, broker):

        async def given_back() -> bool:
            return [row["not_before"] for row in await rows(database)] == [None]

        await eventually(given_back)
    assert [row["attempts"] for row in await rows(database)] == [0], "it was not the message's fault"
    assert broker.published == []


@pytest.mark.parametrize("result", [PublishResult.RETURNED, PublishResult.REFUSED, PublishResult.UNKNOWN])
async def test_hnd7_what_is_not_confirmed_stays_and_backs_off(
    database: Database, relay: OutboxRelay, broker: Broker, eventually: Eventually, result: PublishResult
) -> None:
    broker.result = result
    async with running(relay, broker):
        async with database.transaction() as conn:
            await write(relay, conn, b"1")

        async def backed_off() -> bool:
            return [row["last_error"] for row in await rows(database)] == [result.value]

        await eventually(backed_off)
    assert broker.published == [b"1"]


@pytest.mark.parametrize("bound", ["MOST_MESSAGES", "MOST_BYTES"])
async def test_hnd8_what_is_in_hand_is_bounded(
    database: Database,
    relay: OutboxRelay,
    broker: Broker,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
) -> None:
    monkeypatch.setattr(hand, bound, 2)
    broker.gate.clear()
    other = Broker()
    async with running(relay, broker):
        async with database.transaction() as conn:
            await write(relay, conn, b"1", b"2")
        async with database.transaction() as conn:
            await write(relay, conn, b"3")
        assert [row["not_before"] is None for row in await rows(database)] == [False, False, True]
        await OutboxRelay(database, other, clock=clock).step()
    assert other.published == [b"3"], "the claims take what is too much for the hand"


async def test_hnd15_nothing_in_hand_waits_for_a_removal(
    database: Database, relay: OutboxRelay, broker: Broker, eventually: Eventually
) -> None:
    async with running(relay, broker):
        async with database.transaction() as conn:
            await write(relay, conn, b"1")

        async with database.transaction() as holding:
            assert await holding.fetchval("SELECT count(*) FROM (SELECT FROM outbox FOR UPDATE) AS held") == 1

            async def removing() -> bool:
                waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                async with database.acquire() as conn:
                    return bool(await conn.fetchval(f"{waiting} AND datname = current_database()"))

            await eventually(removing)
            async with database.transaction() as conn:
                await write(relay, conn, b"2")

            async def published() -> bool:
                return broker.published == [b"1", b"2"]

            await eventually(published)
        await eventually(gone(database))


async def test_hnd16_a_defect_of_ours_ends_the_relay_once_and_loses_nothing(
    database: Database,
    relay: OutboxRelay,
    broker: Broker,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise LookupError("a defect")

    monkeypatch.setattr(publication, "back_off", broken)
    broker.result = PublishResult.RETURNED

    async def come_to_it() -> None:
        async with running(relay, broker):
            async with database.transaction() as conn:
                await write(relay, conn, b"1")
            await asyncio.sleep(20)

    with pytest.raises(LookupError, match="a defect"):
        await come_to_it()
    assert len(await rows(database)) == 1
    broker.result = PublishResult.CONFIRMED
    # Whoever supervises the relay starts it again.
    async with running(relay, broker):
        async with database.transaction() as conn:
            await write(relay, conn, b"2")
        clock.advance(HOLD_SECONDS)
        relay.wake()
        await eventually(gone(database))


async def test_hnd17_before_the_relay_runs_and_after_it_everything_is_left_to_claims(
    database: Database, relay: OutboxRelay, broker: Broker
) -> None:
    async def written() -> None:
        async with database.transaction() as conn:
            await write(relay, conn, b"1")

    await written()
    async with running(relay, broker):
        pass
    await written()
    assert [row["not_before"] for row in await rows(database)] == [None, None]


async def test_hnd9_the_owner_is_told_with_the_removal(
    database: Database, broker: Broker, clock: FakeClock, eventually: Eventually
) -> None:
    told: list[str] = []

    async def owner(conn: Connection, subjects: list[str]) -> None:
        assert await conn.fetchval("SELECT count(*) FROM outbox") == 0, "in the same transaction"
        told.extend(subjects)

    relay = OutboxRelay(database, broker, clock=clock, on_confirmed=owner, poll_seconds=3600)
    async with running(relay, broker):
        async with database.transaction() as conn:
            await write(relay, conn, b"1", b"2", subjects=["raw-1", "raw-2"])
        await eventually(gone(database))
    assert told == ["raw-1", "raw-2"]


async def test_hnd10_draining_leaves_nothing_in_hand(
    database: Database, relay: OutboxRelay, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand, "REMOVE_AFTER_SECONDS", 3600)
    async with running(relay, broker):
        async with database.transaction() as conn:
            await write(relay, conn, b"1")
        await relay.drain(20)
        assert await rows(database) == []
        async with database.transaction() as conn:
            await write(relay, conn, b"too late for this process")
    assert [row["not_before"] for row in await rows(database)] == [None]


@pytest.mark.parametrize("gather_seconds", [0.3, 3600], ids=["in_time", "drained"])
async def test_hnd18_gathered_messages_go_together(
    database: Database, broker: Broker, clock: FakeClock, eventually: Eventually, gather_seconds: float
) -> None:
    """When their time has come, or when the service ends."""
    relay = OutboxRelay(
        database, broker, clock=clock, poll_seconds=3600, hold_seconds=36_000, gather_seconds=gather_seconds
    )
    async with running(relay, broker):
        async with database.acquire() as conn:
            for body in (b"1", b"2"):
                writing = relay.writing([message(body)])
                writing.committed(await at_once(conn, writing.part))
        if gather_seconds == 3600:
            await relay.drain(20)
        await eventually(gone(database))
    assert (broker.published, broker.together) == ([b"1", b"2"], [2])


async def test_hnd11_drained_in_vain_it_is_for_whoever_looks_next(
    database: Database, relay: OutboxRelay, broker: Broker, clock: FakeClock
) -> None:
    broker.gate.clear()
    async with running(relay, broker):
        async with database.transaction() as conn:
            await write(relay, conn, b"1")
        await relay.drain(0.05)
    clock.advance(HOLD_SECONDS)
    broker.gate.set()
    await relay.step()
    assert broker.published.count(b"1") >= 1
    assert await rows(database) == []


async def test_hnd12_what_another_relay_published_meanwhile_is_counted_once(
    database: Database, relay: OutboxRelay, broker: Broker, clock: FakeClock, eventually: Eventually
) -> None:
    """A process that stood still for longer than its lease: the message goes out twice, under one id."""

    def counted() -> float:
        labels = {"lane": "leads"}
        return metrics.REGISTRY.get_sample_value("leadbus_outbox_published_total", labels) or 0.0

    before = counted()
    broker.gate.clear()
    other = OutboxRelay(database, Broker(), clock=clock)
    async with running(relay, broker):
        async with database.transaction() as conn:
            await write(relay, conn, b"1")

        async def handed_over() -> bool:
            return broker.published == [b"1"]

        await eventually(handed_over)
        clock.advance(HOLD_SECONDS)
        await other.step()
        assert await rows(database) == []
        broker.gate.set()
        await relay.drain(20)
    assert counted() - before == 1


async def test_hnd13_without_a_lease_everything_goes_by_claims(
    database: Database, broker: Broker, clock: FakeClock
) -> None:
    relay = OutboxRelay(database, broker, clock=clock, hold_seconds=0)
    async with database.transaction() as conn:
        await write(relay, conn, b"1")
    assert [row["not_before"] for row in await rows(database)] == [None]
    await relay.step()
    assert broker.published == [b"1"]


async def test_hnd14_one_subject_per_message(relay: OutboxRelay) -> None:
    with pytest.raises(ValueError, match="one subject"):
        relay.writing([message(), message()], subjects=["only one"])
