"""C70–C74: leads of tests go where a route asks for them, are seen to be tests, and count in no figure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from leadbus import metrics
from leadbus.contracts import Lead
from leadbus.delivery import measures
from leadbus_devstack.smtp import SmtpServer

Leads = Callable[..., Lead]

FIGURES = (
    "leadbus_delivery_attempts_total",
    "leadbus_delivery_attempt_duration_seconds_count",
    "leadbus_lead_end_to_end_seconds_count",
    "leadbus_smtp_responses_total",
    "leadbus_adf_mails_total",
)


def figures() -> dict[str, float]:
    samples = [each for metric in metrics.REGISTRY.collect() for each in metric.samples]
    return {name: sum(each.value for each in samples if each.name == name) for name in FIGURES}


async def test_c70_a_route_for_tests_gets_a_mail_that_says_so(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(send_test_leads=True)
    before = figures()
    await mailer.take(mailer.event("received", golden_lead(test=True)))
    await mailer.work()

    (mail,) = smtp.messages()
    head, _, body = mail.content.partition(b"\r\n\r\n")
    assert b"\r\nSubject: [TEST] " in head
    assert head.endswith(b"\r\nX-Leadbus-Test: yes")
    assert b"Test lead: yes" in body
    assert figures() == before


async def test_c71_its_delivery_is_marked_in_lists_and_events(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route(send_test_leads=True)
    await mailer.take(mailer.event("received", golden_lead(test=True)))
    await mailer.work()
    (row,) = await mailer.rows("SELECT headers FROM outbox")
    assert json.loads(row["headers"])["cloudEvents_test"] == "true"
    for asked, found in (("true", [True]), ("false", [])):
        answer = await mailer.http.get(f"/v1/deliveries?test={asked}", headers=mailer.token("viewer"))
        assert [each["test"] for each in answer.json()["items"]] == found


async def test_c72_one_that_was_skipped_stays_so_when_redriven(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead(test=True)))
    (delivery,) = await mailer.deliveries()
    answer = await mailer.http.post(
        f"/v1/deliveries/{delivery['id']}/redrive", headers=mailer.token("operator")
    )
    assert answer.status_code == 202
    await mailer.work()
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["reason"]) == ("skipped", "test_lead")
    assert smtp.messages() == []


async def test_c73_a_route_that_stops_taking_tests_gets_none_that_was_planned(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(send_test_leads=True)
    await mailer.take(mailer.event("received", golden_lead(test=True)))
    await mailer.route(send_test_leads=False)
    await mailer.work()
    (delivery,) = await mailer.deliveries()
    assert (delivery["phase"], delivery["reason"], smtp.messages()) == ("skipped", "test_lead", [])


async def test_c74_a_test_that_waits_is_no_undelivered_lead(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route(send_test_leads=True)
    await mailer.take(mailer.event("received", golden_lead(test=True)))
    async with mailer.database.acquire() as conn:
        await measures.gather(conn, "adf-mailer", now=mailer.clock.now())
    pending = {"sink": "adf-mailer", "state": "pending"}
    assert metrics.REGISTRY.get_sample_value("leadbus_undelivered_leads", pending) == 0
    oldest = metrics.REGISTRY.get_sample_value(
        "leadbus_oldest_undelivered_lead_timestamp_seconds", {"sink": "adf-mailer"}
    )
    assert oldest == 0
