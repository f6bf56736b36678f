"""R: a job goes through everything once, whatever happens to its runners."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from leadbus import metrics
from leadbus.jobs import store

Bench = Any


async def test_r1_from_plan_to_end(bench: Bench) -> None:
    await bench.things(25)
    job = await bench.planned(batch_size=10)
    assert (job["state"], job["total"], job["remaining"], job["sample"]) == ("planned", 25, 25, [{"n": 1}])
    bench.begin(bench.runner())
    assert await bench.turns() == [0] * 25, "a plan touches nothing"
    await bench.http.post(f"/v1/jobs/{job['id']}/run")
    ended = await bench.ended(job["id"])
    assert (ended["state"], ended["done"], ended["failed"], ended["remaining"]) == ("done", 25, 0, 0)
    assert await bench.turns() == [1] * 25
    assert [len(batch) for batch in bench.kind.batches] == [10, 10, 5]
    assert [(act["actor"], act["action"]) for act in ended["acts"]] == [
        ("olga", "job.plan"),
        ("olga", "job.run"),
    ]


async def test_r2_two_replicas_share_out_jobs_and_never_one(bench: Bench) -> None:
    await bench.things(200)

    async def slow(_: list[int]) -> None:
        await asyncio.sleep(0.005)

    bench.kind.before_commit = slow
    bench.begin(bench.runner())
    bench.begin(bench.runner())
    job_id = await bench.started(batch_size=3)
    ended = await bench.ended(job_id)
    assert (ended["state"], ended["done"]) == ("done", 200)
    assert await bench.turns() == [1] * 200
    assert bench.kind.most_in_hand == 1


async def test_r3_cancelled_between_two_batches(bench: Bench) -> None:
    await bench.things(50)
    third = asyncio.Event()
    go_on = asyncio.Event()

    async def stop_at_third(batch: list[int]) -> None:
        if batch[0] == 21:
            third.set()
            await go_on.wait()

    bench.kind.before_commit = stop_at_third
    bench.begin(bench.runner())
    job_id = await bench.started(batch_size=10)
    await asyncio.wait_for(third.wait(), 30)
    asked = await bench.http.post(f"/v1/jobs/{job_id}/cancel")
    assert (asked.status_code, asked.json()["state"]) == (202, "running")
    go_on.set()
    ended = await bench.ended(job_id)
    assert (ended["state"], ended["done"], ended["remaining"]) == ("cancelled", 30, 20)
    assert await bench.turns() == [1] * 30 + [0] * 20, "the batch in hand was finished, and no other begun"
    assert (ended["cancel_by"], ended["acts"][-1]["action"]) == ("olga", "job.cancel")


async def test_r4_a_runner_that_lost_its_lease_commits_nothing_more(bench: Bench) -> None:
    await bench.things(20)
    in_hand = asyncio.Event()
    go_on = asyncio.Event()

    async def stop_once(batch: list[int]) -> None:
        if batch[0] == 11 and not in_hand.is_set():
            in_hand.set()
            await go_on.wait()

    bench.kind.before_commit = stop_once
    bench.begin(bench.runner())
    job_id = await bench.started(batch_size=10)
    await asyncio.wait_for(in_hand.wait(), 30)
    async with bench.database.acquire() as conn:
        await bench.expire_lease(job_id)
        taken = await store.claim(conn, uuid4(), lease_seconds=0.0, kinds=[bench.kind.name])
    assert taken is not None
    assert taken.counts.done == 10
    go_on.set()
    ended = await bench.ended(job_id)
    assert (ended["state"], ended["done"]) == ("done", 20)
    assert await bench.turns() == [1] * 20


async def test_r5_goes_on_after_kill_9_of_its_process(bench: Bench, tmp_path: Path) -> None:
    await bench.things(300)
    job_id = await bench.started(batch_size=5, rate_per_second=100)
    script = tmp_path / "runner.py"
    url = bench.database._url
    script.write_text(_PROCESS.format(folder=str(Path(__file__).parent), url=url))
    process = await asyncio.create_subprocess_exec(sys.executable, str(script))
    try:

        async def some_done() -> bool:
            return bool((await bench.job(job_id))["done"] >= 20)

        await bench.until(some_done)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        await process.wait()
    before = await bench.job(job_id)
    assert before["state"] == "running"
    assert before["done"] == sum(await bench.turns()), "progress is what was committed"
    await bench.expire_lease(job_id)
    async with bench.database.acquire() as conn:
        await conn.execute("UPDATE job SET rate_per_second = 1000")
    bench.begin(bench.runner())
    ended = await bench.ended(job_id)
    assert (ended["state"], ended["done"], ended["remaining"]) == ("done", 300, 0)
    assert await bench.turns() == [1] * 300


_PROCESS = """
import asyncio, sys
sys.path.insert(0, {folder!r})
from conftest import CountedThings
from leadbus.db import Database
from leadbus.jobs import JobRunner

