"""Many quarantined messages replayed as one job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from leadbus.jobs import JobRunner, store
from normalizer.replaying import QuarantineFilter, QuarantineReplay
from pydantic import ValidationError

DEADLINE_SECONDS = 30.0


class Jobs:
    """Plans and runs jobs on the workshop's database."""

    def __init__(self, workshop: Any) -> None:
        self.workshop = workshop
        self.kind = QuarantineReplay(workshop.database, workshop.quarantining)

    async def plan(self, **filter_: Any) -> Any:
        asked = QuarantineFilter.model_validate(filter_)
        plan = await self.kind.plan(asked, None)
        job = store.NewJob(
            uuid4(),
            self.kind.name,
            asked.model_dump(mode="json", exclude_none=True),
            None,
            None,
            3,
            1000.0,
            "olga",
            plan.total,
            plan.left_out,
            plan.sample,
            plan.bound,
            plan.subject,
        )
        async with self.workshop.database.transaction() as conn:
            await store.insert(conn, job)
            await store.start(conn, job.id, "olga")
        return job

    async def ended(self, job_id: Any) -> dict[str, Any]:
        async def over() -> bool:
            (row,) = await self.workshop.fetch("SELECT state FROM job WHERE id = $1", job_id)
            return bool(row["state"] != "running")

        await self.workshop.until(over, DEADLINE_SECONDS)
        (row,) = await self.workshop.fetch("SELECT * FROM job WHERE id = $1", job_id)
        return dict(row)

    async def run(self, **filter_: Any) -> dict[str, Any]:
        job = await self.plan(**filter_)
        runner = asyncio.create_task(JobRunner(self.workshop.database, [self.kind], poll_seconds=0.02).run())
        try:
            return await self.ended(job.id)
        finally:
            runner.cancel()
            await asyncio.wait([runner])


@pytest.fixture
async def replays(workshop: Any) -> Jobs:
    async with workshop.database.acquire() as conn:
        await conn.execute("TRUNCATE job, job_item")
    return Jobs(workshop)


async def unmapped(workshop: Any, payload: Any, message: Any, number: int, **more: Any) -> None:
    await workshop.raw.handle(
        [message(payload(lead_id=f"CAO-{n}", **more), f"raw-{uuid4()}") for n in range(number)]
    )


async def test_replayed_by_reason(replays: Jobs, workshop: Any, payload: Any, message: Any) -> None:
    await unmapped(workshop, payload, message, 7)
    await workshop.raw.handle([message(b"no json", "broken")])
    await workshop.map_dealer()
    job = await replays.plan(reason="location_unmapped", source="contactatonce")
    assert (job.total, len(job.sample), set(job.sample[0])) == (
        7,
        7,
        {"id", "source", "account", "wire_id", "reason"},
    )
    ended = await replays.run(reason="location_unmapped")
    assert (ended["state"], ended["failed"]) == ("done", 0)
    assert len(await workshop.leads()) == 7
    assert await workshop.reasons() == ["undecodable"]
    acts = await workshop.fetch("SELECT actor FROM audit WHERE action = 'quarantine.replay'")
    assert {act["actor"] for act in acts} == {"olga"}


async def test_what_still_cannot_be_placed_counts_as_failed_with_todays_reason(
    replays: Jobs, workshop: Any, payload: Any, message: Any
) -> None:
    await unmapped(workshop, payload, message, 4)
    await workshop.raw.handle([message(b"no json", "broken")])
    ended = await replays.run(all=True)
    assert (ended["total"], ended["done"], ended["failed"]) == (5, 0, 5)
    assert ended["last_error"] in ("location_unmapped", "undecodable")
    times = {row["times"] for row in await workshop.quarantined()}
    assert times == {2}, "each was processed once more, and no more than once"


async def test_what_was_closed_meanwhile_is_left_out(
    replays: Jobs, workshop: Any, payload: Any, message: Any, operator: Any
) -> None:
    await unmapped(workshop, payload, message, 3)
    job = await replays.plan(all=True)
    replay = workshop.quarantining.replay
    first = True

    async def discarded_first(raw_key: Any, actor: Any, **more: Any) -> Any:
        nonlocal first
        if first:
            first = False
            await workshop.quarantining.discard(raw_key, operator, "not a lead")
        return await replay(raw_key, actor, **more)

    workshop.quarantining.replay = discarded_first
    await workshop.map_dealer()
    runner = asyncio.create_task(JobRunner(workshop.database, [replays.kind], poll_seconds=0.02).run())
    ended = await replays.ended(job.id)
    runner.cancel()
    await asyncio.wait([runner])
    assert (ended["state"], ended["done"], ended["left_out"]) == ("done", 2, 1)


async def test_a_defect_on_one_message_is_that_messages(
    replays: Jobs, workshop: Any, payload: Any, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unmapped(workshop, payload, message, 3)
    await workshop.map_dealer()
    process: Callable[..., Any] = workshop.quarantining._process

    async def failing(conn: Any, kept: Any, **more: Any) -> Any:
        if b"CAO-1" in kept[0].body:
            raise ZeroDivisionError
        return await process(conn, kept, **more)

    monkeypatch.setattr(workshop.quarantining, "_process", failing)
    ended = await replays.run(all=True)
    assert (ended["state"], ended["done"], ended["failed"], ended["last_error"]) == (
        "done",
        2,
        1,
        "ZeroDivisionError",
    )
    assert len(await workshop.leads()) == 2


async def test_progress_and_message_are_one_transaction(
    replays: Jobs, workshop: Any, payload: Any, message: Any
) -> None:
    """A runner that lost its lease undoes the message it was at."""
    await unmapped(workshop, payload, message, 2)
    await workshop.map_dealer()
    job = await replays.plan(all=True)
    replay = workshop.quarantining.replay
    robbed = False

    async def robbing(raw_key: Any, actor: Any, **more: Any) -> Any:
        nonlocal robbed
        if not robbed:
            robbed = True
            async with workshop.database.acquire() as conn:
                await conn.execute("UPDATE job SET lease_expires_at = clock_timestamp() - interval '1 s'")
                await store.claim(conn, uuid4(), lease_seconds=0.0, kinds=[replays.kind.name])
        return await replay(raw_key, actor, **more)

    workshop.quarantining.replay = robbing
    runner = asyncio.create_task(JobRunner(workshop.database, [replays.kind], poll_seconds=0.02).run())
    ended = await replays.ended(job.id)
    runner.cancel()
    await asyncio.wait([runner])
    assert (ended["state"], ended["done"], ended["failed"]) == ("done", 2, 0)
    acts = await workshop.fetch("SELECT object FROM audit WHERE action = 'quarantine.replay'")
    assert len(acts) == 2


@pytest.mark.parametrize(
    "wrong", [{}, {"all": False}, {"reason": "odd"}, {"colour": "red"}, {"since": "x"}], ids=str
)
def test_filters_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        QuarantineFilter.model_validate(wrong)
