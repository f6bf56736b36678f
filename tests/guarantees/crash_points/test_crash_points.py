"""kill -9 at each point between two steps, with leads in flight; then the service starts again.

Each crash is a row of `outcomes.py`; its id says what happens there.
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest
from leadbus import checkpoint

from tests.guarantees import books
from tests.guarantees.accounting import IN_FLIGHT
from tests.guarantees.books import Books
from tests.guarantees.crash_points import circumstances as when
from tests.guarantees.crash_points import promises
from tests.guarantees.crash_points.outcomes import CRASHES, Crash
from tests.guarantees.crash_points.scene import Scene

pytestmark = pytest.mark.timeout(600)

SEED = int(os.environ["LEADBUS_GUARANTEES_SEED"])
_LATEST_PASS = 8
_COUNTERS = {
    "recognised": [("ingest", "leadbus_raw_duplicates_total")],
    "repeats": [("normalizer", "leadbus_raw_repeats_total"), ("adf-mailer", "leadbus_adf_repeats_total")],
}


def test_every_point_has_a_row() -> None:
    assert {crash.point for crash in CRASHES} == checkpoint.POINTS.keys()


@pytest.mark.parametrize(
    "crash",
    [pytest.param(crash, id=crash.id, marks=[] if crash.core else pytest.mark.full) for crash in CRASHES],
)
async def test_crash(scene: Scene, crash: Crash) -> None:
    await crash.circumstance.prepare(scene)
    await scene.order_death(crash.service, crash.point)
    before = await _counted(scene, survivors_of=crash.service)
    opened = await Books.open(scene.surface)

    async with asyncio.TaskGroup() as both:
        both.create_task(crash.circumstance.provoke(scene))
        await scene.death(crash.service, crash.point)
        await scene.revive(crash.service)
        await crash.circumstance.mend(scene)

    doubts = await promises.settled(scene)
    after = await _counted(scene)
    seen = {
        "unanswered": scene.unanswered,
        "recognised": after["recognised"] - before["recognised"],
        "repeats": after["repeats"] - before["repeats"],
        "doubted": len(doubts.doubted),
        "second_mails": len(doubts.sent_twice),
    }
    wrong = {
        what: f"{count:g}, expected {getattr(crash, what).value}"
        for what, count in seen.items()
        if not getattr(crash, what).allows(count)
    }
    assert wrong == {}
    await crash.circumstance.check(scene)
    await _balanced(scene, opened, crash)


@pytest.mark.full
@pytest.mark.parametrize(
    "crash",
    [
        pytest.param(crash, id=f"{crash.service} dies later at {crash.point}")
        for crash in CRASHES
        if crash.circumstance is when.LEADS_FLOW
    ],
)
async def test_crash_at_a_later_pass(scene: Scene, crash: Crash) -> None:
    """In a stream, so that there are leads before, at and behind the point; what always holds is held."""
    nth = random.Random(f"{SEED} {crash.id}").randint(2, _LATEST_PASS)
    print(f"\nLEADBUS_GUARANTEES_SEED={SEED}: pass {nth} of {crash.point}")
    dead = asyncio.Event()
    opened = await Books.open(scene.surface)
    await scene.order_death(crash.service, crash.point, nth)

    async with asyncio.TaskGroup() as both:
        for _ in range(2):
            both.create_task(_send_until(dead, scene))
        await scene.death(crash.service, crash.point)
        dead.set()
        await scene.revive(crash.service)

    doubts = await promises.settled(scene)
    assert len(doubts.doubted) <= IN_FLIGHT
    await _balanced(scene, opened, crash)


async def _send_until(dead: asyncio.Event, scene: Scene) -> None:
    while not dead.is_set():
        await scene.send(by_http=1, by_queue=1)


async def _balanced(scene: Scene, opened: Books, crash: Crash) -> None:
    balance = await books.imbalances(scene.surface, opened, unsure={crash.service})
    assert balance is True, f"metrics and tables differ (counted, rows): {balance}"


async def _counted(scene: Scene, *, survivors_of: str = "") -> dict[str, float]:
    """Counters of the running processes; a process that is to die counts from nothing when it comes back."""
    return {
        what: sum(
            [await scene.counted(service, metric) for service, metric in counters if service != survivors_of]
        )
        for what, counters in _COUNTERS.items()
    }
