"""ENG: leases that run out and acts in doubt, and how the truth is found."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from leadbus.delivery import Ambiguous, Delivered, Job, Outcome, Transient, claims

Bench = Any
Gate = Any


async def test_eng20_expired_lease_is_ambiguous_and_sent_again_recognisably(bench: Bench, gate: Gate) -> None:
    (delivery_id,) = await bench.plan("a")
    bench.sink.answer = gate.answer
    dead = bench.engine()
    await bench.until(lambda: bool(gate.waiting), dead)
    await bench.expire_leases()

    bench.sink.always(Delivered())
    alive = bench.engine()
    await bench.settle(alive)
    (first,) = await bench.attempts("a")
    assert (first["outcome"], first["reason"], first["ambiguous"]) == ("ambiguous", "lease_expired", True)
    assert await bench.phase("a") == "waiting"

    bench.clock.advance(10)
    await bench.settle(alive)
    job = bench.sink.acts[-1]
    assert (job.delivery_id, job.attempt, job.in_doubt, job.repeat_number) == (delivery_id, 2, True, 0)
    assert [job.attempt for job in bench.sink.lookups] == [2], "asked before it was sent again"
    ((kind, event),) = await bench.events()
    assert (kind, event.ambiguous, event.attempts) == ("succeeded", True, 2)
    gate.opened.set()
    await bench.settle(dead)
    assert await bench.phase("a") == "delivered"
    assert len(await bench.events()) == 1


async def test_eng21_found_at_the_other_side_is_not_sent_again(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.in_turn(Ambiguous("no_answer"))
    bench.sink.found = lambda _: Delivered("found as 17")
    await bench.plan("a")
    await bench.settle(engine)
    bench.clock.advance(10)
    await bench.settle(engine)
    assert len(bench.sink.acts) == 1
    assert await bench.phase("a") == "delivered"
    attempts = await bench.attempts("a")
    assert [one["outcome"] for one in attempts] == ["ambiguous", "delivered"]
    assert attempts[1]["answer"] == "found as 17"


async def test_eng22_lookup_that_cannot_be_asked_waits(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.in_turn(Ambiguous("no_answer"))
    bench.sink.found = lambda _: Transient("unreachable", destination_down=True)
    await bench.plan("a")
    await bench.settle(engine)
    bench.clock.advance(10)
    await bench.settle(engine)
    assert len(bench.sink.acts) == 1, "not sent again while in doubt"
    assert await bench.phase("a") == "waiting"


async def test_eng23_truth_that_comes_late_is_taken(bench: Bench, gate: Gate) -> None:
    await bench.plan("a")
    bench.sink.answer = gate.answer
    slow = await bench.too_slow(gate)
    assert await bench.phase("a") == "waiting"

    gate.opened.set()
    await bench.settle(slow)
    assert await bench.phase("a") == "delivered"
    bench.clock.advance(3600)
    await bench.settle(bench.engine())
    assert len(bench.sink.acts) == 1
    ((_, event),) = await bench.events()
    assert event.ambiguous, "it was in doubt for a while"


async def test_eng24_holder_of_a_lost_lease_is_told_before_the_deciding_step(
    bench: Bench, gate: Gate
) -> None:
    crossed: list[str] = []

    async def answer(job: Job) -> Outcome:
        await gate.answer(job)
        await job.renew()
        crossed.append(job.key)
        return Delivered()

    bench.sink.answer = answer
    await bench.plan("a")
    slow = await bench.too_slow(gate)
    bench.stand_still(slow, seconds=59)
    gate.opened.set()
    await bench.settle(slow)
    assert crossed == []


async def test_eng25_leases_are_renewed_while_acting(bench: Bench, gate: Gate) -> None:
    bench.sink.answer = gate.answer
    await bench.plan("a")
    engine = bench.engine(lease_seconds=6, act_timeout_seconds=5.5)
    await bench.until(lambda: bool(gate.waiting), engine)
    first = (await bench.row("a"))["lease_expires_at"]
    other = bench.engine()
    for _ in range(200):
        await engine.step()
        if (await bench.row("a"))["lease_expires_at"] > first:
            break
        await asyncio.sleep(0.02)
    assert (await bench.row("a"))["lease_expires_at"] > first
    await other.step()
    assert await bench.phase("a") == "sending"
    gate.opened.set()
    await bench.settle(engine)
    assert await bench.phase("a") == "delivered"


async def test_eng26_act_is_cut_off_and_then_ambiguous(
    bench: Bench, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit passes when the sink was asked: one that is short may pass before, on a slow machine."""
    limits: dict[Any, asyncio.Timeout] = {}
    timeout = asyncio.timeout

    def noted(seconds: float | None) -> asyncio.Timeout:
        limits[asyncio.current_task()] = timeout(seconds)
        return limits[asyncio.current_task()]

    async def answer(job: Job) -> Outcome:
        limit = limits[asyncio.current_task()]
        now = asyncio.get_running_loop().time()
        assert now < (limit.when() or 0) <= now + 20
        limit.reschedule(now)
        await gate.answer(job)
        raise AssertionError("nobody opens the gate")

    monkeypatch.setattr(asyncio, "timeout", noted)
    bench.sink.answer = answer
    await bench.plan("a")
    await bench.settle(bench.engine(act_timeout_seconds=20))
    (attempt,) = await bench.attempts("a")
    assert (attempt["outcome"], attempt["reason"]) == ("ambiguous", "act_timeout")
    (destination,) = await bench.rows("SELECT consecutive_failures FROM destination")
    assert destination["consecutive_failures"] == 1


async def test_eng30_claim_whose_commit_was_not_heard_of_is_undone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_start = claims.start

    async def committed_then_lost(_: Any, *arguments: Any, **more: Any) -> Any:
        async with bench.database.transaction() as other:
            await really_start(other, *arguments, **more)
        raise ConnectionResetError

    await bench.plan("a")
    engine = bench.engine()
    monkeypatch.setattr(claims, "start", committed_then_lost)
    with pytest.raises(ConnectionResetError):
        await engine.step()
    assert await bench.phase("a") == "sending"
    monkeypatch.undo()
    await bench.settle(engine)
    attempts = await bench.attempts("a")
    assert [one["outcome"] for one in attempts] == ["not_acted", "delivered"]
    assert (await bench.row("a"))["doubts"] == 0, "nobody acted, and we know it"
    assert len(bench.sink.acts) == 1
