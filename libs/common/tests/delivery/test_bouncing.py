"""BOU: what was taken comes back, on a real database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from leadbus.delivery import (
    Ambiguous,
    Became,
    Bounced,
    Delivered,
    NoSuchDelivery,
    Permanent,
    bounce,
    redrive,
)

Bench = Any
GONE = Bounced("bad_address", permanent=True)
LATER = Bounced("mailbox_full", permanent=False, after_seconds=900)


async def come_back(bench: Bench, event: Bounced, *, repeat: int = 0, key: str = "a") -> Became:
    delivery_id = (await bench.row(key))["id"]
    async with bench.database.transaction() as conn:
        return await bounce(
            conn, delivery_id, event, repeat_number=repeat, sink="test-sink", now=bench.clock.now()
        )


async def delivered(bench: Bench) -> Any:
    await bench.plan("a")
    engine = bench.engine()
    await bench.settle(engine)
    assert (await bench.row("a"))["phase"] == "delivered"
    return engine


async def test_bou1_it_fails_and_is_told(bench: Bench) -> None:
    await delivered(bench)
    assert await come_back(bench, GONE) is Became.FAILED
    row = await bench.row("a")
    assert (row["phase"], row["outcome"], row["reason"]) == ("failed", "bounced", "bad_address")
    (first, _), (second, failed) = await bench.events()
    assert (first, second) == ("succeeded", "failed")
    assert (failed.outcome, failed.attempts, failed.repeat) == ("bounced", 1, False)


async def test_bou2_the_same_again_changes_nothing(bench: Bench) -> None:
    await delivered(bench)
    await come_back(bench, GONE)
    before = await bench.row("a")
    assert await come_back(bench, GONE) is Became.UNCHANGED
    assert await bench.row("a") == before
    assert len(await bench.events()) == 2


async def test_bou3_what_passes_is_repeated_when_it_is_time(bench: Bench) -> None:
    engine = await delivered(bench)
    assert await come_back(bench, LATER) is Became.REPEATED
    row = await bench.row("a")
    assert (row["phase"], row["repeat_number"], row["outcome"]) == ("waiting", 1, "bounced")
    assert row["not_before"] - row["planned_at"] >= timedelta(seconds=900)
    await bench.settle(engine)
    assert len(bench.sink.acts) == 1, "not yet"
    bench.clock.advance(901)
    await bench.settle(engine)
    assert [job.repeat_number for job in bench.sink.acts] == [0, 1]
    assert [kind for kind, _ in await bench.events()] == [
        "succeeded",
        "failed",
        "recovered",
    ]
    assert [event.repeat for _, event in await bench.events()] == [False, False, True]


async def test_bou4_an_older_sending_touches_no_newer_one(bench: Bench) -> None:
    await delivered(bench)
    await come_back(bench, LATER)
    assert await come_back(bench, GONE) is Became.OUTDATED
    assert (await bench.row("a"))["phase"] == "waiting"


async def test_bou5_one_that_is_being_sent_is_left_alone(bench: Bench) -> None:
    await bench.plan("a")
    async with bench.database.acquire() as conn:
        await conn.execute(
            "UPDATE delivery SET phase = 'sending', lease_token = gen_random_uuid(), lease_expires_at = now()"
        )
    assert await come_back(bench, GONE) is Became.SENDING
    assert (await bench.row("a"))["phase"] == "sending"


async def test_bou6_a_clock_that_is_behind_makes_no_bounce_older_than_its_mail(bench: Bench) -> None:
    await delivered(bench)
    async with bench.database.transaction() as conn:
        row, behind = await bench.row("a"), bench.clock.now() - timedelta(seconds=30)
        await bounce(conn, row["id"], GONE, repeat_number=0, sink="test-sink", now=behind)
    (_, succeeded), (_, failed) = await bench.events()
    assert failed.finished_at > succeeded.finished_at


async def test_bou7_what_may_have_been_taken_was(bench: Bench) -> None:
    bench.sink.always(Ambiguous("no_answer"))
    await bench.plan("a")
    await bench.settle(bench.engine())
    assert (await bench.row("a"))["phase"] == "waiting"
    assert await come_back(bench, GONE) is Became.FAILED


async def test_bou8_what_was_refused_did_not_come_back(bench: Bench) -> None:
    bench.sink.always(Permanent("no"))
    await bench.plan("a")
    await bench.settle(bench.engine())
    assert await come_back(bench, GONE) is Became.UNCHANGED
    assert (await bench.row("a"))["outcome"] == "refused"


async def test_bou9_redriving_it_is_a_repeat(bench: Bench) -> None:
    engine = await delivered(bench)
    await come_back(bench, GONE)
    async with bench.database.transaction() as conn:
        row = await bench.row("a")
        await redrive(conn, row["id"], actor="anna", sink="test-sink", now=bench.clock.now())
    bench.sink.always(Delivered("250"))
    await bench.settle(engine)
    assert [job.repeat_number for job in bench.sink.acts] == [0, 1]
    assert (await bench.row("a"))["phase"] == "delivered"


async def test_bou10_nobodys_delivery(bench: Bench) -> None:
    async with bench.database.transaction() as conn:
        with pytest.raises(NoSuchDelivery):
            await bounce(conn, uuid4(), GONE, repeat_number=0, sink="test-sink", now=bench.clock.now())


@pytest.mark.parametrize(
    ("event", "phase", "repeat"), [(GONE, "failed", 0), (LATER, "waiting", 1)], ids=["for good", "repeated"]
)
async def test_bou11_that_it_was_taken_is_learnt_after_it_came_back(
    bench: Bench, gate: Any, event: Bounced, phase: str, repeat: int
) -> None:
    """The answer of the sending that came back is no answer of the repeat."""
    await bench.plan("a")
    bench.sink.answer = gate.answer
    slow = await bench.too_slow(gate)
    assert await come_back(bench, event) in (Became.FAILED, Became.REPEATED)
    gate.opened.set()
    await bench.settle(slow)
    row = await bench.row("a")
    assert (row["phase"], row["repeat_number"], row["outcome"]) == (phase, repeat, "bounced")
    ((kind, _),) = await bench.events()
    assert kind == "failed"
