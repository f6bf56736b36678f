"""What operators see and do of VirtualExpo, and of what is kept unpublished."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from leadbus_devstack.sandboxes.virtualexpo_documents import lead

from tests.support.vendor import NEXT_SECONDS, Vendor

SETTING = "/v1/settings/VirtualExpoSubscription/aero"


@pytest.fixture
def settings_given() -> dict[str, Any]:
    return {"partners_over_http": True}


async def get(ingest: Any, path: str, role: str = "viewer") -> Any:
    answer = await ingest.http.get(path, headers=ingest.token(role))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_subscription_is_set_up_and_looked_at(ingest: Any, vendor: Vendor) -> None:
    answer = await ingest.http.put(SETTING, json={"spec": vendor.spec()}, headers=ingest.token("admin"))
    assert answer.status_code == 201, answer.text
    (standing,) = (await get(ingest, "/v1/virtualexpo/subscriptions"))["items"]
    assert standing["name"] == "aero"
    assert (standing["set_up"], standing["last_attempt_at"], standing["allowed_at"]) == (True, None, None)
    vendor.serve(lead("VX-1"))
    await vendor.fetch()
    standing = await get(ingest, "/v1/virtualexpo/subscriptions/aero")
    assert standing["last_success_at"] == standing["last_attempt_at"] is not None
    assert standing["due_at"] >= standing["allowed_at"]
    assert (standing["enabled"], standing["trial"]) == (True, False)
    assert (standing["last_outcome"], standing["last_code"]) == ("succeeded", "ok")
    await vendor.unsubscribe()
    (standing,) = (await get(ingest, "/v1/virtualexpo/subscriptions"))["items"]
    assert (standing["set_up"], standing["enabled"], standing["last_code"]) == (False, False, "ok")


async def test_selecting_visits_answers_with_the_vendors_advice(ingest: Any, vendor: Vendor) -> None:
    spec = vendor.spec(categories=["request", "visit"])
    answer = await ingest.http.put(SETTING, json={"spec": spec}, headers=ingest.token("admin"))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/spec/visits_confirmed", "confirmation_needed")
    assert "lead nurturing alone" in error["detail"]
    spec["visits_confirmed"] = True
    answer = await ingest.http.put(SETTING, json={"spec": spec}, headers=ingest.token("admin"))
    assert answer.status_code == 201


async def test_a_refused_setting_says_nothing_of_the_key(
    ingest: Any, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VX_TEST_KEY", "very\nsecret")
    spec = vendor.spec(key="env:VX_TEST_KEY")
    answer = await ingest.http.put(SETTING, json={"spec": spec}, headers=ingest.token("admin"))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "secret_unreadable"
    assert "secret\n" not in answer.text
    assert "very" not in answer.text


async def test_attempts_are_listed_and_filtered(ingest: Any, vendor: Vendor) -> None:
    await vendor.subscribe()
    vendor.sandbox.control(status=500, times=1)
    await vendor.fetch()
    vendor.serve(lead("VX-1"))
    await vendor.fetch(NEXT_SECONDS)
    listed = (await get(ingest, "/v1/virtualexpo/attempts"))["items"]
    assert [(one["outcome"], one["code"], one["leads"]) for one in listed] == [
        ("succeeded", "ok", 1),
        ("failed", "http_status", 0),
    ]
    failed = (await get(ingest, "/v1/virtualexpo/attempts?outcome=failed&subscription=aero"))["items"]
    assert [one["http_status"] for one in failed] == [500]
    one = await get(ingest, f"/v1/virtualexpo/attempts/{failed[0]['attempt_id']}")
    assert (one["faults"], one["report"]) == ([], None)


async def test_the_last_trial_is_read_as_a_report(ingest: Any, vendor: Vendor) -> None:
    vendor.serve(lead("VX-1"), lead("VX-2", category="visit", type_=None))
    await vendor.subscribe(trial=True)
    await vendor.fetch()
    told = await get(ingest, "/v1/virtualexpo/subscriptions/aero/trial")
    assert told["trial"] is True
    assert told["report"]["categories"] == {"request": 1, "visit": 1}
    assert told["report"]["not_selected"] == 1
    assert "Claire" not in str(told)


async def test_fetching_now_honours_the_two_hours(ingest: Any, vendor: Vendor) -> None:
    async def fetch_now(role: str = "operator") -> Any:
        path = "/v1/virtualexpo/subscriptions/aero/fetch"
        return await ingest.http.post(path, headers=ingest.token(role))

    assert (await fetch_now()).status_code == 404
    await vendor.subscribe(interval_seconds=86_400)
    assert (await fetch_now("viewer")).status_code == 403
    started = vendor.clock.now()
    await vendor.fetch()
    answer = await fetch_now()
    assert answer.status_code == 202
    assert answer.json()["due_at"] == (started + timedelta(seconds=7260)).isoformat().replace("+00:00", "Z")
    assert await vendor.fetch(7259) is None
    assert await vendor.fetch(1) is not None
    acts = await ingest.rows("SELECT actor, object FROM audit WHERE action = 'virtualexpo.fetch'")
    assert [(act["actor"], act["object"]) for act in acts] == [
        ("test-operator", "VirtualExpoSubscription/aero")
    ]
    await vendor.subscribe(enabled=False)
    assert (await fetch_now()).json()["type"].endswith("/subscription-switched-off")


async def test_a_document_that_could_not_be_read_is_there_for_operators(ingest: Any, vendor: Vendor) -> None:
    vendor.sandbox.control(answer="html")
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None
    path = f"/v1/quarantine/{result.quarantine_id}"
    (listed,) = (await get(ingest, "/v1/quarantine?source=virtualexpo&reason=undecodable"))["items"]
    assert await get(ingest, path) == listed
    assert (listed["account"], listed["content_type"]) == ("aero", "text/html; charset=utf-8")
    assert "html_answer" in listed["detail"]
    body = await ingest.http.get(f"{path}/body", headers=ingest.token("operator"))
    assert b"Back soon" in body.content
    assert (await ingest.http.get(f"{path}/body", headers=ingest.token("viewer"))).status_code == 403
    acts = await ingest.rows("SELECT object FROM audit WHERE action = 'quarantine.reveal'")
    assert [act["object"] for act in acts] == [f"quarantine/{result.quarantine_id}"]


async def test_what_is_kept_can_be_discarded_and_is_kept_again(ingest: Any, vendor: Vendor) -> None:
    vendor.sandbox.control(answer="html")
    await vendor.subscribe()
    result = await vendor.fetch()
    assert result is not None

    async def discard(role: str = "operator") -> int:
        path = f"/v1/quarantine/{result.quarantine_id}/discard"
        reason = {"reason": "their page of maintenance"}
        return int((await ingest.http.post(path, json=reason, headers=ingest.token(role))).status_code)

    assert await discard("viewer") == 403
    assert await discard() == 204
    assert await discard() == 404
    acts = await ingest.rows("SELECT detail ->> 'reason' AS why FROM audit WHERE action LIKE '%discard'")
    assert [act["why"] for act in acts] == ["their page of maintenance"]
    await vendor.fetch(NEXT_SECONDS)
    (kept,) = (await get(ingest, "/v1/quarantine"))["items"]
    assert kept["raw_id"] == str(result.quarantine_id)
    told = await ingest.rows(
        "SELECT routing_key, headers ->> 'cloudEvents_id' AS id FROM outbox WHERE exchange = 'leadbus.events'"
    )
    events = ["raw.quarantined.v1", "raw.released.v1", "raw.quarantined.v1"]
    assert [event["routing_key"] for event in told] == events
    assert len({event["id"] for event in told}) == 3


@pytest.mark.parametrize(
    "path",
    [
        "/v1/virtualexpo/subscriptions/nobody",
        "/v1/virtualexpo/subscriptions/nobody/trial",
        "/v1/virtualexpo/attempts/6f3c2f1e-9d0a-4c53-8a44-0d6a2f0f0001",
        "/v1/quarantine/6f3c2f1e-9d0a-4c53-8a44-0d6a2f0f0001",
        "/v1/quarantine/6f3c2f1e-9d0a-4c53-8a44-0d6a2f0f0001/body",
    ],
)
async def test_what_is_not_there_is_not_found(ingest: Any, path: str) -> None:
    answer = await ingest.http.get(path, headers=ingest.token("operator"))
    assert answer.status_code == 404
