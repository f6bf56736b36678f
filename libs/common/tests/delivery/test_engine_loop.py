"""ENG: the loop of the engine: drained, cancelled, woken, and the times it is given."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from leadbus.delivery import DeliveryEngine

Bench = Any
Gate = Any


async def acting(bench: Bench, gate: Gate) -> tuple[DeliveryEngine, asyncio.Task[None]]:
    """An engine and its loop, in the middle of an act that the gate ends."""
    bench.sink.answer = gate.answer
    await bench.plan("a")
    engine = bench.engine()
    running = asyncio.create_task(engine.run())
    await bench.until(lambda: bool(gate.waiting))
    return engine, running


async def test_eng31_drain_lets_acts_end(bench: Bench, gate: Gate) -> None:
    engine, running = await acting(bench, gate)
    draining = asyncio.create_task(engine.drain(20))
    await asyncio.sleep(0)
    async with engine._one_claim:  # a claim that was under way may still take what it finds
        await bench.plan("b")
    gate.opened.set()
    await draining
    await asyncio.wait_for(running, 5)
    assert [await bench.phase(key) for key in "ab"] == ["delivered", "queued"]


async def test_eng32_drain_out_of_time_is_ambiguous_at_once(bench: Bench, gate: Gate) -> None:
    bench.sink.answer = gate.answer
    await bench.plan("a")
    engine = bench.engine()
    await bench.until(lambda: bool(gate.waiting), engine)
    await engine.drain(0.01)
    (attempt,) = await bench.attempts("a")
    assert (attempt["outcome"], attempt["reason"]) == ("ambiguous", "drained")
    assert engine.in_flight == 0


async def test_eng33_cancelling_the_loop_does_not_cancel_acts(bench: Bench, gate: Gate) -> None:
    engine, running = await acting(bench, gate)
    running.cancel()
    await asyncio.wait({running})
    gate.opened.set()
    await engine.drain(5)
    assert await bench.phase("a") == "delivered"


@pytest.mark.parametrize(
    "times",
    [
        {"act_timeout_seconds": 60, "lease_seconds": 60, "drain_seconds": 60},
        {"act_timeout_seconds": 30, "lease_seconds": 60, "drain_seconds": 29},
        {"act_timeout_seconds": 0, "lease_seconds": 60, "drain_seconds": 30},
    ],
    ids=["act<lease", "act<=drain", "act>0"],
)
def test_eng34_times_nest(bench: Bench, times: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="act timeout"):
        bench.engine(**times)


async def test_eng35_wake_spares_the_poll(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    engine: DeliveryEngine = bench.engine(poll_seconds=3600)
    resting = asyncio.Event()
    really_rest = engine._rest

    async def rest() -> None:
        resting.set()
        await really_rest()

    monkeypatch.setattr(engine, "_rest", rest)
    running = asyncio.create_task(engine.run())
    await asyncio.wait_for(resting.wait(), 20)
    await bench.plan("a")
    engine.wake()
    await bench.until(lambda: bool(bench.sink.acts))
    running.cancel()
    await engine.drain(5)
    assert await bench.phase("a") == "delivered"
