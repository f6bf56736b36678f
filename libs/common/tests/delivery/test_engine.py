"""ENG: the engine on a real database, moved step by step, with a sink that answers what the test says."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from leadbus.delivery import (
    Ambiguous,
    Delivered,
    DeliveryEngine,
    Job,
    LeaseLost,
    Outcome,
    Permanent,
    Skipped,
    Transient,
    claims,
    gates,
)
from leadbus.outbox import LeftToClaims
from leadbus_devstack.threads import run_apart

Bench = Any
Gate = Any


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


async def test_eng31_drain_lets_acts_end(bench: Bench, gate: Gate) -> None:
    bench.sink.answer = gate.answer
    await bench.plan("a")
    engine = bench.engine()
    running = asyncio.create_task(engine.run())
    await bench.until(lambda: bool(gate.waiting))
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
    bench.sink.answer = gate.answer
    await bench.plan("a")
    engine = bench.engine()
    running = asyncio.create_task(engine.run())
    await bench.until(lambda: bool(gate.waiting))
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


async def test_eng36_long_queue_that_may_not_go_hides_no_other(bench: Bench) -> None:
    await bench.plan(*(f"held:h{n}" for n in range(claims.MANY + 100)))
    await bench.execute("UPDATE destination SET paused_at = now()")
    bench.clock.advance(1)
    await bench.plan("other:a")
    await bench.settle(bench.engine())
    assert bench.sink.keys == ["a"]


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


async def test_eng16_down_destination_opens_its_breaker_and_burns_no_try(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.always(Transient("refused", destination_down=True))
    await bench.plan(*(f"down:k{n}" for n in range(10)))
    await bench.until(lambda: len(bench.sink.acts) >= 3, engine)
    await bench.settle(engine)
    tried = len(bench.sink.acts)
    assert tried < 10, "left alone once it is known to be down"
    (destination,) = await bench.rows("SELECT * FROM destination")
    assert destination["breaker"] == "open"
    assert destination["opened_at"] == bench.clock.now()

    bench.clock.advance(29)
    await bench.settle(engine)
    assert len(bench.sink.acts) == tried
    assert {row["failures"] for row in await bench.rows("SELECT failures FROM delivery")} == {0}


async def test_eng17_single_probe_of_all_replicas_finds_out(bench: Bench, gate: Gate) -> None:
    engines = [bench.engine(), bench.engine()]
    bench.sink.always(Transient("refused", destination_down=True))
    await bench.plan(*(f"down:k{n}" for n in range(10)))
    await bench.settle(*engines)
    before = len(bench.sink.acts)
    bench.clock.advance(30)
    bench.sink.answer = gate.answer
    await bench.until(lambda: len(gate.waiting) == 1, *engines)
    for _ in range(20):
        for engine in engines:
            await engine.step()
    assert len(bench.sink.acts) == before + 1, "one probe"
    gate.opened.set()
    await bench.settle(*engines)
    bench.clock.advance(30)
    await bench.settle(*engines)
    assert {row["phase"] for row in await bench.rows("SELECT phase FROM delivery")} == {"delivered"}
    (destination,) = await bench.rows("SELECT * FROM destination")
    assert (destination["breaker"], destination["consecutive_failures"]) == ("closed", 0)
    assert destination["opened_at"] is None


async def test_eng18_probe_whose_process_died_is_made_again(bench: Bench, gate: Gate) -> None:
    engine = bench.engine()
    bench.sink.always(Transient("refused", destination_down=True))
    await bench.plan(*(f"down:k{n}" for n in range(5)))
    await bench.settle(engine)
    bench.clock.advance(30)
    bench.sink.answer = gate.answer
    dying = bench.engine(lease_seconds=60)
    await bench.until(lambda: len(gate.waiting) == 1, dying)
    bench.sink.always(Delivered())
    bench.clock.advance(61)
    await bench.settle(engine)
    (destination,) = await bench.rows("SELECT * FROM destination")
    assert destination["breaker"] == "closed"
    gate.opened.set()
    await bench.settle(dying)


async def test_eng19_bad_addresses_are_not_a_bad_host(bench: Bench) -> None:
    bench.sink.always(Permanent("mailbox_unknown"))
    await bench.plan(*(f"host:k{n}" for n in range(20)))
    await bench.settle(bench.engine())
    (destination,) = await bench.rows("SELECT * FROM destination")
    assert (destination["breaker"], destination["consecutive_failures"]) == ("closed", 0)


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
    slow = bench.engine()
    await bench.until(lambda: bool(gate.waiting), slow)
    await bench.expire_leases()
    other = bench.engine()
    await bench.settle(other)
    assert await bench.phase("a") == "waiting"

    gate.opened.set()
    await bench.settle(slow)
    assert await bench.phase("a") == "delivered"
    bench.clock.advance(3600)
    await bench.settle(other)
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
    slow = bench.engine()
    await bench.until(lambda: bool(gate.waiting), slow)
    await bench.expire_leases()
    await bench.settle(bench.engine())
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
