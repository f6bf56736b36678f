"""STA: deliveries that are planned and started by one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import structlog
from leadbus.db import Part, at_once
from leadbus.delivery import (
    Delivered,
    Job,
    Limits,
    NewDelivery,
    Offer,
    Outcome,
    Planning,
    Starting,
    Transient,
    limit,
    pause,
)

Bench = Any
Gate = Any


def new(key: str, *, destination: str = "host", **more: Any) -> NewDelivery:
    return NewDelivery(key, f"lead-{key}", destination, "route", **more)


async def plan(bench: Bench, engine: Any, *deliveries: NewDelivery, beside: Sequence[Part] = ()) -> Starting:
    """What a consumer does: the statement, then the rest is offered."""
    planning = Planning(deliveries, bench.clock.now())
    async with bench.database.acquire() as conn, engine.starting(planning) as starting:
        row = await at_once(conn, *starting.parts, *beside)
        starting.committed(row)
    left = [one for one in planning.answers(row) if one is not None and one not in starting.started]
    engine.offer([Offer(one, _destination(planning, one)) for one in left])
    started: Starting = starting
    return started


def _destination(planning: Planning, delivery_id: UUID) -> str:
    return planning.deliveries[planning.ids.index(delivery_id)].destination


async def known(bench: Bench, engine: Any, *keys: str) -> None:
    """The host is known, and nothing is due."""
    await bench.plan(*(keys or ("first",)))
    await bench.settle(engine)
    await engine.step()
    bench.sink.acts.clear()


async def answered(engine: Any) -> None:
    await asyncio.gather(*(act.task for act in engine._acts.values()))


def without_chance(row: dict[str, Any]) -> dict[str, Any]:
    chance = ("id", "seq", "delivery_id", "key", "subject_id", "lease_token", "lease_expires_at")
    return {name: value for name, value in row.items() if name not in chance and name != "duration_ms"}


async def test_sta1_the_intent_is_committed_with_the_plan(bench: Bench) -> None:
    seen: list[tuple[Any, ...]] = []

    async def look(job: Job) -> Outcome:
        (attempt,) = await bench.attempts(job.key)
        seen.append((job.key, job.attempt, await bench.phase(job.key), attempt["outcome"]))
        return Delivered()

    engine = bench.engine()
    await known(bench, engine)
    bench.sink.answer = look
    await plan(bench, engine, new("a"), new("b"))
    await answered(engine)
    assert sorted(seen) == [("a", 1, "sending", None), ("b", 1, "sending", None)]
    await bench.settle(engine)
    assert [await bench.phase(key) for key in "ab"] == ["delivered"] * 2
    assert len(await bench.events()) == 3


async def test_sta2_its_rows_are_those_of_a_claim(bench: Bench, gate: Gate) -> None:
    engine = bench.engine()
    await known(bench, engine)
    bench.sink.answer = gate.answer
    more: dict[str, Any] = {"ordering_key": None, "priority": 2, "dealer": "d", "test": True}
    more |= {"target": "copies.1", "aside": True}
    await plan(bench, engine, new("started", **more, deadline=bench.clock.now() + timedelta(hours=1)))
    await bench.plan("claimed", **more, deadline=bench.clock.now() + timedelta(hours=1))
    await bench.until(lambda: len(gate.waiting) == 2, engine)
    rows = [await bench.row(key) for key in ("started", "claimed")]
    assert without_chance(rows[0]) == without_chance(rows[1])
    assert all(row["phase"] == "sending" and row["lease_token"] for row in rows)
    assert abs(rows[0]["lease_expires_at"] - rows[1]["lease_expires_at"]) < timedelta(minutes=1)
    ours = {act.row.key: act.row for act in engine._acts.values()}
    assert ours["started"].lease_token == rows[0]["lease_token"]
    assert ours["started"].planned_at == rows[0]["planned_at"]
    gate.opened.set()
    await bench.settle(engine)
    told = [(event.target, event.aside) for _, event in await bench.events()]
    assert told == [("", False), ("copies.1", True), ("copies.1", True)]
    attempts = [(await bench.attempts(key))[0] for key in ("started", "claimed")]
    assert without_chance(attempts[0]) == without_chance(attempts[1])


@pytest.mark.parametrize(
    "why", ["unknown", "paused", "unhealthy", "in flight", "per minute", "later", "too late", "ordering key"]
)
async def test_sta3_what_may_not_go_is_planned_and_no_more(bench: Bench, why: str) -> None:
    engine = bench.engine()
    await known(bench, engine)
    now, more = bench.clock.now(), {}
    async with bench.database.transaction() as conn:
        match why:
            case "unknown":
                more = {"destination": "nobody has heard of it"}
            case "paused":
                await pause(conn, "host", actor="a", reason="test", now=now)
            case "unhealthy":
                await conn.execute("UPDATE destination SET breaker = 'open', next_probe_at = $1", now)
            case "in flight":
                await limit(conn, "host", Limits(max_in_flight=1), actor="a")
            case "per minute":
                await limit(conn, "host", Limits(per_minute=60), actor="a")
            case "later":
                more = {"not_before": now + timedelta(seconds=1)}
            case "too late":
                more = {"deadline": now}
            case "ordering key":
                more = {"ordering_key": "lead-1"}
    if why == "ordering key":
        bench.sink.in_turn(Transient("busy"))
        await bench.plan("before", ordering_key="lead-1")
        await bench.settle(engine)
    starting = await plan(bench, engine, new("a", **more))
    assert (starting.started, engine.in_flight) == (frozenset(), 0)
    assert await bench.phase("a") == "queued"
    assert await bench.attempts("a") == []
    assert engine._claiming._pools["queued"].free == 7, "slots are given back"


async def test_sta4_of_an_ordering_key_the_first_goes_alone(bench: Bench) -> None:
    engine = bench.engine()
    await known(bench, engine)
    starting = await plan(bench, engine, *(new(key, ordering_key="lead-1") for key in ("a", "b", "c")))
    assert [row.key for row in starting.rows] == ["a"]
    await bench.settle(engine)
    assert bench.sink.keys == ["a", "b", "c"]


async def test_sta5_nobody_who_waits_for_a_slot_is_passed(bench: Bench, gate: Gate) -> None:
    engine = bench.engine(capacity=3, retry_share=0.3)
    await known(bench, engine)
    bench.sink.answer = gate.answer
    await bench.plan("x:x1", "x:x2", "x:x3", "y:y1")
    await bench.until(lambda: len(gate.waiting) == 2, engine)
    gate.opened.set()
    await answered(engine)
    await engine._record_ended()
    assert (await plan(bench, engine, new("late"))).started == frozenset()
    await bench.settle(engine)
    assert len(bench.sink.keys) == 5


async def test_sta6_more_than_there_is_room_for_is_only_planned(bench: Bench) -> None:
    engine = bench.engine(capacity=4, retry_share=0.5)
    await known(bench, engine)
    assert (await plan(bench, engine, *(new(key) for key in "abc"))).started == frozenset()
    await bench.settle(engine)
    assert sorted(bench.sink.keys) == ["a", "b", "c"]


async def test_sta7_what_is_offered_already_goes_first(bench: Bench) -> None:
    engine = bench.engine()
    await known(bench, engine)
    (waiting,) = await bench.plan("offered")
    engine.offer([Offer(waiting, "host")])
    assert (await plan(bench, engine, new("a"))).started == frozenset()
    await bench.settle(engine)
    assert bench.sink.keys == ["offered", "a"]


async def test_sta8_a_key_known_already_is_neither_planned_nor_started(bench: Bench) -> None:
    engine = bench.engine()
    await known(bench, engine, "a")
    starting = await plan(bench, engine, new("a"), new("b"))
    assert [row.key for row in starting.rows] == ["b"]
    await bench.settle(engine)
    assert bench.sink.keys == ["b"]
    assert engine._claiming._pools["queued"].free == 7


async def test_sta9_a_statement_that_fails_starts_nothing_and_keeps_no_slot(bench: Bench) -> None:
    engine = bench.engine()
    await known(bench, engine)
    taken = Part("taken AS (INSERT INTO destination (name, created_at) VALUES ('host', now()))", (), "1")
    with pytest.raises(asyncpg.UniqueViolationError):
        await plan(bench, engine, new("a"), beside=[taken])
    assert await bench.rows("SELECT FROM delivery WHERE key = 'a'") == []
    assert engine.in_flight == 0
    assert engine._claiming._pools["queued"].free == 7
    assert not engine._one_claim.locked()


async def _start_and_hear_nothing(
    bench: Bench, engine: Any, planning: Planning, sent: list[Part], *, carried_out: bool
) -> None:
    async with bench.database.acquire() as conn, engine.starting(planning) as starting:
        sent += starting.parts
        if carried_out:
            await at_once(conn, *starting.parts)
        raise ConnectionResetError


@pytest.mark.parametrize("when", ["before", "later"])
async def test_sta10_one_of_which_nothing_was_heard_is_undone(bench: Bench, when: str) -> None:
    """Also when the server carries it out only after this process looked for it."""
    engine = bench.engine()
    await known(bench, engine)
    planning = Planning([new("a")], bench.clock.now())
    sent: list[Part] = []
    with pytest.raises(ConnectionResetError):
        await _start_and_hear_nothing(bench, engine, planning, sent, carried_out=when == "before")
    if when == "later":
        assert not await engine._claiming.unsure.give_back()
        async with bench.database.acquire() as conn:
            await at_once(conn, *sent)
        engine._claiming.unsure._look_at = 0.0
    assert await bench.phase("a") == "sending"
    await bench.settle(engine)
    assert [one["outcome"] for one in await bench.attempts("a")] == ["not_acted", "delivered"]
    assert (await bench.row("a"))["doubts"] == 0, "nobody acted, and we know it"


async def test_sta11_one_that_drains_starts_nothing(bench: Bench) -> None:
    engine = bench.engine()
    await known(bench, engine)
    await engine.drain(1)
    assert (await plan(bench, engine, new("a"))).started == frozenset()
    assert await bench.phase("a") == "queued"


async def test_sta12_draining_waits_for_what_is_being_started(bench: Bench) -> None:
    engine = bench.engine()
    await known(bench, engine)
    planning = Planning([new("a")], bench.clock.now())
    async with bench.database.acquire() as conn, engine.starting(planning) as starting:
        draining = asyncio.create_task(engine.drain(20))
        await asyncio.sleep(0)
        assert engine._draining
        starting.committed(await at_once(conn, *starting.parts))
        assert not draining.done()
    await draining
    assert await bench.phase("a") == "delivered"


async def test_sta13_while_others_are_claimed_it_is_only_planned(bench: Bench) -> None:
    engine = bench.engine()
    await known(bench, engine)
    async with engine._one_claim:
        assert (await plan(bench, engine, new("a"))).started == frozenset()
    await bench.settle(engine)
    assert bench.sink.keys == ["a"]


async def test_sta14_a_try_knows_nothing_of_the_task_that_planned_it(bench: Bench) -> None:
    bound: list[dict[str, Any]] = []

    async def look(_: Job) -> Outcome:
        bound.append(structlog.contextvars.get_contextvars())
        return Delivered()

    engine = bench.engine()
    await known(bench, engine)
    bench.sink.answer = look
    with structlog.contextvars.bound_contextvars(correlation_id="a request"):
        await plan(bench, engine, new("a"))
    await answered(engine)
    assert bound == [{}]


async def test_sta15_at_two_engines_of_one_order_one_goes(bench: Bench) -> None:
    """Neither sees what the other plans: the index on what is in flight has the last word."""
    engines: Sequence[Any] = [bench.engine() for _ in range(2)]
    for number, engine in enumerate(engines):
        await known(bench, engine, f"first {number}")
    done = await asyncio.gather(
        *(plan(bench, engine, new(f"k{n}", ordering_key="lead-1")) for n, engine in enumerate(engines)),
        return_exceptions=True,
    )
    failed = [one for one in done if isinstance(one, BaseException)]
    assert all(isinstance(one, asyncpg.UniqueViolationError) for one in failed)
    assert len(failed) < 2
    await bench.settle(*engines)
    assert len(bench.sink.keys) == 2 - len(failed)
