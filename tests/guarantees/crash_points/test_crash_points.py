"""kill -9 at each point between two steps, with leads in flight; then the service starts again.

Each test is a row of `outcomes.py`; its id says what happens there.
"""

from __future__ import annotations

import asyncio

import pytest
from leadbus import checkpoint

from tests.guarantees import books
from tests.guarantees.books import Books
from tests.guarantees.crash_points.outcomes import CRASHES, Crash
from tests.guarantees.crash_points.scene import PATIENCE_SECONDS, Scene
from tests.guarantees.system import eventually

pytestmark = pytest.mark.timeout(600)

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
        if crash.service == "adf-mailer":
            await scene.expire_leases()
        await scene.start_again(crash.service)
        await crash.circumstance.mend(scene)

    await eventually("all delivered", scene.settled, within_seconds=PATIENCE_SECONDS)
    # Whatever still waited in outboxes and queues goes before this one.
    await scene.send(by_http=1, by_queue=0)
    await eventually("the lead after it delivered", scene.settled, within_seconds=PATIENCE_SECONDS)
    await _check(scene, crash, before)
    await crash.circumstance.check(scene)
    balance = await books.imbalances(scene.surface, opened, unsure={crash.service})
    assert balance is True, f"metrics and tables differ (counted, rows): {balance}"


async def _check(scene: Scene, crash: Crash, before: dict[str, float]) -> None:
    after = await _counted(scene)
    mails = scene.mails()
    lead_of = {provider_id: {lead for lead, _ in sent} for provider_id, sent in mails.items()}
    assert mails.keys() == set(scene.leads), "every accepted lead has a mail, and nothing else has"
    assert all(len(leads) == 1 for leads in lead_of.values()), "one lead for each accepted message"
    assert all(len({message_id for _, message_id in sent}) == 1 for sent in mails.values()), (
        "a repeated mail keeps its Message-ID"
    )
    ours = {lead for leads in lead_of.values() for lead in leads}
    deliveries = [
        one for one in scene.surface.every("adf-mailer", "/v1/deliveries") if one["subject_id"] in ours
    ]
    assert sorted(one["subject_id"] for one in deliveries) == sorted(ours), "one delivery for each lead"
    assert {one["phase"] for one in deliveries} == {"delivered"}
    doubted = {one["subject_id"] for one in deliveries if one["ambiguous"]}
    sent_twice = {sent[0][0] for sent in mails.values() if len(sent) > 1}
    assert sent_twice <= doubted, "what came twice is marked as possibly sent twice"

    seen = {
        "unanswered": scene.unanswered,
        "recognised": after["recognised"] - before["recognised"],
        "repeats": after["repeats"] - before["repeats"],
        "doubted": len(doubted),
        "second_mails": len(sent_twice),
    }
    wrong = {
        what: f"{count:g}, expected {getattr(crash, what).value}"
        for what, count in seen.items()
        if not getattr(crash, what).allows(count)
    }
    assert wrong == {}


async def _counted(scene: Scene, *, survivors_of: str = "") -> dict[str, float]:
    """Counters of the running processes; a process that is to die counts from nothing when it comes back."""
    return {
        what: sum(
            [await scene.counted(service, metric) for service, metric in counters if service != survivors_of]
        )
        for what, counters in _COUNTERS.items()
    }
