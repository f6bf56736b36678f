"""OFF: deliveries that the engine is told of as they are planned, and what it asks the database for them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from leadbus.delivery import Delivered, Job, Limits, Offer, Outcome, Transient, claims, limit, pause

Bench = Any
Gate = Any
CONNECTIONS = 10


async def rest(engine: Any) -> None:
    """As if a look had found nothing to do."""
    await engine.step()
    await engine.step()


async def started(bench: Bench, engine: Any) -> list[str]:
    """Keys begun by what was offered, without a look."""
    await engine._start_offered()
    await asyncio.gather(*(act.task for act in engine._acts.values()))
    return list(bench.sink.keys)


async def offer(bench: Bench, engine: Any, *keys: str, **more: Any) -> None:
    planned = await bench.plan(*keys, **more)
    engine.offer([Offer(one, "host") for one in planned])


async def test_off1_what_is_offered_is_started_without_a_look(bench: Bench) -> None:
    engine = bench.engine()
    await rest(engine)
    await offer(bench, engine, "a", "b")
    assert await started(bench, engine) == ["a", "b"]
    assert engine._looks.wait_seconds(0.0) > 0, "nobody has to look for it"
    await bench.settle(engine)
    assert [await bench.phase(key) for key in "ab"] == ["delivered"] * 2
    assert len(await bench.events()) == 2


async def test_off2_the_intent_is_committed_before_the_act(bench: Bench) -> None:
    seen: list[tuple[str, Any]] = []

    async def look(job: Job) -> Outcome:
        (attempt,) = await bench.attempts(job.key)
        seen.append((await bench.phase(job.key), attempt["outcome"]))
        return Delivered()

    bench.sink.answer = look
    engine = bench.engine()
    await rest(engine)
    await offer(bench, engine, "a")
    await started(bench, engine)
    assert seen == [("sending", None)]


@pytest.mark.parametrize("why", ["paused", "unhealthy", "in flight", "per minute", "later", "too late"])
async def test_off3_what_may_not_go_is_left_to_a_look(bench: Bench, why: str) -> None:
    engine = bench.engine()
    await bench.plan("first")
    await bench.settle(engine)
    bench.sink.acts.clear()
    now, more = bench.clock.now(), {}
    async with bench.database.transaction() as conn:
        match why:
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
    await offer(bench, engine, "a", **more)
    assert await started(bench, engine) == []
    assert await bench.phase("a") == "queued"
    assert engine._looks.wait_seconds(0.0) == 0, "somebody has to look"


async def test_off4_the_first_of_an_ordering_key_goes_alone(bench: Bench) -> None:
    engine = bench.engine()
    await rest(engine)
    await offer(bench, engine, "first", "second", ordering_key="lead-1")
    assert await started(bench, engine) == ["first"]
    await bench.settle(engine)
    assert bench.sink.keys == ["first", "second"]


async def test_off5_an_older_one_of_the_same_order_that_waits_goes_first(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.in_turn(Transient("busy"), Delivered(), Delivered())
    await bench.plan("first", ordering_key="lead-1")
    await bench.settle(engine)
    await offer(bench, engine, "second", ordering_key="lead-1")
    await bench.settle(engine)
    assert bench.sink.keys == ["first"]
    bench.clock.advance(10)
    await bench.settle(engine)
    assert bench.sink.keys == ["first", "first", "second"]


async def test_off6_offers_pass_nobody_who_waits_for_a_slot(bench: Bench, gate: Gate) -> None:
    bench.sink.answer = gate.answer
    engine = bench.engine(capacity=3, retry_share=0.3)
    await rest(engine)
    await bench.plan("x:x1", "x:x2", "x:x3", "y:y1")
    await bench.until(lambda: len(gate.waiting) == 2, engine)
    gate.opened.set()
    await asyncio.gather(*(act.task for act in engine._acts.values()))
    await engine._record_ended()
    late = await bench.plan("z:late")
    engine.offer([Offer(one, "z") for one in late])
    await engine._start_offered()
    assert engine.in_flight == 0, "there were slots, but somebody waited longer"
    await bench.settle(engine)
    assert len(bench.sink.keys) == 5


async def test_off7_more_than_there_is_room_for_is_left_to_a_look(bench: Bench) -> None:
    engine = bench.engine(capacity=4, retry_share=0.5)
    await rest(engine)
    await offer(bench, engine, "a", "b", "c")
    assert await started(bench, engine) == []
    await bench.settle(engine)
    assert sorted(bench.sink.keys) == ["a", "b", "c"]


async def test_off8_retries_keep_their_slots(bench: Bench, gate: Gate) -> None:
    bench.sink.answer = gate.answer
    engine = bench.engine(capacity=4, retry_share=0.5)
    await rest(engine)
    for key in ("a", "b", "c"):
        await offer(bench, engine, key)
        await engine._start_offered()
    assert engine.in_flight == 2
    gate.opened.set()
    await bench.settle(engine)
    assert sorted(bench.sink.keys) == ["a", "b", "c"]


async def test_off9_at_two_engines_it_is_started_once(bench: Bench) -> None:
    engines = [bench.engine() for _ in range(2)]
    for engine in engines:
        await rest(engine)
    planned = await bench.plan(*(f"k{n}" for n in range(7)))
    for engine in engines:
        engine.offer([Offer(one, "host") for one in planned])
    await asyncio.gather(*(engine._start_offered() for engine in engines))
    await bench.settle(*engines)
    assert sorted(bench.sink.keys) == sorted(f"k{n}" for n in range(7))


async def test_off10_an_offer_of_nothing_that_is_due_starts_nothing(bench: Bench) -> None:
    """An unknown delivery, and one that is done."""
    engine = bench.engine()
    done = await bench.plan("done")
    await bench.settle(engine)
    bench.sink.acts.clear()
    engine.offer([Offer(uuid4(), "host"), Offer(done[0], "host")])
    assert await started(bench, engine) == []
    await bench.settle(engine)
    assert bench.sink.acts == []


async def test_off11_a_start_of_which_nothing_was_heard_is_undone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the server carries it out only after this process looked for it."""
    really_start = claims.start_offered
    begun: list[tuple[Any, Any]] = []

    async def lost(_: Any, *arguments: Any, **more: Any) -> Any:
        begun.append((arguments, more))
        raise ConnectionResetError

    engine = bench.engine()
    await rest(engine)
    await offer(bench, engine, "a")
    monkeypatch.setattr(claims, "start_offered", lost)
    with pytest.raises(ConnectionResetError):
        await engine._start_offered()
    monkeypatch.undo()
    assert not await engine._claiming.unsure.give_back()

    ((arguments, more),) = begun
    async with bench.database.acquire() as conn:
        assert len(await really_start(conn, *arguments, **more)) == 1
    assert await bench.phase("a") == "sending"
    engine._claiming.unsure._look_at = 0.0
    await bench.settle(engine)
    assert [one["outcome"] for one in await bench.attempts("a")] == ["not_acted", "delivered"]
    assert (await bench.row("a"))["doubts"] == 0, "nobody acted, and we know it"


