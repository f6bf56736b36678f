"""ENG: what becomes of a try, when the next one is made, and who is told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

import asyncpg
import pytest
from leadbus.delivery import Delivered, Job, LeaseLost, Outcome, Permanent, Skipped, Transient
from leadbus.outbox import LeftToClaims
from leadbus_devstack.threads import run_apart

Bench = Any


async def test_eng1_delivered_is_recorded_and_told(bench: Bench) -> None:
    (delivery_id,) = await bench.plan("a")
    await bench.settle(bench.engine())
    (job,) = bench.sink.acts
    assert (job.delivery_id, job.subject_id, job.attempt) == (delivery_id, "lead-a", 1)
    assert not job.in_doubt
    assert not job.repeat
    row = await bench.row("a")
    assert (row["phase"], row["outcome"], row["finished_at"]) == ("delivered", "delivered", bench.clock.now())
    (attempt,) = await bench.attempts("a")
    assert (attempt["n"], attempt["outcome"], attempt["answer"]) == (1, "delivered", "250 ok")
    ((kind, event),) = await bench.events()
    assert (kind, event.delivery_id, event.sink) == ("succeeded", delivery_id, "test-sink")
    assert not event.ambiguous


async def test_eng2_intent_is_committed_before_the_act(bench: Bench) -> None:
    seen: list[tuple[str, int]] = []

    async def look(job: Job) -> Outcome:
        (attempt,) = await bench.attempts(job.key)
        assert attempt["outcome"] is None
        seen.append((await bench.phase(job.key), attempt["n"]))
        return Delivered()

    bench.sink.answer = look
    await bench.plan("a")
    await bench.settle(bench.engine())
    assert seen == [("sending", 1)]


async def test_eng3_retries_follow_the_schedule_on_the_injected_clock(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.always(Transient("busy", answer="450 later"))
    await bench.plan("a")
    await bench.settle(engine)
    for number, wait_seconds in enumerate((10, 30, 60), start=1):
        bench.clock.advance(wait_seconds - 0.01)
        await bench.settle(engine)
        assert len(bench.sink.acts) == number, "not before its time"
        bench.clock.advance(0.01)
        await bench.settle(engine)
        assert len(bench.sink.acts) == number + 1
    row = await bench.row("a")
    assert (row["phase"], row["outcome"], row["reason"]) == ("failed", "gave_up", "busy")
    assert [job.attempt for job in bench.sink.acts] == [1, 2, 3, 4]
    assert [kind for kind, _ in await bench.events()] == ["failed"]


async def test_eng4_retry_after_is_honoured(bench: Bench) -> None:
    bench.sink.always(Transient("slow_down", after_seconds=3600))
    await bench.plan("a")
    await bench.settle(bench.engine())
    assert (await bench.row("a"))["not_before"] == bench.clock.now() + timedelta(hours=1)


@pytest.mark.parametrize(
    ("outcome", "phase", "told"),
    [
        (Permanent("mailbox_unknown"), "failed", "refused"),
        (Skipped("consent"), "skipped", "consent"),
    ],
    ids=["permanent", "skipped"],
)
async def test_eng5_ends_without_delivery(bench: Bench, outcome: Outcome, phase: str, told: str) -> None:
    bench.sink.always(outcome)
    await bench.plan("a")
    await bench.settle(bench.engine())
    assert await bench.phase("a") == phase
    ((kind, event),) = await bench.events()
    assert (kind, event.outcome) == (phase, told)


async def test_eng6_not_before_its_time(bench: Bench) -> None:
    engine = bench.engine()
    await bench.plan("a", not_before=bench.clock.now() + timedelta(hours=1))
    await bench.settle(engine)
    assert bench.sink.acts == []
    bench.clock.advance(3600)
    await bench.settle(engine)
    assert bench.sink.keys == ["a"]


async def test_eng7_after_the_deadline_nothing_is_tried(bench: Bench) -> None:
    engine = bench.engine(poll_seconds=0.0)
    bench.sink.always(Transient("busy"))
    await bench.plan("a", deadline=bench.clock.now() + timedelta(seconds=10))
    await bench.settle(engine)
    bench.clock.advance(10)
    await bench.settle(engine)
    assert len(bench.sink.acts) == 1
    assert (await bench.row("a"))["outcome"] == "deadline_passed"
    assert [kind for kind, _ in await bench.events()] == ["failed"]


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (RuntimeError("a bug"), "ambiguous", "sink_error"),
        (TimeoutError(), "ambiguous", "sink_error"),
        (asyncio.CancelledError(), "ambiguous", "sink_cancelled"),
        (LeaseLost(), "transient", "lease_lost"),
    ],
    ids=["bug", "timeout", "leaked_cancel", "lease_lost"],
)
async def test_eng27_whatever_a_sink_raises_has_a_meaning(
    bench: Bench, error: BaseException, outcome: str, reason: str
) -> None:
    async def fail(_: Job) -> Outcome:
        raise error

    bench.sink.answer = fail
    await bench.plan("a")
    await bench.settle(bench.engine())
    (attempt,) = await bench.attempts("a")
    assert (attempt["outcome"], attempt["reason"]) == (outcome, reason)


async def test_eng27b_what_is_no_answer_at_all_keeps_no_slot_and_no_lease(bench: Bench) -> None:
    async def forget(_: Job) -> Outcome:
        return cast("Outcome", None)

    bench.sink.answer = forget
    await bench.plan("a")
    await bench.settle(bench.engine())
    (attempt,) = await bench.attempts("a")
    assert (attempt["outcome"], attempt["reason"]) == ("ambiguous", "sink_error")


async def test_eng28_answers_are_cut_and_storable(bench: Bench) -> None:
    bench.sink.always(Permanent("strange", answer="\x00\ud800" + "x" * 5000))
    await bench.plan("a")
    await bench.settle(bench.engine())
    (attempt,) = await bench.attempts("a")
    assert len(attempt["answer"]) == 2000


async def test_eng29_one_that_cannot_be_recorded_keeps_nobody_from_it(bench: Bench) -> None:
    async def answer(job: Job) -> Outcome:
        return Transient("\x00") if job.key == "poison" else Delivered()

    bench.sink.answer = answer
    await bench.plan("a:1", "b:poison", "c:2")
    engine = bench.engine()
    await bench.settle(engine)
    assert [await bench.phase(key) for key in ("1", "poison", "2")] == ["delivered", "sending", "delivered"]
    await bench.expire_leases()
    await bench.settle(engine)
    assert (await bench.attempts("poison"))[0]["reason"] == "lease_expired"


async def test_eng37_whoever_publishes_hears_of_events_once_they_are_committed(bench: Bench) -> None:
    seen: list[list[str]] = []

    async def committed() -> list[str]:
        connection = await asyncpg.connect(bench.url)
        try:
            rows = await connection.fetch("SELECT routing_key FROM outbox ORDER BY id")
        finally:
            await connection.close()
        return [row["routing_key"] for row in rows]

    engine = bench.engine(outgoing=LeftToClaims(lambda: seen.append(run_apart(committed))))
    bench.sink.in_turn(Transient("busy"), Delivered())
    await bench.plan("a")
    await bench.settle(engine)
    assert seen == [], "a try that will be repeated tells nothing"
    bench.clock.advance(10)
    await bench.settle(engine)
    assert seen == [["delivery.succeeded.v1"]]

    await bench.plan("late", not_before=bench.clock.now() + timedelta(hours=2), deadline=bench.clock.now())
    await bench.until(lambda: len(seen) == 2, engine)
    assert seen[1] == ["delivery.succeeded.v1", "delivery.failed.v1"]
