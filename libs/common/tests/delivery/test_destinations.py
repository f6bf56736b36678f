"""DST: destinations on a real database: suspended and resumed once, limited over replicas, all of it told."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from leadbus import metrics
from leadbus.contracts.destination_events import DestinationEvent, DestinationResumed, DestinationSuspended
from leadbus.delivery import (
    Ambiguous,
    Delivered,
    Job,
    Limits,
    NoSuchDestination,
    Outcome,
    Skipped,
    Suspended,
    Transient,
    limit,
    pause,
    resume,
)
from leadbus.delivery.breaker import BreakerSettings

Bench = Any
Gate = Any
BREAKER = BreakerSettings(
    opens_after_failures=3, probe_steps_seconds=(30, 60), suspended_probe_steps_seconds=(100, 200)
)
REFUSED = Suspended("auth_refused", answer="535 5.7.8 no")


async def told(bench: Bench) -> list[DestinationEvent]:
    return [event for _, event in await bench.turns()]


async def health(bench: Bench, name: str = "host") -> dict[str, Any]:
    (row,) = await bench.rows("SELECT * FROM destination WHERE name = $1", name)
    return dict(row)


async def act(bench: Bench, operation: Any, *arguments: Any, **more: Any) -> Any:
    async with bench.database.transaction() as conn:
        return await operation(conn, *arguments, actor="anna", **more)


def counted(sink: str, change: str) -> float:
    labels = {"sink": sink, "destination": "host", "change": change}
    return metrics.REGISTRY.get_sample_value("leadbus_destination_changes_total", labels) or 0


async def test_dst1_refused_is_suspended_and_told_once(bench: Bench) -> None:
    bench.sink.name = "dst1-sink"
    engine = bench.engine(breaker=BREAKER)
    bench.sink.always(REFUSED)
    await bench.plan("a", "b", "c")
    await bench.settle(engine)

    row = await health(bench)
    assert (row["health"], row["suspended_reason"]) == ("suspended", "auth_refused")
    assert (row["failed_outcome"], row["failed_reason"]) == ("suspended", "auth_refused")
    (event,) = await told(bench)
    assert isinstance(event, DestinationSuspended)
    assert (event.sink, event.destination, event.reason) == ("dst1-sink", "host", "auth_refused")
    assert (event.since, event.held) == (bench.clock.now(), 3)
    assert counted("dst1-sink", "suspended") == 1
    deliveries = await bench.rows("SELECT phase, failures, outcome FROM delivery")
    assert {tuple(one.values()) for one in deliveries} == {("waiting", 0, "suspended")}


async def test_dst2_leads_are_held_and_probed_slowly_until_it_heals(bench: Bench) -> None:
    engine = bench.engine(breaker=BREAKER)
    bench.sink.always(REFUSED)
    await bench.plan("a")
    await bench.settle(engine)
    since = bench.clock.now()
    await bench.plan("b", "c")
    for wait_seconds, tries in ((99, 1), (1, 2), (199, 2), (1, 3), (199, 3), (1, 4)):
        bench.clock.advance(wait_seconds)
        await bench.settle(engine)
        assert len(bench.sink.acts) == tries
    bench.sink.always(Delivered())
    bench.clock.advance(200)
    await bench.settle(engine)

    row = await health(bench)
    assert (row["health"], row["suspended_at"], row["last_success_at"]) == (
        "healthy",
        None,
        bench.clock.now(),
    )
    assert {one["phase"] for one in await bench.rows("SELECT phase FROM delivery")} == {"delivered"}
    suspended, resumed = await told(bench)
    assert (type(suspended), type(resumed)) == (DestinationSuspended, DestinationResumed)
    assert isinstance(resumed, DestinationResumed)
    assert (resumed.since, resumed.resumed_at, resumed.reason) == (since, bench.clock.now(), "auth_refused")
    assert resumed.held == 2, "the probe itself is out"


async def test_dst3_resume_probes_at_once_and_lifts_nothing_by_decree(bench: Bench) -> None:
    engine = bench.engine(breaker=BREAKER)
    bench.sink.always(REFUSED)
    await bench.plan("a")
    await bench.settle(engine)
    bench.clock.advance(10)
    await act(bench, resume, "host", now=bench.clock.now())
    assert (await health(bench))["health"] == "suspended"
    await bench.settle(engine)
    assert len(bench.sink.acts) == 2
    assert (await health(bench))["health"] == "suspended"
    bench.sink.always(Delivered())
    bench.clock.advance(10)
    await act(bench, resume, "host", now=bench.clock.now())
    await bench.settle(engine)
    assert (await health(bench))["health"] == "healthy"
    assert len(await told(bench)) == 2, "suspended, resumed; refused probes are no news"


async def test_dst4_two_replicas_tell_one_change_once(bench: Bench, make_gate: Any) -> None:
    """Eight tries in flight in two replicas are refused at the same moment."""
    gate = make_gate(REFUSED)
    bench.sink.answer = gate.answer
    one, two = (bench.engine(breaker=BREAKER, capacity=6, destination_share=0.9) for _ in range(2))
    await bench.plan(*(f"k{number}" for number in range(8)))
    await bench.until(lambda: len(gate.waiting) == 8, one, two)
    assert one.in_flight
    assert two.in_flight
    gate.opened.set()
    await asyncio.gather(bench.settle(one), bench.settle(two))
    assert [type(event) for event in await told(bench)] == [DestinationSuspended]
    bench.sink.always(Delivered())
    bench.clock.advance(100)
    await asyncio.gather(bench.settle(one), bench.settle(two))
    assert [type(event) for event in await told(bench)] == [DestinationSuspended, DestinationResumed]
    ids = await bench.rows("SELECT properties ->> 'message_id' AS id FROM outbox")
    assert len({row["id"] for row in ids}) == 10, "eight deliveries and two turns"


async def test_dst5_what_began_before_does_not_end_a_suspension(bench: Bench, make_gate: Any) -> None:
    """A connection that was logged in before the password was changed still delivers."""
    slow = make_gate(Delivered())

    async def answer(job: Job) -> Outcome:
        return await slow.answer(job) if job.key == "slow" else REFUSED

    bench.sink.answer = answer
    engine = bench.engine(breaker=BREAKER)
    await bench.plan("slow", "b")
    await bench.until(lambda: bool(slow.waiting) and len(bench.sink.acts) == 2, engine)
    slow.opened.set()
    await bench.settle(engine)
    assert await bench.phase("slow") == "delivered"
    assert (await health(bench))["health"] == "suspended"
    assert len(await told(bench)) == 1


@pytest.mark.parametrize(
    "outcome",
    [Transient("not_prepared", destination_heard=False), Skipped("consent"), Ambiguous("no_answer")],
    ids=["ended-on-our-side", "skipped", "nobody-knows"],
)
async def test_dst6_a_probe_that_heard_nothing_proves_nothing(bench: Bench, outcome: Outcome) -> None:
    engine = bench.engine(breaker=BREAKER)
    bench.sink.in_turn(REFUSED, outcome, Delivered())
    await bench.plan("a", "b")
    await bench.plan("c", priority=-1)
    bench.sink.always(REFUSED)
    await bench.settle(engine)
    bench.sink.in_turn(outcome)
    bench.clock.advance(100)
    await bench.settle(engine)
    assert (await health(bench))["health"] == "suspended"


async def test_dst7_a_host_that_is_down_as_well_stays_suspended(bench: Bench) -> None:
    engine = bench.engine(breaker=BREAKER)
    bench.sink.in_turn(REFUSED, Transient("connect_failed", destination_down=True))
    await bench.plan("a")
    await bench.settle(engine)
    bench.clock.advance(100)
    await bench.settle(engine)
    row = await health(bench)
    assert (row["health"], row["suspended_reason"], row["failed_reason"]) == (
        "suspended",
        "auth_refused",
        "connect_failed",
    )


async def test_dst8_an_open_breaker_that_is_refused_becomes_suspended(bench: Bench) -> None:
    bench.sink.name = "dst8-sink"
    engine = bench.engine(breaker=BREAKER)
    bench.sink.always(Transient("connect_failed", destination_down=True))
    await bench.plan("a", "b", "c")
    await bench.settle(engine)
    assert (await health(bench))["health"] == "failing"
    bench.sink.always(REFUSED)
    bench.clock.advance(30)
    await bench.settle(engine)
    assert (await health(bench))["health"] == "suspended"
    assert [type(event) for event in await told(bench)] == [DestinationSuspended]
    assert (counted("dst8-sink", "failing"), counted("dst8-sink", "suspended")) == (1, 1)


async def test_dst9_paused_hides_what_else_is_wrong_and_keeps_it(bench: Bench) -> None:
    engine = bench.engine(breaker=BREAKER)
    bench.sink.always(REFUSED)
    await bench.plan("a")
    await bench.settle(engine)
    assert await act(bench, pause, "host", reason="their migration", now=bench.clock.now())
    assert not await act(bench, pause, "host", reason="still", now=bench.clock.now())
    assert (await health(bench))["health"] == "paused"
    bench.clock.advance(3600)
    await bench.settle(engine)
    assert len(bench.sink.acts) == 1, "not even a probe"
    assert await act(bench, resume, "host", now=bench.clock.now())
    assert (await health(bench))["health"] == "suspended"
    assert not await act(bench, resume, "host", now=bench.clock.now())


async def test_dst10_success_is_noted_now_and_then(bench: Bench) -> None:
    engine = bench.engine()
    began = bench.clock.now()
    for wait_seconds, noted_seconds in ((0, 0), (5, 0), (6, 11)):
        bench.clock.advance(wait_seconds)
        await bench.plan(f"after-{noted_seconds}-{wait_seconds}")
        await bench.settle(engine)
        assert (await health(bench))["last_success_at"] == began + timedelta(seconds=noted_seconds)


async def test_dst11_in_flight_is_limited_over_replicas(bench: Bench, make_gate: Any) -> None:
    gate = make_gate(Delivered())
    bench.sink.answer = gate.answer
    await bench.plan(*(f"k{number}" for number in range(20)), *(f"free:f{number}" for number in range(4)))
    await act(bench, limit, "host", Limits(max_in_flight=3))
    one, two = (bench.engine(capacity=10) for _ in range(2))

    def waiting(name: str) -> int:
        return sum(job.destination == name for job in gate.waiting)

    await bench.until(lambda: waiting("host") == 3 and waiting("free") == 4, one, two)
    for _ in range(5):
        await asyncio.gather(one.step(), two.step())
    assert waiting("host") == 3, "and no more, whoever claims"
    gate.opened.set()
    await asyncio.gather(bench.settle(one), bench.settle(two))
    assert len(bench.sink.acts) == 24


async def test_dst12_two_replicas_that_claim_at_once_share_the_room(bench: Bench) -> None:
    """The most that ever was in flight at once, counted where it happens."""
    now_in_flight: Counter[str] = Counter()
    most = 0

    async def answer(job: Job) -> Outcome:
        nonlocal most
        now_in_flight[job.destination] += 1
        most = max(most, now_in_flight[job.destination])
        await asyncio.sleep(0)
        now_in_flight[job.destination] -= 1
        return Delivered()

    bench.sink.answer = answer
    await bench.plan(*(f"k{number}" for number in range(60)))
    await act(bench, limit, "host", Limits(max_in_flight=2))
    one, two = (bench.engine(capacity=10) for _ in range(2))
    await asyncio.gather(bench.settle(one), bench.settle(two))
    # Each settles while the other may still hold the room: what is left then needs one more round.
    await bench.settle(one, two)
    assert len(bench.sink.acts) == 60
    assert most <= 2


async def test_dst13_pace_is_kept_over_replicas_and_retries_take_part(bench: Bench) -> None:
    bench.sink.in_turn(Transient("busy"), *[Delivered()] * 99)
    await bench.plan("retried")
    one, two = (bench.engine(capacity=10) for _ in range(2))
    await bench.settle(one, two)
    await act(bench, limit, "host", Limits(per_minute=6))
    bench.clock.advance(11)
    bench.sink.acts.clear()
    await bench.plan(*(f"k{number}" for number in range(20)))
    started: list[int] = []
    for _ in range(120):
        before = len(bench.sink.acts)
        await bench.settle(one, two)
        started.append(len(bench.sink.acts) - before)
        bench.clock.advance(1)
    assert bench.sink.keys[0] == "retried", "due before the fresh ones"
    assert all(sum(started[at : at + 60]) <= 6 for at in range(60))
    assert sum(started) == 12


async def test_dst14_a_limited_destination_takes_no_ones_turn(bench: Bench, make_gate: Any) -> None:
    gate = make_gate(Delivered())
    bench.sink.answer = gate.answer
    await bench.plan(*(f"a-full:k{number}" for number in range(30)))
    await act(bench, limit, "a-full", Limits(max_in_flight=1))
    engine = bench.engine(capacity=4, retry_share=0.25)
    await bench.until(lambda: len(gate.waiting) == 1, engine)
    await bench.plan("b:other")
    await bench.until(lambda: len(gate.waiting) == 2, engine)
    assert {job.destination for job in gate.waiting} == {"a-full", "b"}
    gate.opened.set()
    await bench.settle(engine)


async def test_dst15_a_probe_keeps_to_the_limits(bench: Bench) -> None:
    engine = bench.engine(breaker=BREAKER)
    bench.sink.always(REFUSED)
    await bench.plan("a", "b")
    await act(bench, limit, "host", Limits(max_in_flight=1, per_minute=1))
    await bench.settle(engine)
    assert len(bench.sink.acts) == 1
    await act(bench, resume, "host", now=bench.clock.now())
    await bench.settle(engine)
    assert len(bench.sink.acts) == 1, "the pace allows no other try yet"
    bench.clock.advance(60)
    await bench.settle(engine)
    assert len(bench.sink.acts) == 2


async def test_dst16_acts_are_audited_with_what_was_before(bench: Bench) -> None:
    await bench.plan("a")
    await act(bench, limit, "host", Limits(5, None))
    await act(bench, limit, "host", Limits(None, 30))
    rows = await bench.rows("SELECT action, object, detail::text AS detail FROM audit ORDER BY id")
    assert [(row["action"], row["object"]) for row in rows] == [("destination.limit", "destination/host")] * 2
    assert '"from": {"per_minute": null, "max_in_flight": 5}' in rows[1]["detail"]
    assert '"to": {"per_minute": 30, "max_in_flight": null}' in rows[1]["detail"]


@pytest.mark.parametrize(
    ("operation", "arguments", "more"),
    [(pause, (), {"reason": "x"}), (resume, (), {}), (limit, (Limits(1),), {})],
    ids=["pause", "resume", "limit"],
)
async def test_dst17_unknown_destination(bench: Bench, operation: Any, arguments: Any, more: Any) -> None:
    with pytest.raises(NoSuchDestination):
        await act(bench, operation, "nobody", *arguments, **more)
    assert await bench.rows("SELECT 1 FROM audit") == []


async def test_dst18_lost_claim_gives_its_room_back(bench: Bench) -> None:
    """A replica dies with the only slot of a destination: the expired lease frees it."""
    await bench.plan("a")
    await act(bench, limit, "host", Limits(max_in_flight=1))
    await bench.execute(
        "UPDATE delivery SET phase = 'sending', attempts = 1, lease_token = $1,"
        " lease_expires_at = now() + interval '1 h'",
        UUID(int=1),
    )
    await bench.plan("b")
    engine = bench.engine()
    await bench.settle(engine)
    assert bench.sink.acts == []
    await bench.expire_leases()
    await bench.until(lambda: bench.sink.keys == ["b"], engine)
    await bench.settle(engine)
