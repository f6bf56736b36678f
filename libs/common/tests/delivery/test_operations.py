"""OPS: what consumers and operators do to deliveries and destinations, and that it is on record."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from leadbus.db import Part, at_once
from leadbus.delivery import (
    Ambiguous,
    Delivered,
    Job,
    NewDelivery,
    NoSuchDelivery,
    NoSuchDestination,
    OperationRefused,
    Outcome,
    Permanent,
    Planning,
    Transient,
    cancel,
    pause,
    plan,
    redrive,
    resume,
    skip,
)

Bench = Any
Gate = Any
ACTOR = "anna"


async def operate(bench: Bench, operation: Any, key: str) -> None:
    delivery_id = (await bench.row(key))["id"]
    async with bench.database.transaction() as conn:
        await operation(conn, delivery_id, actor=ACTOR, sink="test-sink", now=bench.clock.now())


async def audited(bench: Bench) -> list[tuple[str, str]]:
    return [(row["actor"], row["action"]) for row in await bench.rows("SELECT * FROM audit ORDER BY id")]


async def test_ops1_planning_again_does_nothing(bench: Bench) -> None:
    new = [NewDelivery(key, "lead", "host", "route") for key in ("a", "b", "a")]
    async with bench.database.transaction() as conn:
        first = await plan(conn, new, now=bench.clock.now())
        second = await plan(conn, [*new, NewDelivery("c", "lead", "host", "route")], now=bench.clock.now())
    assert [one is not None for one in first] == [True, True, False]
    assert [one is not None for one in second] == [False, False, False, True]
    await bench.settle(bench.engine())
    assert sorted(bench.sink.keys) == ["a", "b", "c"]


async def test_ops1b_what_belongs_to_new_deliveries_is_written_with_them(bench: Bench) -> None:
    async with bench.database.transaction() as conn:
        await conn.execute("CREATE TEMP TABLE content (delivery_id uuid, said text) ON COMMIT DROP")
        await plan(conn, [NewDelivery("a", "lead", "host", "route")], now=bench.clock.now())
        new = [NewDelivery(key, "lead", f"host-{key}", "route") for key in ("a", "b", "b", "c")]
        planning = Planning(new, bench.clock.now())
        content = Part(
            "kept AS (INSERT INTO content SELECT new.id, said FROM unnest($1::uuid[], $2::text[])"
            " AS new (id, said) JOIN planned ON planned.id = new.id RETURNING said)",
            (planning.ids, ["a", "b", "b again", "c"]),
            "ARRAY(SELECT said FROM kept) AS kept",
        )
        row = await at_once(conn, *planning.parts, content)
        kept = {row["delivery_id"]: row["said"] for row in await conn.fetch("SELECT * FROM content")}
    answers = planning.answers(row)
    assert answers == [None, planning.ids[1], None, planning.ids[3]]
    assert kept == {answers[1]: "b", answers[3]: "c"}
    assert sorted(row["kept"]) == ["b", "c"]


async def test_ops2_planned_in_a_transaction_that_fails_was_never_planned(bench: Bench) -> None:
    async with bench.database.acquire() as conn:
        undone = conn.transaction()
        await undone.start()
        await plan(conn, [NewDelivery("a", "lead", "host", "route")])
        await undone.rollback()
    await bench.settle(bench.engine())
    assert bench.sink.acts == []


async def test_ops3_delivery_without_destination_is_refused(bench: Bench) -> None:
    async with bench.database.transaction() as conn:
        with pytest.raises(ValueError, match="destination"):
            await plan(conn, [NewDelivery("a", "lead", "", "route")])


async def test_ops4_skip_is_on_record_once_and_told(bench: Bench) -> None:
    new = NewDelivery("a", "lead-a", "", "")
    async with bench.database.transaction() as conn:
        delivery_id = await skip(conn, new, "no_route", sink="test-sink", now=bench.clock.now())
        assert await skip(conn, new, "no_route", sink="test-sink", now=bench.clock.now()) is None
    row = await bench.row("a")
    assert (row["phase"], row["reason"]) == ("skipped", "no_route")
    ((kind, event),) = await bench.events()
    assert (kind, event.outcome, event.delivery_id, event.attempts) == ("skipped", "no_route", delivery_id, 0)
    with pytest.raises(OperationRefused) as refused:
        await operate(bench, redrive, "a")
    assert refused.value.code == "no_destination"


async def test_ops5_redrive_of_a_failed_one_is_a_retry_now_and_recovers(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.in_turn(Permanent("mailbox_full"), Delivered())
    await bench.plan("a")
    await bench.settle(engine)
    await operate(bench, redrive, "a")
    await bench.settle(engine)
    job = bench.sink.acts[-1]
    assert (job.attempt, job.repeat_number, job.repeat) == (2, 0, False)
    assert [kind for kind, _ in await bench.events()] == ["failed", "recovered"]
    assert await audited(bench) == [(ACTOR, "delivery.redrive")]


async def test_ops6_redrive_of_a_delivered_one_is_a_repeat_that_says_so(bench: Bench) -> None:
    engine = bench.engine()
    await bench.plan("a")
    for number in range(3):
        await bench.settle(engine)
        assert [job.repeat_number for job in bench.sink.acts] == list(range(number + 1))
        await operate(bench, redrive, "a")
    assert [job.repeat for job in bench.sink.acts] == [False, True, True]
    events = await bench.events()
    assert [event.repeat for _, event in events] == [False, True, True]
    ids = await bench.rows("SELECT properties ->> 'message_id' AS id FROM outbox")
    assert len({row["id"] for row in ids}) == 3, "three facts, three ids"


async def test_ops7_redrive_while_waiting_is_now(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.in_turn(Transient("busy", after_seconds=3600), Delivered())
    await bench.plan("a")
    await bench.settle(engine)
    await operate(bench, redrive, "a")
    await bench.settle(engine)
    assert await bench.phase("a") == "delivered"


async def test_ops8_redriven_after_its_deadline_is_tried(bench: Bench) -> None:
    engine = bench.engine()
    await bench.plan("a", deadline=bench.clock.now())
    await bench.settle(engine)
    assert (await bench.row("a"))["outcome"] == "deadline_passed"
    await operate(bench, redrive, "a")
    await bench.settle(engine)
    assert await bench.phase("a") == "delivered"


@pytest.mark.parametrize("operation", [redrive, cancel])
async def test_ops9_nothing_touches_what_is_in_flight(bench: Bench, gate: Gate, operation: Any) -> None:
    bench.sink.answer = gate.answer
    await bench.plan("a")
    engine = bench.engine()
    await bench.until(lambda: bool(gate.waiting), engine)
    with pytest.raises(OperationRefused) as refused:
        await operate(bench, operation, "a")
    assert refused.value.code == "in_flight"
    assert await audited(bench) == []
    gate.opened.set()
    await bench.settle(engine)
    assert await bench.phase("a") == "delivered"


async def test_ops10_cancelled_is_not_sent_and_can_be_redriven(bench: Bench) -> None:
    engine = bench.engine()
    await bench.plan("a")
    await operate(bench, cancel, "a")
    await bench.settle(engine)
    assert bench.sink.acts == []
    ((kind, event),) = await bench.events()
    assert (kind, event.outcome) == ("failed", "cancelled")
    with pytest.raises(OperationRefused) as refused:
        await operate(bench, cancel, "a")
    assert refused.value.code == "finished"
    await operate(bench, redrive, "a")
    await operate(bench, cancel, "a")
    assert [kind for kind, _ in await bench.events()] == ["failed", "failed"]
    ids = await bench.rows("SELECT properties ->> 'message_id' AS id FROM outbox")
    assert len({row["id"] for row in ids}) == 2


async def test_ops11_doubt_of_one_repeat_is_not_the_doubt_of_the_next(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.in_turn(Ambiguous("no_answer"), Delivered(), Delivered())
    await bench.plan("a")
    await bench.settle(engine)
    bench.clock.advance(10)
    await bench.settle(engine)
    await operate(bench, redrive, "a")
    await bench.settle(engine)
    assert [job.in_doubt for job in bench.sink.acts] == [False, True, False]
    assert [event.ambiguous for _, event in await bench.events()] == [True, False]


async def test_ops12_paused_destination_gets_nothing_until_resumed(bench: Bench) -> None:
    engine = bench.engine()
    await bench.plan("held:a", "other:b")
    async with bench.database.transaction() as conn:
        await pause(conn, "held", actor=ACTOR, reason="their migration", now=bench.clock.now())
    await bench.plan("held:c")
    await bench.settle(engine)
    assert bench.sink.keys == ["b"]
    bench.clock.advance(3600)
    await bench.settle(engine)
    assert bench.sink.keys == ["b"]
    async with bench.database.transaction() as conn:
        await resume(conn, "held", actor=ACTOR, now=bench.clock.now())
    await bench.settle(engine)
    assert sorted(bench.sink.keys) == ["a", "b", "c"]
    assert await audited(bench) == [(ACTOR, "destination.pause"), (ACTOR, "destination.resume")]


async def test_ops13_resume_probes_an_open_breaker_at_once(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.always(Transient("refused", destination_down=True))
    await bench.plan(*(f"down:k{n}" for n in range(5)))
    await bench.settle(engine)
    bench.sink.always(Delivered())
    bench.clock.advance(10)
    async with bench.database.transaction() as conn:
        await resume(conn, "down", actor=ACTOR, now=bench.clock.now())
    await bench.settle(engine)
    assert {row["phase"] for row in await bench.rows("SELECT phase FROM delivery")} == {"delivered"}


async def test_ops14_unknown_things_are_said_to_be_unknown(bench: Bench) -> None:
    async with bench.database.transaction() as conn:
        with pytest.raises(NoSuchDelivery):
            await cancel(conn, uuid4(), actor=ACTOR, sink="test-sink")
        with pytest.raises(NoSuchDestination):
            await pause(conn, "nobody", actor=ACTOR, reason="?")
        with pytest.raises(NoSuchDestination):
            await resume(conn, "nobody", actor=ACTOR)


async def test_ops15_concurrent_plans_of_the_same_new_destinations_do_not_deadlock(bench: Bench) -> None:
    names = [f"d{n:02}" for n in range(50)]
    ready = asyncio.Barrier(2)

    async def plan_in(order: list[str], prefix: str) -> None:
        async with bench.database.transaction() as conn:
            await ready.wait()
            await plan(conn, [NewDelivery(f"{prefix}{name}", "lead", name, "route") for name in order])

    await asyncio.gather(plan_in(names, "x"), plan_in(names[::-1], "y"))
    assert len(await bench.rows("SELECT 1 FROM delivery")) == 100
    assert len(await bench.rows("SELECT 1 FROM destination")) == 50


async def test_ops16_withdrawn_between_planning_and_acting(bench: Bench) -> None:
    """Consent is read at the moment of acting; the sink's Skipped ends the delivery without a try at all."""
    withdrawn: set[str] = set()

    async def answer(job: Job) -> Outcome:
        from leadbus.delivery import Skipped

        return Skipped("consent") if job.subject_id in withdrawn else Delivered()

    bench.sink.answer = answer
    await bench.plan("a", "b")
    withdrawn.add("lead-a")
    await bench.settle(bench.engine())
    assert [await bench.phase(key) for key in "ab"] == ["skipped", "delivered"]
