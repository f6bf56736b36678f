"""Supervision, liveness and readiness, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from leadbus import log, metrics, pulse
from leadbus.health import Health


class Watch:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def health(watch: Watch) -> AsyncIterator[Health]:
    made = Health("tester", check_seconds=0.05, backoff_seconds=(0.001, 0.002), dead_seconds=300, now=watch)
    yield made
    await made.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing there to be notified by
            await asyncio.sleep(0.001)


def failing(error: BaseException, calls: list[int]) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        calls.append(1)
        raise error

    return run


async def forever() -> None:
    await asyncio.Event().wait()


async def get(health: Health, path: str) -> tuple[int, Any]:
    app = FastAPI()
    app.include_router(health.router())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        response = await client.get(path)
    return response.status_code, response.json()


async def test_a_task_that_fails_is_started_again_and_counted(health: Health) -> None:
    calls: list[int] = []
    health.supervise("fails", failing(ValueError("x"), calls))
    health.start()
    await until(lambda: len(calls) >= 3)
    counted = metrics.REGISTRY.get_sample_value("leadbus_task_restarts_total", {"task": "fails"})
    assert counted is not None
    assert counted >= 2
    assert health.alive()[0], "a restart is not yet a reason to be killed"


async def test_a_task_that_ends_unasked_is_started_again(health: Health) -> None:
    calls: list[int] = []

    async def ends() -> None:
        calls.append(1)

    health.supervise("ends", ends)
    health.start()
    await until(lambda: len(calls) >= 3)


async def test_a_cancellation_nobody_asked_for_does_not_end_the_task(health: Health) -> None:
    """aiormq raises CancelledError into whoever waits on a channel that died."""
    calls: list[int] = []
    health.supervise("leaked", failing(asyncio.CancelledError(), calls))
    health.start()
    await until(lambda: len(calls) >= 3)


async def test_failing_for_long_ends_liveness_and_recovery_brings_it_back(
    health: Health, watch: Watch
) -> None:
    calls: list[int] = []
    heals = asyncio.Event()

    async def run() -> None:
        calls.append(1)
        if not heals.is_set():
            raise ValueError
        await forever()

    health.supervise("ill", run)
    health.start()
    await until(lambda: len(calls) >= 2)
    watch.seconds += 301
    await until(lambda: not health.alive()[0])
    assert await get(health, "/livez") == (503, {"ok": False, "service": "tester", "tasks": {"ill": "dead"}})
    heals.set()
    await until(lambda: health.alive()[0])
    assert health.alive()[1] == {"ill": "running"}


async def test_a_server_that_is_away_never_ends_liveness(
    health: Health, watch: Watch, capfd: pytest.CaptureFixture[str]
) -> None:
    log.configure("tester", "INFO")
    calls: list[int] = []
    health.supervise("waits", failing(ConnectionRefusedError(), calls))
    health.start()
    await until(lambda: len(calls) >= 2)
    watch.seconds += 86400
    await until(lambda: len(calls) >= 4)
    await until(lambda: health.alive()[1] == {"waits": "waiting"})
    assert health.alive()[0]
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {(line["event"], line["level"], line["reason"]) for line in lines} == {
        ("health.task_waits_for_server", "warning", "ConnectionRefusedError")
    }, "a server that is away is no defect of the task"


async def test_a_task_that_promised_to_beat_and_does_not_is_stalled(health: Health, watch: Watch) -> None:
    work = asyncio.Event()

    async def hangs() -> None:
        pulse.beat(within_seconds=60)
        await work.wait()
        pulse.beat(within_seconds=60)
        await forever()

    health.supervise("hangs", hangs)
    health.supervise("never promised", forever)
    health.start()
    await until(lambda: set(health.alive()[1].values()) == {"running"})
    watch.seconds += 59
    assert health.alive()[0]
    watch.seconds += 2
    tasks = {"hangs": "stalled", "never promised": "running"}
    assert await get(health, "/livez") == (503, {"ok": False, "service": "tester", "tasks": tasks})
    work.set()
    await until(lambda: health.alive()[0])


async def test_a_hanging_task_counts_as_not_alive(health: Health, watch: Watch) -> None:
    async def hangs() -> None:
        pulse.beat(within_seconds=60)
        await forever()

    health.supervise("deadlocked", hangs)
    health.start()
    shown = partial(metrics.REGISTRY.get_sample_value, "leadbus_task_alive", {"task": "deadlocked"})
    await until(lambda: shown() == 1)
    watch.seconds += 61
    await until(lambda: shown() == 0)


async def test_a_task_that_rests_may_be_silent(health: Health, watch: Watch) -> None:
    async def waits_for_work() -> None:
        pulse.beat(within_seconds=60)
        pulse.rest()
        await forever()

    health.supervise("idle", waits_for_work)
    health.start()
    await until(lambda: health.alive()[1] == {"idle": "running"})
    watch.seconds += 86400
    assert health.alive()[0]


async def test_a_child_beats_for_its_task_and_a_restarted_task_begins_anew(
    health: Health, watch: Watch
) -> None:
    fails, runs = asyncio.Event(), []

    async def child() -> None:
        pulse.beat(within_seconds=60)
        await fails.wait()
        raise ValueError

    async def run() -> None:
        runs.append(1)
        if len(runs) == 1:
            await asyncio.create_task(child())
        await forever()

    health.supervise("parent", run)
    health.start()
    await until(lambda: health.alive()[1] == {"parent": "running"})
    watch.seconds += 61
    await until(lambda: health.alive()[1] == {"parent": "stalled"})
    fails.set()
    await until(lambda: len(runs) == 2)
    assert health.alive() == (True, {"parent": "running"}), "it promised nothing so far"


def test_a_beat_outside_of_supervised_tasks_is_nothing() -> None:
    pulse.beat()
    pulse.rest()


async def test_readiness_names_every_check(health: Health) -> None:
    async def passes() -> bool:
        return True

    async def fails() -> bool:
        return False

    async def raises() -> bool:
        raise ValueError("planted")

    async def hangs() -> bool:
        await forever()
        return True

    for name, check in {"passes": passes, "fails": fails, "raises": raises, "hangs": hangs}.items():
        health.check_ready(name, check)
    health.start()
    status, said = await get(health, "/readyz")
    assert status == 503
    assert said["checks"] == {
        "service": "running",
        "passes": "ok",
        "fails": "failing",
        "raises": "failing: ValueError",
        "hangs": "timed out",
    }


async def test_ready_only_between_start_and_drain(health: Health) -> None:
    assert (await get(health, "/readyz"))[0] == 503
    health.start()
    assert (await get(health, "/readyz"))[0] == 200
    health.draining()
    status, said = await get(health, "/readyz")
    assert (status, said["checks"]["service"]) == (503, "draining")
    assert (await get(health, "/livez"))[0] == 200


async def test_stop_ends_every_task(health: Health) -> None:
    ended: list[str] = []

    async def run() -> None:
        try:
            await forever()
        finally:
            ended.append("ended")

    health.supervise("one", run)
    health.start()
    await until(lambda: health.alive()[1] == {"one": "running"})
    await health.stop()
    assert ended == ["ended"]


async def test_two_tasks_do_not_share_a_name(health: Health) -> None:
    health.supervise("one", forever)
    with pytest.raises(ValueError, match="two tasks"):
        health.supervise("one", forever)
