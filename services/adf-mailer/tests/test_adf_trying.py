"""TR1–TR24: previews and test leads; rows of `rules/trying.md`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from adf_mailer.domain.example_lead import fictional_number
from leadbus import metrics
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadErased
from leadbus_devstack.smtp import SmtpServer

Leads = Callable[..., Lead]

DATE = re.compile(rb"(?m)^Date: [^\r]*\r$")
JSON = {"Accept": "application/json"}
SPEC = {"dealer": "prairie-motors", "address": "leads@prairie.dealercrm.example"}
FIGURES = (
    "leadbus_delivery_attempts_total",
    "leadbus_lead_end_to_end_seconds_count",
    "leadbus_smtp_responses_total",
    "leadbus_adf_mails_total",
    "leadbus_adf_warnings_total",
)


def figures() -> dict[str, float]:
    samples = [each for metric in metrics.REGISTRY.collect() for each in metric.samples]
    return {name: sum(each.value for each in samples if each.name == name) for name in FIGURES}


async def told(mailer: Any, lead: Lead) -> Lead:
    await mailer.take(mailer.event("received", lead))
    return lead


async def preview(mailer: Any, lead_id: object, route: str = "main", **asked: Any) -> Any:
    headers = asked.pop("headers", mailer.token("operator"))
    return await mailer.http.get(
        f"/v1/leads/{lead_id}/preview", params={"route": route, **asked}, headers=headers
    )


async def described(mailer: Any, lead_id: object, route: str = "main", **asked: Any) -> Any:
    answer = await preview(mailer, lead_id, route, headers={**mailer.token("operator"), **JSON}, **asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def erase(mailer: Any, lead: Lead) -> None:
    erased = LeadErased(lead_ids=(lead.lead_id,), raw_ids=(), erased_at=mailer.clock.now())
    await mailer.take(mailer.message("lead.erased.v1", erased.to_json()))


async def rows_of_everything(mailer: Any) -> list[dict[str, Any]]:
    tables = ("lead", "mail", "delivery", "attempt", "outbox", "setting", "destination")
    found: list[dict[str, Any]] = await mailer.rows(
        " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) FROM {name}" for name in tables)
        + " ORDER BY name"
    )
    return found


@pytest.mark.parametrize("kind", ["chat", "click_for_call_back", "text_to_chat", "tracked_call"])
async def test_tr1_what_is_shown_is_what_is_sent(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads, kind: str
) -> None:
    """Shown on a route that is set up afterwards, by which the lead is then sent."""
    lead = await told(mailer, golden_lead(kind))
    spec = {**SPEC, "provider_name": "Our site", "time_zone": "Europe/Berlin"}
    shown = await mailer.http.post(
        "/v1/preview",
        json={"lead_id": str(lead.lead_id), "name": "main", "spec": spec},
        headers=mailer.token("operator"),
    )
    mailer.clock.advance(60)
    await mailer.route(**spec)
    stored = await preview(mailer, lead.lead_id)
    mailer.clock.advance(60)
    (skipped,) = await mailer.deliveries()
    await mailer.http.post(f"/v1/deliveries/{skipped['id']}/redrive", headers=mailer.token("operator"))
    await mailer.work()
    (mail,) = smtp.messages()

    for answer in (shown, stored):
        assert answer.headers["content-type"] == "message/rfc822"
        assert answer.headers["cache-control"] == "no-store"
        assert DATE.sub(b"", answer.content) == DATE.sub(b"", mail.content)
        assert answer.content != mail.content


async def test_tr2_nothing_is_stored_or_sent_but_who_asked(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route()
    lead = await told(mailer, golden_lead())
    before, counted = await rows_of_everything(mailer), figures()
    await preview(mailer, lead.lead_id)
    assert await rows_of_everything(mailer) == before
    assert figures() == counted
    assert smtp.messages() == []
    (act,) = await mailer.rows("SELECT * FROM audit WHERE action = 'lead.previewed'")
    assert (act["actor"], act["object"]) == ("test-operator", f"lead/{lead.lead_id}")


async def test_tr3_what_is_known_of_it_for_who_wants_json(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    lead = await told(mailer, golden_lead(customer={}))
    told_of = await described(mailer, lead.lead_id)
    content = base64.b64decode(told_of.pop("content_base64"))
    assert told_of.pop("message_id").encode() in content
    assert told_of == {
        "lead_id": str(lead.lead_id),
        "revision": 1,
        "test": False,
        "route": "main",
        "decisions": [
            {"action": "deliver", "status": "resend", "recipient": SPEC["address"], "reason": None}
        ],
        "status": "resend",
        "sender": "leads@leadbus.example",
        "recipient": {"address": SPEC["address"], "role": "lead"},
        "recipients": [{"address": SPEC["address"], "role": "lead"}],
        "warnings": [
            {"code": "name_missing", "field": "customer/contact/name"},
            {"code": "contact_missing", "field": "customer/contact"},
        ],
        "problems": [],
        "notices": [],
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


@pytest.mark.parametrize(
    ("spec", "changes", "decision"),
    [
        pytest.param({}, {}, ("deliver", "new", SPEC["address"], None), id="TR4"),
        pytest.param({"enabled": False}, {}, ("skip", None, None, "route_disabled"), id="TR5"),
        pytest.param({"dealer": "other"}, {}, ("skip", None, None, "no_route"), id="TR6"),
        pytest.param({}, {"test": True}, ("skip", None, None, "test_lead"), id="TR7"),
        pytest.param({}, {"consent": {"basis": "withdrawn"}}, ("skip", None, None, "consent"), id="TR8"),
        pytest.param(
            {}, {"channel": "visit", "consent": {"basis": "none"}}, ("skip", None, None, "consent"), id="TR9"
        ),
    ],
)
async def test_what_would_be_decided(
    mailer: Any, golden_lead: Leads, spec: Any, changes: Any, decision: Any
) -> None:
    """The mail is shown either way."""
    lead = await told(mailer, golden_lead(**changes))
    await mailer.route(**spec)
    shown = await described(mailer, lead.lead_id)
    assert [tuple(one.values()) for one in shown["decisions"]] == [decision]
    assert (shown["status"], shown["size_bytes"] > 1000) == ("new", True)


async def test_tr10_a_repeat_is_shown_where_the_route_would_not_send_one(
    mailer: Any, golden_lead: Leads
) -> None:
    await mailer.route(updates="ignore")
    lead = await told(mailer, golden_lead())
    shown = await described(mailer, lead.lead_id)
    assert shown["decisions"] == [
        {"action": "skip", "status": None, "recipient": None, "reason": "updates_ignored"}
    ]
    assert shown["status"] == "resend"
    asked = await preview(mailer, lead.lead_id, status="new")
    assert b'<prospect status="new">' in asked.content
    assert b'<prospect status="resend">' in (await preview(mailer, lead.lead_id, status="resend")).content


async def test_tr11_unknown_and_erased(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    lead = await told(mailer, golden_lead())
    unknown = await preview(mailer, uuid4())
    assert (unknown.status_code, "no such lead" in unknown.text) == (404, True)
    no_route = await preview(mailer, lead.lead_id, "nowhere")
    assert (no_route.status_code, "no such route" in no_route.text) == (404, True)
    await erase(mailer, lead)
    gone = await preview(mailer, lead.lead_id)
    assert (gone.status_code, gone.json()["type"].rpartition("/")[2]) == (410, "lead-erased")
    assert await mailer.rows("SELECT FROM audit WHERE action = 'lead.previewed'") == []


async def test_tr12_for_operators_and_their_dealers(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    await mailer.route("theirs", dealer="other", address="x@other.example")
    lead = await told(mailer, golden_lead())
    statuses = [
        (await preview(mailer, lead.lead_id, route, headers=headers)).status_code
        for route, headers in (
            ("main", {}),
            ("main", mailer.token("viewer")),
            ("main", mailer.token("operator", ["prairie-motors"])),
            ("main", mailer.token("operator", ["other"])),
            ("theirs", mailer.token("operator", ["prairie-motors"])),
        )
    ]
    assert statuses == [401, 403, 200, 404, 404]
    trial = {"lead_id": str(lead.lead_id), "spec": {**SPEC, "dealer": "other"}}
    for dealers in (["prairie-motors"], ["other"]):
        answer = await mailer.http.post("/v1/preview", json=trial, headers=mailer.token("operator", dealers))
        assert answer.status_code == 404
    await erase(mailer, lead)
    hidden = await preview(mailer, lead.lead_id, headers=mailer.token("operator", ["other"]))
    assert hidden.status_code == 404


async def test_tr13_a_document_is_read_as_if_it_were_put(mailer: Any, golden_lead: Leads) -> None:
    lead = await told(mailer, golden_lead())

    async def tried(**spec: Any) -> Any:
        body = {"lead_id": str(lead.lead_id), "spec": {**SPEC, **spec}}
        return await mailer.http.post("/v1/preview", json=body, headers={**mailer.token("operator"), **JSON})

    refused = await tried(subject="{shoe_size}", adress="x")
    assert refused.status_code == 422
    assert {one["pointer"] for one in refused.json()["errors"]} == {"/spec/subject", "/spec/adress"}
    odd = (await tried(address="x@HigherGear.net")).json()
    assert [one["code"] for one in odd["notices"]] == ["address_repaired", "address_unlike_vendor"]
    assert odd["decisions"] == [
        {"action": "deliver", "status": "new", "recipient": "x@highergear.net", "reason": None}
    ]
    assert await mailer.rows("SELECT FROM setting") == []


async def test_tr14_before_the_first_lead_a_test_is_shown(mailer: Any) -> None:
    body = {"spec": {**SPEC, "send_test_leads": True}, "test": {"source_type": "Chat", "vehicle": "used"}}
    answer = await mailer.http.post("/v1/preview", json=body, headers={**mailer.token("operator"), **JSON})
    shown = answer.json()
    mail = base64.b64decode(shown["content_base64"])
    assert shown["test"] is True
    assert shown["decisions"][0]["action"] == "deliver"
    assert b"Subject: [TEST] prairie-motors" in mail
    assert b'<vehicle interest="buy" status="used">' in mail
    assert b"<service>Chat</service>" in mail
    assert await mailer.rows("SELECT FROM lead") == []


async def send_test(mailer: Any, name: str = "main", key: str | None = None, **options: Any) -> Any:
    headers = {**mailer.token("operator"), **({"Idempotency-Key": key} if key else {})}
    return await mailer.http.post(f"/v1/routes/{name}/test-lead", json=options, headers=headers)


async def test_tr15_a_test_lead_goes_the_whole_way_and_counts_nowhere(
    mailer: Any, smtp: SmtpServer, golden_lead: Leads
) -> None:
    await mailer.route(send_test_leads=True)
    await mailer.route("others", address="others@prairie.example", send_test_leads=True)
    await told(mailer, golden_lead())
    await mailer.work()
    before, real = figures(), len(smtp.messages())

    answer = await send_test(mailer)
    assert answer.status_code == 202
    await mailer.work()

    (mail,) = smtp.messages()[real:]
    head, _, body = mail.content.partition(b"\r\n\r\n")
    assert b"\r\nSubject: [TEST] Prairie Motors" in head
    assert b"\r\nX-Leadbus-Test: yes" in head
    for part in (b'<name part="full"', b"+12025550123", b"test.lead@example.com", b"please do not call"):
        assert part in body
    # As the dealer's latest lead, so that the CRM takes it the same way.
    assert b"<service>Chat</service>" in body
    (delivery_id,) = answer.json()["delivery_ids"]
    (delivery,) = await mailer.rows("SELECT * FROM delivery WHERE id = $1", UUID(delivery_id))
    assert (delivery["phase"], delivery["route"], delivery["test"]) == ("delivered", "main", True)
    assert delivery["subject_id"] == answer.json()["lead_id"]
    assert figures() == before
    (act,) = await mailer.rows("SELECT * FROM audit WHERE action = 'route.test_lead'")
    assert act["object"] == "AdfRoute/main"


async def test_tr16_what_is_told_of_it_says_that_it_is_a_test(mailer: Any) -> None:
    await mailer.route(send_test_leads=True)
    sent = (await send_test(mailer)).json()
    await mailer.work()
    (message,) = await mailer.rows("SELECT headers FROM outbox WHERE routing_key = 'delivery.succeeded.v1'")
    assert '"cloudEvents_test": "true"' in str(message["headers"]).replace("'", '"')
    (event,) = await mailer.events()
    assert event["subject_id"] == sent["lead_id"]


@pytest.mark.parametrize(
    ("spec", "reason", "said"),
    [
        pytest.param({}, "test_lead", "send_test_leads", id="TR17"),
        pytest.param({"send_test_leads": True, "enabled": False}, "route_disabled", "enabled", id="TR18"),
    ],
)
async def test_a_route_that_would_not_send_it(mailer: Any, spec: Any, reason: str, said: str) -> None:
    await mailer.route(**spec)
    answer = await send_test(mailer)
    assert answer.status_code == 409
    problem = answer.json()
    assert (problem["type"].rpartition("/")[2], problem["reason"]) == ("test-lead-refused", reason)
    assert said in problem["detail"]
    assert await mailer.rows("SELECT FROM lead UNION ALL SELECT FROM delivery") == []


@pytest.mark.parametrize(
    ("conditions", "intents", "told_of"),
    [
        pytest.param({"vehicle": ["used"]}, ["inquiry"], b"<odometer", id="TR25-used"),
        pytest.param({"intents": ["test_drive"]}, ["test_drive"], b'status="new"', id="TR25-intent"),
        pytest.param({"vehicle": ["service"]}, ["service"], b"Oil change.", id="TR25-service"),
        pytest.param(
            {"vehicle": ["service"], "intents": ["callback"]},
            ["callback", "service"],
            b"Oil change.",
            id="TR25-both",
        ),
    ],
)
async def test_a_test_is_what_the_route_is_for(
    mailer: Any, smtp: SmtpServer, conditions: Any, intents: list[str], told_of: bytes
) -> None:
    await mailer.route(send_test_leads=True, **conditions)
    assert (await send_test(mailer, key="a")).status_code == 202
    assert (await send_test(mailer, key="a")).status_code == 202
    await mailer.work()
    (mail,) = smtp.messages()
    assert told_of in mail.content
    (asked,) = await mailer.rows(
        "SELECT ARRAY(SELECT jsonb_array_elements_text(data -> 'intents')) AS intents FROM lead"
    )
    assert asked["intents"] == intents


async def test_tr17b_a_test_that_the_route_is_not_for(mailer: Any) -> None:
    await mailer.route(send_test_leads=True, vehicle=["used"])
    answer = await send_test(mailer, vehicle="new")
    assert (answer.status_code, answer.json()["reason"]) == (409, "no_matching_route")
    assert "`vehicle`" in answer.json()["detail"]


async def test_tr19_the_same_key_is_the_same_test(mailer: Any, smtp: SmtpServer) -> None:
    await mailer.route(send_test_leads=True)
    await mailer.route("others", address="others@prairie.example", send_test_leads=True, vehicle=["new"])
    first, second = await asyncio.gather(send_test(mailer, key="a"), send_test(mailer, key="a"))
    mailer.clock.advance(60)
    third = await send_test(mailer, key="a", vehicle="new")
    assert first.json() == second.json() == third.json()
    assert (await send_test(mailer, "others", key="a")).json() != first.json()
    assert (await send_test(mailer, key="b")).json() != first.json()
    assert (await send_test(mailer)).json() != (await send_test(mailer)).json()
    await mailer.work()
    assert len(smtp.messages()) == 5
    for other in ({"vehicle": "used"}, {"source_type": "Chat"}):
        assert (await send_test(mailer, key="a", **other)).status_code == 409


async def test_tr20_operators_and_their_dealers_send_tests(mailer: Any) -> None:
    await mailer.route(send_test_leads=True)
    tokens = (
        mailer.token("viewer"),
        mailer.token("operator", ["other"]),
        mailer.token("operator", ["prairie-motors"]),
    )
    statuses = [
        (await mailer.http.post("/v1/routes/main/test-lead", headers=token)).status_code for token in tokens
    ]
    assert statuses == [403, 404, 202]
    assert (await send_test(mailer, "nowhere")).status_code == 404


@pytest.mark.parametrize(
    ("vehicle", "told_of"),
    [
        pytest.param("new", b'status="new"', id="TR21"),
        pytest.param("used", b"<odometer", id="TR22"),
        pytest.param("service", b"Oil change.", id="TR23"),
    ],
)
async def test_what_it_is_about(mailer: Any, smtp: SmtpServer, vehicle: str, told_of: bytes) -> None:
    await mailer.route(send_test_leads=True)
    assert (await send_test(mailer, vehicle=vehicle, source_type="Web form")).status_code == 202
    await mailer.work()
    (mail,) = smtp.messages()
    assert told_of in mail.content
    assert b"<service>Web form</service>" in mail.content


@pytest.mark.parametrize(
    ("country", "number"),
    [(None, "+12025550123"), ("US", "+12025550123"), ("DE", "+493023125123"), ("GB", "+442079460123")],
)
def test_tr24_a_number_that_rings_nowhere(country: str | None, number: str) -> None:
    assert fictional_number(country) == number
