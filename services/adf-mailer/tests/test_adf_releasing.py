"""RT100–RT119: leads that no route took get their mails when one appears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from adf_mailer.consumers import LeadsConsumer
from adf_mailer.releasing import ACTOR, Releasing
from adf_mailer.store import unrouted
from leadbus import checkpoint, metrics
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadErased
from leadbus.db import Database
from leadbus_devstack.smtp import SmtpServer

Leads = Callable[..., Lead]

DAY = 86_400
USED = [{"status": "used", "wanted": True, "model": "Civic"}]


class DiedError(Exception):
    """What ends a replica before its commit."""


def releasing(mailer: Any, *, window_seconds: float = 3 * DAY, **more: Any) -> Releasing:
    return Releasing(
        more.pop("database", mailer.database),
        mailer.leads.planner,
        mailer.clock,
        mailer.engine.wake,
        window_seconds=window_seconds,
        **more,
    )


def counted(name: str, reason: str) -> float:
    return float(metrics.REGISTRY.get_sample_value(name, {"reason": reason}) or 0)


async def stories(mailer: Any) -> list[tuple[str, str, str | None]]:
    return [(row["route"], row["phase"], row["reason"]) for row in await mailer.deliveries()]


async def skipped_no_route(mailer: Any, lead: Lead) -> UUID:
    await mailer.take(mailer.event("received", lead))
    (delivery,) = await mailer.deliveries()
    assert delivery["phase"] == "skipped"
    found: UUID = delivery["id"]
    return found


async def test_rt100_a_route_appears(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    before = (
        counted("leadbus_adf_unrouted_total", "no_route"),
        counted("leadbus_adf_released_total", "no_route"),
    )
    old = await skipped_no_route(mailer, golden_lead())
    assert await releasing(mailer).release() == 0
    await mailer.route(notify=["people@x.example"])
    mailer.clock.advance(5)
    assert await releasing(mailer).release() == 1
    await mailer.work()

    assert sorted(mail.rcpt_to[0] for mail in smtp.messages()) == [
        "leads@prairie.dealercrm.example",
        "people@x.example",
    ]
    assert await stories(mailer) == [
        ("", "skipped", "no_route"),
        ("main", "delivered", None),
        ("main", "delivered", None),
    ]
    story = (await mailer.http.get(f"/v1/deliveries/{old}", headers=mailer.token("viewer"))).json()
    assert story["details"]["released_at"] == mailer.clock.now().isoformat()
    assert [event["type"] for event in await mailer.events()] == [
        "delivery.skipped.v1",
        *["delivery.succeeded.v1"] * 2,
    ]
    after = (
        counted("leadbus_adf_unrouted_total", "no_route"),
        counted("leadbus_adf_released_total", "no_route"),
    )
    assert after == (before[0] + 1, before[1] + 1)


async def test_rt101_once_only(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    await skipped_no_route(mailer, golden_lead())
    await mailer.route()
    assert [await releasing(mailer).release() for _ in range(3)] == [1, 0, 0]
    mailer.clock.advance(DAY)
    await mailer.route(subject="changed")
    assert await releasing(mailer).release() == 0
    await mailer.work()
    assert len(smtp.messages()) == 1


async def test_rt102_a_route_that_matches_appears_later(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route("new", vehicle=["new"])
    old = await skipped_no_route(mailer, golden_lead(vehicles=USED))
    assert await stories(mailer) == [("", "skipped", "no_matching_route")]
    assert await releasing(mailer).release() == 0
    story = (await mailer.http.get(f"/v1/deliveries/{old}", headers=mailer.token("viewer"))).json()
    assert story["details"]["routes_looked_at"]
    assert story["details"]["released_at"] is None
    mailer.clock.advance(unrouted.RACE.total_seconds())
    assert await releasing(mailer).release() == 0
    since = mailer.clock.now() - timedelta(days=3)
    async with mailer.database.acquire() as conn:
        assert await unrouted.due(conn, after_seq=0, since=since, limit=9) == [], "looked at once and for all"
    await mailer.route("used", vehicle=["used"], address="used@x.example")
    assert await releasing(mailer).release() == 1
    await mailer.work()
    assert [mail.rcpt_to for mail in smtp.messages()] == [["used@x.example"]]


async def test_rt103_a_route_that_is_switched_on_sends_what_it_skipped(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(enabled=False, copies=["copy@x.example"])
    old = await skipped_no_route(mailer, golden_lead())
    await mailer.route(copies=["copy@x.example"])
    assert await releasing(mailer).release() == 1
    await mailer.work()

    assert len(smtp.messages()) == 2
    assert await stories(mailer) == [("main", "delivered", None)] * 2
    story = (await mailer.http.get(f"/v1/deliveries/{old}", headers=mailer.token("viewer"))).json()
    assert [(act["actor"], act["action"]) for act in story["acts"]] == [(ACTOR, "delivery.redrive")]


async def test_rt104_another_route_takes_what_one_that_is_off_skipped(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(enabled=False)
    await skipped_no_route(mailer, golden_lead())
    await mailer.route("other", address="other@x.example")
    assert await releasing(mailer).release() == 1
    await mailer.work()
    assert [mail.rcpt_to for mail in smtp.messages()] == [["other@x.example"]]
    assert await stories(mailer) == [("main", "skipped", "route_disabled"), ("other", "delivered", None)]


async def test_rt105_switched_off_before_the_act_and_on_again_and_again(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    for _ in range(2):
        await mailer.route(enabled=False)
        await mailer.work()
        assert await stories(mailer) == [("main", "skipped", "route_disabled")]
        mailer.clock.advance(600)
        await mailer.route()
        assert await releasing(mailer).release() == 1
        mailer.clock.advance(5)
    await mailer.work()

    (mail,) = smtp.messages()
    (stored,) = await mailer.rows("SELECT raw FROM mail")
    assert mail.content == stored["raw"]
    assert await stories(mailer) == [("main", "delivered", None)]


@pytest.mark.parametrize(
    ("later", "released"),
    [
        pytest.param({"consent": {"basis": "withdrawn"}}, 0, id="RT106-consent-withdrawn"),
        pytest.param({"channel": "visit", "consent": {"basis": "none"}}, 0, id="RT107-a-visit"),
        pytest.param({"test": True}, 0, id="RT108-a-test"),
        pytest.param({"message": "more words"}, 1, id="RT109-an-update-meanwhile"),
    ],
)
async def test_what_is_known_now_decides(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, later: dict[str, Any], released: int
) -> None:
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.take(mailer.event("updated", golden_lead(revision=2, **later)))
    await mailer.route()
    assert await releasing(mailer).release() == released
    await mailer.work()

    assert [mail.message["X-Leadbus-Revision"] for mail in smtp.messages()] == ["2"] * released
    assert [status for _, status, _ in await stories(mailer)][:2] == ["skipped"] * 2


async def test_rt110_an_erased_lead_stays(mailer: Any, smtp: SmtpServer, golden_lead: Leads) -> None:
    lead = golden_lead()
    await skipped_no_route(mailer, lead)
    gone = {"lead_ids": [lead.lead_id], "erased_at": "2026-04-15T16:00:00Z"}
    await mailer.take(mailer.message("lead.erased.v1", LeadErased.model_validate(gone).to_json()))
    await mailer.route()
    assert await releasing(mailer).release() == 0
    await mailer.work()
    assert smtp.messages() == []


@pytest.mark.parametrize(("waited", "released"), [(3 * DAY - 60, 1), (3 * DAY, 0)])
async def test_rt111_a_lead_older_than_the_window_waits_for_an_operator(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, waited: float, released: int
) -> None:
    old = await skipped_no_route(mailer, golden_lead())
    mailer.clock.advance(waited)
    await mailer.route()
    assert await releasing(mailer).release() == released
    await mailer.http.post(f"/v1/deliveries/{old}/redrive", headers=mailer.token("operator"))
    await mailer.work()
    assert {mail.rcpt_to[0] for mail in smtp.messages()} == {"leads@prairie.dealercrm.example"}


async def test_rt112_an_update_that_came_first_leaves_nothing_to_release(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await skipped_no_route(mailer, golden_lead())
    await mailer.route()
    await mailer.take(mailer.event("updated", golden_lead(revision=2, vehicles=USED)))
    assert await releasing(mailer).release() == 0
    await mailer.work()
    assert len(smtp.messages()) == 1


async def test_rt113_many_replicas_do_it_once_in_bounded_batches(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, mailer_database_url: str
) -> None:
    leads = [golden_lead(lead_id=str(uuid4())) for _ in range(25)]
    await mailer.take(*(mailer.event("received", lead) for lead in leads))
    await mailer.take(*(mailer.event("updated", lead.model_copy(update={"revision": 2})) for lead in leads))
    await mailer.route()
    other = Database(mailer_database_url)
    await other.open()
    replicas = [releasing(mailer, database=each, batch_size=4) for each in (mailer.database, other) * 2]
    released = 0
    while done := await asyncio.gather(*(each.release() for each in replicas)):
        released += sum(done)
        if not any(done):
            break
    await other.close()
    await mailer.work()

    assert released == len(leads)
    assert len(smtp.messages()) == len(leads)
    assert len({mail.message["X-Leadbus-Lead"] for mail in smtp.messages()}) == len(leads)
    skipped = await mailer.rows("SELECT released_at FROM unrouted")
    assert len(skipped) == 2 * len(leads)


async def test_rt114_whoever_dies_before_the_commit_leaves_it_to_the_next(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await skipped_no_route(mailer, golden_lead())
    await mailer.route()

    def die(point: str) -> None:
        if point == "mailer.released":
            raise DiedError

    checkpoint.observe(die)
    try:
        with pytest.raises(DiedError):
            await releasing(mailer).release()
    finally:
        checkpoint.observe(None)
    assert await mailer.rows("SELECT FROM unrouted") == []
    assert await releasing(mailer).release() == 1
    await mailer.work()
    assert len(smtp.messages()) == 1


async def test_rt115_a_lead_that_was_decided_while_the_route_was_put(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    """Its decider saw no route, and commits after the change was looked at."""
    consumer: LeadsConsumer = mailer.leads
    async with mailer.database.transaction() as conn:
        await consumer.take(conn, [consumer.read(mailer.event("received", golden_lead()))])
        await mailer.route()
        async with mailer.database.acquire() as other:
            await other.execute("UPDATE setting SET updated_at = updated_at - interval '2 s'")
        assert await releasing(mailer).release() == 0
    assert await releasing(mailer).release() == 1
    await mailer.work()
    assert len(smtp.messages()) == 1


async def test_rt116_a_lead_in_other_hands_is_left_and_found_again(mailer: Any, golden_lead: Leads) -> None:
    await skipped_no_route(mailer, golden_lead())
    await mailer.route()
    async with mailer.database.transaction() as conn:
        await conn.execute("SELECT FROM lead FOR UPDATE")
        assert await releasing(mailer).release() == 0
    assert await releasing(mailer).release() == 1


async def test_rt117_without_a_window_nothing_is_looked_for(mailer: Any, golden_lead: Leads) -> None:
    await skipped_no_route(mailer, golden_lead())
    await mailer.route()
    off = asyncio.create_task(releasing(mailer, window_seconds=0, poll_seconds=0).run())
    on = releasing(mailer, poll_seconds=0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert await mailer.rows("SELECT FROM unrouted") == []
    running = asyncio.create_task(on.run())
    async with asyncio.timeout(20):
        while not await mailer.rows("SELECT FROM unrouted"):  # noqa: ASYNC110 -- a table has no event
            await asyncio.sleep(0.01)
    for task in (off, running):
        task.cancel()
    await asyncio.gather(off, running, return_exceptions=True)


async def test_rt118_tests_are_released_and_counted_nowhere(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    names = ("leadbus_adf_unrouted_total", "leadbus_adf_released_total")
    before = [counted(name, "no_route") for name in names]
    await skipped_no_route(mailer, golden_lead(test=True))
    await mailer.route(send_test_leads=True)
    assert await releasing(mailer).release() == 1
    await mailer.work()
    assert len(smtp.messages()) == 1
    assert [counted(name, "no_route") for name in names] == before


async def test_rt119_they_are_found_without_reading_all_deliveries(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    async with mailer.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO delivery (id, key, subject_id, destination, route, dealer, phase, planned_at,"
            " not_before, finished_at, outcome, reason)"
            " SELECT gen_random_uuid(), n, gen_random_uuid(), 'h', '', 'd' || n % 500, 'skipped', now(),"
            " now(), now(), 'skipped', CASE WHEN n % 2 = 0 THEN 'no_route' ELSE 'consent' END"
            " FROM generate_series(1, 5000) AS n"
        )
        await conn.execute("ANALYZE delivery")
        plan = await conn.fetch(
            f"EXPLAIN {unrouted._NEXT}", mailer.clock.now().replace(year=2020), unrouted.RACE, 0, 50
        )
    assert any("delivery_unrouted" in row[0] for row in plan), plan