async def main():
    database = Database({url!r})
    await database.open()
    await JobRunner(database, [CountedThings(database)], poll_seconds=0.05).run()

asyncio.run(main())
"""


async def test_r6_drained_it_finishes_the_batch_and_lets_another_have_the_job(bench: Bench) -> None:
    await bench.things(100)
    first = bench.runner()
    task = bench.begin(first)
    job_id = await bench.started(batch_size=1, rate_per_second=20)

    async def begun() -> bool:
        return len(bench.kind.batches) > 1

    await bench.until(begun)
    await first.drain(10)
    await asyncio.wait_for(task, 10)
    done = (await bench.job(job_id))["done"]
    assert 0 < done < 100
    async with bench.database.acquire() as conn:
        assert await conn.fetchval("SELECT lease_token FROM job") is None, "nobody waits for the lease to end"
        await conn.execute("UPDATE job SET rate_per_second = 1000")
    bench.begin(bench.runner())
    assert (await bench.ended(job_id))["done"] == 100
    assert await bench.turns() == [1] * 100


@pytest.mark.parametrize(("raised", "code"), [("broken", "no_queue"), ("defect", "ZeroDivisionError")])
async def test_r7_what_cannot_go_on_fails_with_a_code(
    bench: Bench, broken: Any, raised: str, code: str
) -> None:
    await bench.things(20)

    async def fail(batch: list[int]) -> None:
        if batch[0] > 10:
            raise broken("no_queue") if raised == "broken" else ZeroDivisionError

    bench.kind.before_commit = fail
    bench.begin(bench.runner())
    ended = await bench.ended(await bench.started(batch_size=10))
    assert (ended["state"], ended["end_reason"], ended["done"]) == ("failed", code, 10)
    assert await bench.turns() == [1] * 10 + [0] * 10


async def test_r8_a_server_that_is_away_only_delays_it(bench: Bench) -> None:
    await bench.things(10)
    times = 0

    async def away(_: list[int]) -> None:
        nonlocal times
        times += 1
        if times < 3:
            raise asyncpg.ConnectionDoesNotExistError

    bench.kind.before_commit = away
    bench.begin(bench.runner())
    ended = await bench.ended(await bench.started())
    assert (ended["state"], ended["done"]) == ("done", 10)
    assert await bench.turns() == [1] * 10


async def test_r9_no_batch_is_larger_than_a_second_of_the_rate(bench: Bench) -> None:
    await bench.things(10)
    bench.begin(bench.runner())
    job_id = await bench.started(batch_size=500, rate_per_second=3)

    async def one() -> bool:
        return bool(bench.kind.batches)

    await bench.until(one)
    await bench.http.post(f"/v1/jobs/{job_id}/cancel")
    await bench.ended(job_id)
    assert {len(batch) for batch in bench.kind.batches} == {3}


async def test_r10_a_plan_that_nobody_runs_expires(bench: Bench) -> None:
    job = await bench.planned()
    async with bench.database.acquire() as conn:
        await conn.execute("UPDATE job SET expires_at = clock_timestamp()")
    bench.begin(bench.runner())
    ended = await bench.ended(job["id"])
    assert (ended["state"], ended["end_reason"]) == ("cancelled", "plan_expired")


async def test_r11_a_kind_of_another_release_waits_for_it(bench: Bench) -> None:
    await bench.things(5)
    other = await bench.started()
    async with bench.database.acquire() as conn:
        await conn.execute("UPDATE job SET kind = 'thing.unknown'")
    bench.begin(bench.runner())
    assert (await bench.ended(await bench.started()))["state"] == "done"
    assert (await bench.job(other))["state"] == "running"


async def test_r12_jobs_are_counted_by_kind_and_state(bench: Bench) -> None:
    await bench.things(1)
    bench.begin(bench.runner())
    await bench.ended(await bench.started())
    await bench.planned()
    bench.begin(bench.runner())  # sweeps as it begins

    async def shown() -> bool:
        said = metrics.exposition().decode()
        return all(
            f'leadbus_jobs{{kind="thing.count",state="{state}"}} 1.0' in said for state in ("done", "planned")
        )

    await bench.until(shown)
    assert 'leadbus_jobs_ended_total{kind="thing.count",state="done"}' in metrics.exposition().decode()


async def test_r13_a_cancelled_job_of_another_release_ends_when_its_holder_is_gone(bench: Bench) -> None:
    other = await bench.started()
    await bench.held()
    async with bench.database.acquire() as conn:
        await conn.execute("UPDATE job SET kind = 'thing.unknown'")
    asked = await bench.http.post(f"/v1/jobs/{other}/cancel")
    assert asked.json()["state"] == "running", "its holder may have a batch in hand"
    await bench.expire_lease(other)
    bench.begin(bench.runner())
    assert (await bench.ended(other))["state"] == "cancelled"
