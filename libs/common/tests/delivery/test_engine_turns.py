"""ENG: who goes next: destinations in turn, orders, retries beside first tries, replicas."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from leadbus.delivery import Delivered, Job, Outcome, Transient, claims, gates

Bench = Any
Gate = Any


async def test_eng8_destinations_take_turns_and_priority_goes_first_within_one(bench: Bench) -> None:
    await bench.plan("x:x1", "x:x2", "x:x3", "y:y1", "y:y2", "z:z1")
    await bench.plan("x:urgent", priority=5)
    engine = bench.engine(capacity=10, retry_share=0.1)
    await bench.settle(engine)
    assert bench.sink.keys[:3] == ["urgent", "y1", "z1"], "one of each before the second of any"
    assert set(bench.sink.keys) == {"x1", "x2", "x3", "y1", "y2", "z1", "urgent"}


async def test_eng9_turns_go_on_where_the_last_claim_ended(bench: Bench) -> None:
    await bench.plan(*(f"{name}:{name}{n}" for name in "abcd" for n in range(3)))
    engine = bench.engine(capacity=2, retry_share=0.5)
    await bench.settle(engine)
    assert [key[0] for key in bench.sink.keys] == list("abcd") * 3


async def test_eng10_slow_destination_hurts_nobody_else(bench: Bench, gate: Gate) -> None:
    async def answer(job: Job) -> Outcome:
        return await gate.answer(job) if job.destination == "slow" else Delivered()

    bench.sink.answer = answer
    await bench.plan(*(f"slow:s{n}" for n in range(50)))
    engine = bench.engine(capacity=10)
    await bench.until(lambda: len(gate.waiting) >= 4, engine)
    await bench.plan(*(f"quick:q{n}" for n in range(50)))
    await bench.until(lambda: sum(job.destination == "quick" for job in bench.sink.acts) == 50, engine)
    assert not gate.opened.is_set()
    assert len(gate.waiting) < 10
    gate.opened.set()
    await bench.settle(engine)


async def test_eng11_retries_take_no_slot_of_first_tries(bench: Bench, gate: Gate) -> None:
    engine = bench.engine(capacity=10, retry_share=0.3)
    bench.sink.always(Transient("busy"))
    await bench.plan(*(f"d{n}:r{n}" for n in range(30)))
    await bench.settle(engine)
    bench.clock.advance(10)

    async def answer(job: Job) -> Outcome:
        return await gate.answer(job) if job.attempt > 1 else Delivered()

    bench.sink.answer = answer
    await bench.until(lambda: len(gate.waiting) == 3, engine)
    await bench.plan(*(f"e{n}:f{n}" for n in range(30)))
    await bench.until(lambda: sum(job.key.startswith("f") for job in bench.sink.acts) == 30, engine)
    assert len(gate.waiting) == 3, "three of ten slots are for retries, and no more"
    gate.opened.set()
    await bench.settle(engine)


async def test_eng12_first_tries_take_no_slot_of_retries(bench: Bench, gate: Gate) -> None:
    engine = bench.engine(capacity=10, retry_share=0.3)
    bench.sink.always(Transient("busy"))
    await bench.plan("retry")
    await bench.settle(engine)
    bench.clock.advance(10)

    async def answer(job: Job) -> Outcome:
        return await gate.answer(job) if job.attempt == 1 else Delivered()

    bench.sink.answer = answer
    await bench.plan(*(f"d{n}:f{n}" for n in range(30)))
    await bench.until(lambda: len(gate.waiting) == 7, engine)
    await bench.until(lambda: bench.sink.keys.count("retry") == 2, engine)
    gate.opened.set()
    await bench.settle(engine)


async def test_eng13_two_replicas_never_act_twice(bench: Bench) -> None:
    """All at once, not in turns: they read the same candidates, and each goes to one of them."""
    await bench.plan(*(f"d{n % 7}:k{n}" for n in range(200)))
    await asyncio.gather(*(bench.settle(bench.engine(capacity=20)) for _ in range(3)))
    assert sorted(bench.sink.keys) == sorted(f"k{n}" for n in range(200))
    assert len(await bench.events()) == 200


async def test_eng14_same_ordering_key_goes_one_at_a_time_and_in_order(bench: Bench) -> None:
    in_flight: set[str] = set()

    async def answer(job: Job) -> Outcome:
        assert job.ordering_key is not None
        assert job.ordering_key not in in_flight, "two of the same order in flight"
        in_flight.add(job.ordering_key)
        await asyncio.sleep(0)
        in_flight.discard(job.ordering_key)
        return Delivered()

    bench.sink.answer = answer
    for n in range(10):
        await bench.plan(f"a{n}", destination=f"d{n % 3}", ordering_key="a")
        await bench.plan(f"b{n}", destination=f"d{n % 2}", ordering_key="b")
    await asyncio.gather(*(bench.settle(bench.engine()) for _ in range(2)))
    for order in "ab":
        assert [key for key in bench.sink.keys if key.startswith(order)] == [f"{order}{n}" for n in range(10)]
    assert {row["outcome"] for row in await bench.rows("SELECT outcome FROM attempt")} == {"delivered"}


async def test_eng15_order_waits_for_a_retry(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.in_turn(Transient("busy"), Delivered(), Delivered())
    await bench.plan("first", "second", ordering_key="lead-1")
    await bench.settle(engine)
    assert bench.sink.keys == ["first"]
    bench.clock.advance(10)
    await bench.settle(engine)
    assert bench.sink.keys == ["first", "first", "second"]


async def test_eng36_long_queue_that_may_not_go_hides_no_other(bench: Bench) -> None:
    await bench.plan(*(f"held:h{n}" for n in range(claims.MANY + 100)))
    await bench.execute("UPDATE destination SET paused_at = now()")
    bench.clock.advance(1)
    await bench.plan("other:a")
    await bench.settle(bench.engine())
    assert bench.sink.keys == ["a"]


async def test_eng36_a_claim_cut_short_gives_its_slots_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found some, then lost the database before they were started: nothing stays taken."""

    async def lost(*_: Any, **__: Any) -> Any:
        raise ConnectionResetError

    await bench.plan("x:a", "y:b")
    engine = bench.engine(capacity=3)
    monkeypatch.setattr(gates, "enter", lost)
    for _ in range(3):
        with pytest.raises(ConnectionResetError):
            await engine.step()
    monkeypatch.undo()
    await bench.settle(engine)
    assert sorted(bench.sink.keys) == ["a", "b"]
