"""ENG50–53: tries that were none, and destinations that are down, on real tables."""

from __future__ import annotations

from typing import Any

from leadbus.delivery import Delivered, Held, Transient

Bench = Any


async def test_eng50_holds_in_a_row_are_one_line_of_the_story(bench: Bench) -> None:
    engine = bench.engine()
    began = bench.clock.now()
    bench.sink.in_turn(*[Held("domain_busy", 5)] * 3, Transient("busy"), Held("domain_busy", 5), Delivered())
    await bench.plan("a")
    await bench.settle(engine)
    for _ in range(2):
        bench.clock.advance(4.99)
        await bench.settle(engine)
        bench.clock.advance(1)
        await bench.settle(engine)
    row = await bench.row("a")
    assert (row["phase"], row["outcome"], row["reason"]) == ("queued", "held", "domain_busy")
    assert (row["attempts"], row["failures"]) == (1, 0)
    (attempt,) = await bench.attempts("a")
    assert (attempt["n"], attempt["outcome"], attempt["reason"]) == (1, "held", "domain_busy")
    assert (attempt["started_at"], attempt["finished_at"]) == (began, bench.clock.now())

    for _ in range(3):
        bench.clock.advance(60)
        await bench.settle(engine)
    tries = [(one["n"], one["outcome"]) for one in await bench.attempts("a")]
    assert tries == [(1, "held"), (2, "transient"), (3, "held"), (4, "delivered")]
    assert [job.attempt for job in bench.sink.acts] == [1, 2, 2, 2, 3, 4]
    ((kind, event),) = await bench.events()
    assert (kind, event.attempts) == ("succeeded", 4)


async def test_eng51_a_hold_says_nothing_of_the_destination(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.always(Held("domain_busy", 5))
    await bench.plan(*"abcdefgh")
    await bench.settle(engine)
    (destination,) = await bench.rows("SELECT * FROM destination")
    assert (destination["breaker"], destination["consecutive_failures"]) == ("closed", 0)
    assert await bench.turns() == []


async def test_eng52_a_hold_whose_lease_was_lost_changes_nothing(bench: Bench, make_gate: Any) -> None:
    gate = make_gate(Held("domain_busy", 5))
    bench.sink.answer = gate.answer
    await bench.plan("a")
    slow = await bench.too_slow(gate)
    before = (await bench.row("a"), await bench.attempts("a"))
    gate.opened.set()
    await bench.settle(slow)
    assert (await bench.row("a"), await bench.attempts("a")) == before


async def test_eng53_a_destination_that_is_down_is_asked_ever_more_seldom(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.in_turn(*[Transient("away", destination_down=True)] * 2, Delivered())
    await bench.plan("a")
    await bench.settle(engine)
    for tries, wait_seconds in enumerate((10, 30), start=1):
        assert (await bench.row("a"))["downs"] == tries
        bench.clock.advance(wait_seconds - 0.01)
        await bench.settle(engine)
        assert len(bench.sink.acts) == tries, "not before its time"
        bench.clock.advance(0.01)
        await bench.settle(engine)
    assert (await bench.row("a"))["downs"] == 0
    assert await bench.phase("a") == "delivered"