async def test_off12_the_loop_starts_what_is_offered_and_looks_for_the_rest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = bench.engine(poll_seconds=3600)
    resting = asyncio.Event()
    really_rest = engine._rest

    async def say_and_rest() -> None:
        if engine._looks.wait_seconds(0.0):
            resting.set()
        await really_rest()

    monkeypatch.setattr(engine, "_rest", say_and_rest)
    running = asyncio.create_task(engine.run())
    await asyncio.wait_for(resting.wait(), 20)
    await offer(bench, engine, *(f"k{n}" for n in range(30)))
    await bench.until(lambda: len(bench.sink.acts) == 30)
    await offer(bench, engine, "a1", "a2", "a3", ordering_key="a")
    await bench.until(lambda: len(bench.sink.acts) == 33)
    running.cancel()
    await engine.drain(5)
    assert {row["phase"] for row in await bench.rows("SELECT phase FROM delivery")} == {"delivered"}


async def test_off13_a_loop_that_drains_leaves_the_processor_to_its_tries(bench: Bench, gate: Gate) -> None:
    bench.sink.answer = gate.answer
    engine = bench.engine(capacity=2, retry_share=0.5)
    running = asyncio.create_task(engine.run())
    await bench.plan("a", "b")
    await bench.until(lambda: bool(gate.waiting))
    draining = asyncio.create_task(engine.drain(20))
    engine.wake()
    for _ in range(10):
        await asyncio.sleep(0)
    gate.opened.set()
    await draining
    await asyncio.wait_for(running, 5)
    assert sorted([await bench.phase(key) for key in "ab"]) == ["delivered", "queued"]


async def test_off14_an_ordinary_delivery_is_two_statements(bench: Bench) -> None:
    """One commits the intent, one all that is known of its end. Whoever adds a third has to say why."""
    said: list[str] = []
    engine = bench.engine(poll_seconds=3600)

    async def answer(job: Job) -> Outcome:
        await job.renew()
        return Delivered("250 ok")

    bench.sink.answer = answer
    await bench.plan("first")
    await bench.settle(engine)
    planned = await bench.plan("a")
    async with AsyncExitStack() as held:
        # Every connection of the pool, so that none is made later that nobody listens to.
        for _ in range(CONNECTIONS):
            conn = await held.enter_async_context(bench.database.acquire())
            conn._con.add_query_logger(lambda query: said.append(query.query))

    engine.offer([Offer(one, "host") for one in planned])
    for _ in range(5):
        await engine._round(look=False)
        await asyncio.gather(*(act.task for act in engine._acts.values()))
    await asyncio.sleep(0)  # asyncpg tells a little later
    assert len(said) == 2, said
    assert await bench.phase("a") == "delivered"
    assert (await bench.attempts("a"))[0]["answer"] == "250 ok"
    assert len(await bench.events()) == 2
