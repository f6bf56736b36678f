"""MET: the figures agree with the tables."""

from __future__ import annotations

from typing import Any

from leadbus import metrics
from leadbus.delivery import Ambiguous, Delivered, Job, Outcome, Transient, measures

Bench = Any


def value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


async def gather(bench: Bench) -> None:
    async with bench.database.acquire() as conn:
        await measures.gather(conn, "met-sink", now=bench.clock.now())


async def test_met1_backlog_by_state_and_age(bench: Bench) -> None:
    engine = bench.engine()
    bench.sink.in_turn(Transient("busy"))
    await bench.plan("host:retried")
    await bench.settle(engine)
    planned_at = bench.clock.now()
    bench.clock.advance(5)
    await bench.plan("host:new", "paused:held")
    await bench.execute("UPDATE destination SET paused_at = now() WHERE name = 'paused'")
    bench.clock.advance(10)
    await gather(bench)

    states = ("pending", "sending", "retrying", "held")
    found = {state: value("leadbus_undelivered_leads", sink="met-sink", state=state) for state in states}
    assert found == {"pending": 1, "sending": 0, "retrying": 1, "held": 1}
    oldest = value("leadbus_oldest_undelivered_lead_timestamp_seconds", sink="met-sink")
    assert oldest == planned_at.timestamp()
    assert value("leadbus_delivery_oldest_due_age_seconds", sink="met-sink") == 10
    assert value("leadbus_destinations", sink="met-sink", state="paused") == 1
    assert value("leadbus_destinations", sink="met-sink", state="healthy") == 1
    unwell = {
        (name, state): value("leadbus_destination_health", sink="met-sink", destination=name, state=state)
        for name in ("host", "paused")
        for state in ("failing", "paused", "suspended")
    }
    assert [one for one, number in unwell.items() if number] == [("paused", "paused")]
    assert None not in unwell.values()


async def test_met1b_what_was_planned_too_long_ago_is_overdue(bench: Bench) -> None:
    """Whatever keeps it: never tried, to be retried, held by its destination. Tests and ends do not count."""
    engine = bench.engine()
    bench.sink.in_turn(Delivered(), Transient("busy"))
    await bench.plan("host:delivered", "host:retried")
    await bench.settle(engine)
    await bench.plan("host:new", "paused:held", "host:test")
    await bench.execute("UPDATE destination SET paused_at = now() WHERE name = 'paused'")
    await bench.execute("UPDATE delivery SET test = true WHERE key = 'test'")
    for seconds, overdue in ((measures.OVERDUE_AFTER_SECONDS, 0), (1, 3)):
        bench.clock.advance(seconds)
        await bench.plan(f"host:just now {seconds}")
        await gather(bench)
        assert value("leadbus_overdue_deliveries", sink="met-sink") == overdue


async def test_met2_nothing_left_is_nought(bench: Bench) -> None:
    await bench.plan("a")
    await bench.settle(bench.engine())
    await gather(bench)
    assert value("leadbus_oldest_undelivered_lead_timestamp_seconds", sink="met-sink") == 0
    assert value("leadbus_undelivered_leads", sink="met-sink", state="pending") == 0


async def test_met3_attempts_are_counted_by_outcome(bench: Bench) -> None:
    bench.sink.name = "met3-sink"
    engine = bench.engine()
    bench.sink.in_turn(Ambiguous("no_answer"), Delivered())
    await bench.plan("a")
    await bench.settle(engine)
    bench.clock.advance(10)
    await bench.settle(engine)
    name = "leadbus_delivery_attempts_total"
    assert value(name, sink="met3-sink", outcome="ambiguous", reason="no_answer") == 1
    assert value(name, sink="met3-sink", outcome="delivered", reason="none") == 1
    assert value("leadbus_delivery_ambiguous_total", sink="met3-sink") == 1
    assert value("leadbus_delivery_attempt_duration_seconds_count", sink="met3-sink") == 2


async def test_met4_the_backlog_is_read_from_indexes(bench: Bench) -> None:
    """Deliveries that ended stay in the table for good; measuring must not read them."""
    async with bench.database.transaction() as conn:
        await conn.execute("SET LOCAL enable_seqscan = off")
        now = bench.clock.now()
        plan = [row[0] for row in await conn.fetch(f"EXPLAIN {measures._BACKLOG}", now, now)]
    assert any("delivery" in line and "Index Scan" in line for line in plan), plan
    assert not any("Seq Scan on delivery" in line for line in plan), plan


async def test_met5_a_doubt_is_counted_once_by_whoever_has_it_first(bench: Bench, gate: Any) -> None:
    """A holder that wakes up after another called its try ambiguous, and knows no better itself."""
    bench.sink.name = "met5-sink"

    async def answer(job: Job) -> Outcome:
        await gate.answer(job)
        return Ambiguous("no_answer")

    bench.sink.answer = answer
    await bench.plan("a")
    slow = await bench.too_slow(gate)
    gate.opened.set()
    await bench.settle(slow)
    assert [one["reason"] for one in await bench.attempts("a")] == ["no_answer"], "told all the same"
    assert value("leadbus_delivery_ambiguous_total", sink="met5-sink") == 1
    name = "leadbus_delivery_attempts_total"
    assert value(name, sink="met5-sink", outcome="ambiguous", reason="lease_expired") == 1
    assert value(name, sink="met5-sink", outcome="ambiguous", reason="no_answer") is None
