"""FLT: the engine's process and its database die at the worst moment."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from leadbus.db import Database
from leadbus.delivery import Delivered, Job, Outcome

Bench = Any


async def test_flt1_killed_between_intent_and_record_is_ambiguous_and_delivered(bench: Bench) -> None:
    await bench.plan("a")
    script = str(Path(__file__).with_name("engine_process.py"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, bench.url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"a\n"
    process.kill()
    await process.wait()
    assert await bench.phase("a") == "sending"

    engine = bench.engine()
    running = asyncio.create_task(engine.run())

    async def doubted() -> None:
        while (await bench.row("a"))["doubts"] == 0:  # noqa: ASYNC110 -- a row is no event
            await asyncio.sleep(0.02)

    await asyncio.wait_for(doubted(), 20)
    bench.clock.advance(10)
    await bench.until(lambda: bool(bench.sink.acts))
    await engine.drain(5)
    await running
    assert bench.sink.acts[0].in_doubt
    assert [one["outcome"] for one in await bench.attempts("a")] == ["ambiguous", "delivered"]
    ((_, event),) = await bench.events()
    assert event.ambiguous


async def test_flt2_database_killed_while_acting(
    private_postgres: Any, make_bench: Any, make_tables: Any
) -> None:
    """Every answer this process knows is recorded once the database is back: nothing is in doubt."""
    await make_tables(private_postgres.url)
    database = Database(private_postgres.url)
    await database.open()
    bench = make_bench(private_postgres.url, database)
    acted: dict[str, int] = {}

    async def answer(job: Job) -> Outcome:
        acted[job.key] = acted.get(job.key, 0) + 1
        if len(acted) == 50:
            private_postgres.kill()
        return Delivered()

    bench.sink.answer = answer
    keys = [f"d{n % 5}:k{n}" for n in range(200)]
    await bench.plan(*keys)
    engine = bench.engine(poll_seconds=0.05)
    running = asyncio.create_task(engine.run())
    await bench.until(lambda: len(acted) >= 50)
    await asyncio.to_thread(private_postgres.start)

    async def finished() -> None:
        while True:
            if await database.ping():
                open_ = await bench.rows("SELECT 1 FROM delivery WHERE phase <> 'delivered'")
                if not open_:
                    return
            await asyncio.sleep(0.05)

    await asyncio.wait_for(finished(), 40)
    assert not running.done(), "the loop outlives the outage"
    await engine.drain(5)
    await running
    assert set(acted.values()) == {1}
    assert await bench.rows("SELECT 1 FROM attempt WHERE ambiguous") == []
    assert len(await bench.events()) == 200
    await database.close()


async def test_flt3_lease_that_ran_out_while_the_database_was_away(bench: Bench, gate: Any) -> None:
    """Our own answer is known, so our own sweep does not call it ambiguous."""
    bench.sink.answer = gate.answer
    await bench.plan("a")
    engine = bench.engine()
    await bench.until(lambda: bool(gate.waiting), engine)
    await bench.expire_leases()
    await engine.step()
    gate.opened.set()
    await bench.settle(engine)
    (attempt,) = await bench.attempts("a")
    assert (attempt["outcome"], attempt["ambiguous"]) == ("delivered", False)
