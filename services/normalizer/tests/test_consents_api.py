"""Consent over HTTP: noted by operators, asked for, and permitted by a link."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from normalizer import api
from normalizer.consenting import Consenting
from normalizer.consumers import RawConsumer
from normalizer.domain.opt_in import OptInLinks
from normalizer.domain.terms import Terms
from normalizer.normalizing import Normalizing
from normalizer.receiving import Limits
from pydantic import SecretStr

KEY = SecretStr("a-key-of-tests-that-has-32-bytes-or-more")
TERMS = Terms(b"the key of these tests, 32 bytes and more")
LINKS = OptInLinks(b"a key for links of tests, 32 bytes and more")
ANN, PHONE = "ann@example.org", "+13125550191"
PUBLIC = "https://leads.example.com"


def bearer(role: str = "operator", dealers: list[str] | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(KEY, f'a-{role}', role, dealers)}"}


class Desk:
    """The API, the task behind it, and the public without a token."""

    def __init__(self, workshop: Any, links: OptInLinks | None = LINKS, url: str | None = PUBLIC) -> None:
        self.workshop = workshop
        self.consenting = Consenting(workshop.database, workshop.clock, [TERMS])
        app = create_app(
            "normalizer",
            "normalizer",
            "0",
            [
                api.router(workshop.database, workshop.quarantining, TERMS),
                api.consent_router(workshop.database, self.consenting, workshop.clock, links, url),
            ],
            verifier=TokenVerifier(StaticKey(KEY)),
        )
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://n")

    async def post(self, path: str, status: int = 200, /, token: Any = None, **body: Any) -> Any:
        answer = await self.http.post(path, json=body, headers=token or bearer())
        assert answer.status_code == status, answer.text
        return answer.json()

    async def act(self, action: str, status: int = 200, /, token: Any = None, **body: Any) -> Any:
        return await self.post("/v1/consents", status, token, action=action, **body)

    async def link(self, lead_id: Any, status: int = 200, /, **body: Any) -> Any:
        return await self.post(f"/v1/leads/{lead_id}/opt-in", status, **body)

    async def public(self, method: str, path: str) -> httpx2.Response:
        """Without a token, as a browser or a scanner of mails."""
        return await self.http.request(method, path)

    async def apply(self) -> None:
        while await self.consenting.apply():
            pass

    async def audited(self) -> list[dict[str, Any]]:
        return await self.workshop.fetch(  # type: ignore[no-any-return]
            "SELECT actor, action, object, detail::text FROM audit WHERE action LIKE 'consent.%' ORDER BY id"
        )


@pytest.fixture
async def desk(workshop: Any) -> AsyncIterator[Desk]:
    normalizing = Normalizing(Limits(body_bytes=4_194_304), TERMS)
    workshop.raw = RawConsumer(workshop.database, normalizing, workshop.clock, bare_window_seconds=600)
    await workshop.map_dealer(name="prairie-motors", locale="en-US")
    made = Desk(workshop)
    yield made
    await made.http.aclose()


@pytest.fixture
async def lead_id(desk: Desk, payload: Any, message: Any) -> str:
    customer = {"name": "Ann Example", "email": ANN, "phone": PHONE}
    await desk.workshop.raw.handle([message(payload(customer=customer))])
    (lead_id,) = await desk.workshop.leads()
    return str(lead_id)


async def consent(desk: Desk) -> Any:
    return (await desk.workshop.lead()).consent


@pytest.mark.parametrize(
    "whom", [{"email": "Ann@Example.org"}, {"phone": "(312) 555-0191", "country": "US"}, {}]
)
async def test_a_withdrawal_by_address_number_or_lead(desk: Desk, lead_id: str, whom: Any) -> None:
    said = await desk.act("withdraw", **(whom or {"lead_id": lead_id}), evidence="ticket 4711")
    assert said["new"]
    assert {one["state"] for one in said["standings"]} == {"withdrawn"}
    await desk.apply()
    assert (await consent(desk)).basis == "withdrawn"
    (audited,) = await desk.audited()
    assert (audited["actor"], audited["action"]) == ("a-operator", "consent.withdraw")
    for secret in ("ann@", "5550191", "4711"):
        assert secret not in json.dumps(audited).lower()


async def test_a_grant_after_a_withdrawal_is_kept_and_lifts_nothing(desk: Desk, lead_id: str) -> None:
    await desk.act("withdraw", email=ANN)
    said = await desk.act("grant", email=ANN, purposes=["sales"], words="Do call me")
    assert ("*", "withdrawn") in {(one["purpose"], one["state"]) for one in said["standings"]}
    await desk.apply()
    assert (await consent(desk)).basis == "withdrawn"


async def test_the_same_request_twice_is_one_act(desk: Desk, lead_id: str) -> None:
    body = {"email": ANN, "purposes": ["sales"], "at": "2026-01-02T03:04:05Z"}
    first, again = await desk.act("grant", **body), await desk.act("grant", **body)
    assert (first["new"], again["new"]) == (True, False)
    assert first["act_id"] == again["act_id"]


async def test_where_a_person_stands_and_why(desk: Desk, lead_id: str) -> None:
    await desk.act("grant", lead_id=lead_id, purposes=["sales", "nurture"], words="Yes", evidence="a letter")
    await desk.apply()
    story = await desk.post("/v1/consents/find", email=ANN)
    assert {(one["purpose"], one["state"], one["words"]) for one in story["standings"]} == {
        ("sales", "granted", "Yes"),
        ("nurture", "granted", "Yes"),
    }
    (act,) = story["acts"]
    assert (act["told_by"], act["actor"], act["evidence"], act["lead_id"]) == (
        "operator",
        "a-operator",
        "a letter",
        lead_id,
    )
    assert act["applied_at"] is not None
    assert {one["contact"] for one in (await desk.post("/v1/consents/find", lead_id=lead_id))["acts"]} == {
        "mailto",
        "tel",
        "lead",
    }
    assert ANN not in json.dumps(story)
    assert (await desk.post("/v1/consents/find", email="nobody@example.org")) == {"standings": [], "acts": []}


async def test_a_story_says_which_act_made_a_revision(desk: Desk, lead_id: str) -> None:
    said = await desk.act("withdraw", email=ANN)
    await desk.apply()
    story = (await desk.http.get(f"/v1/leads/{lead_id}", headers=bearer("viewer"))).json()
    assert [(one["event_type"], one["act_id"], one["raw_id"]) for one in story["revisions"]] == [
        ("lead.received.v1", None, "raw-1"),
        ("lead.consent_changed.v1", said["act_id"], "raw-1"),
    ]


BAD = [
    pytest.param({"action": "grant", "email": ANN}, 422, id="C1"),
    pytest.param({"action": "withdraw"}, 422, id="C2"),
    pytest.param({"action": "withdraw", "email": "nobody"}, 422, id="C3"),
    pytest.param({"action": "withdraw", "phone": "12"}, 422, id="C4"),
    pytest.param(
        {"action": "withdraw", "email": ANN, "lead_id": "6f9c1e0a-0000-4000-8000-000000000001"}, 422, id="C5"
    ),
    pytest.param({"action": "withdraw", "lead_id": "6f9c1e0a-0000-4000-8000-000000000001"}, 404, id="C6"),
    pytest.param({"action": "withdraw", "email": ANN, "at": "2999-01-01T00:00:00Z"}, 422, id="C7"),
    pytest.param({"action": "withdraw", "email": ANN, "at": "0001-01-01T00:00:00+14:00"}, 422, id="C11"),
    pytest.param({"action": "grant", "email": ANN, "purposes": ["world domination"]}, 422, id="C8"),
    pytest.param({"action": "forget", "email": ANN}, 422, id="C9"),
    pytest.param({"action": "withdraw", "email": ANN, "words": "a\x00b"}, 422, id="C10"),
]


@pytest.mark.parametrize(("body", "status"), BAD)
async def test_bad_input_is_refused_and_keeps_nothing(desk: Desk, body: Any, status: int) -> None:
    answer = await desk.post("/v1/consents", status, **body)
    assert answer["type"]
    assert ANN not in json.dumps(answer)
    assert await desk.workshop.fetch("SELECT FROM consent_act") == []
    assert await desk.audited() == []


async def test_who_may(desk: Desk, lead_id: str) -> None:
    here, elsewhere = bearer(dealers=["prairie-motors"]), bearer(dealers=["another"])
    await desk.act("withdraw", 403, bearer("viewer"), email=ANN)
    await desk.act("withdraw", 403, here, email=ANN)
    await desk.act("withdraw", 404, elsewhere, lead_id=lead_id)
    await desk.post("/v1/consents/find", 404, elsewhere, lead_id=lead_id)
    await desk.post(f"/v1/leads/{lead_id}/opt-in", 404, elsewhere)
    assert await desk.workshop.fetch("SELECT FROM consent_act") == []
    assert (await desk.act("withdraw", 200, here, lead_id=lead_id))["new"]


# Links.


async def test_a_link_is_opened_and_agreed_to(desk: Desk, lead_id: str) -> None:
    made = await desk.link(lead_id)
    assert made["url"] == PUBLIC + made["path"]
    page = await desk.public("GET", made["path"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert made["words"] in page.text
    for secret in ("Ann", ANN, "5550191", lead_id):
        assert secret not in page.text
    assert "script" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert (await desk.public("POST", made["path"])).status_code == 200
    await desk.apply()
    granted = await consent(desk)
    assert granted.purposes == ("reply", "sales", "nurture")
    (act,) = {
        one["act_id"]: one for one in (await desk.post("/v1/consents/find", email=ANN))["acts"]
    }.values()
    assert (act["told_by"], act["words"], act["purposes"]) == ("opt_in", made["words"], ["nurture"])


async def test_opening_a_link_permits_nothing(desk: Desk, lead_id: str) -> None:
    made = await desk.link(lead_id)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        await desk.public(method, made["path"])
    assert await desk.workshop.fetch("SELECT FROM consent_act") == []


async def test_agreeing_twice_is_agreeing_once(desk: Desk, lead_id: str) -> None:
    made = await desk.link(lead_id)
    for _ in range(2):
        assert "Thank you" in (await desk.public("POST", made["path"])).text
        desk.workshop.clock.advance(60)
    acts = await desk.workshop.fetch("SELECT contact FROM consent_act ORDER BY contact")
    assert [one["contact"] for one in acts] == [f"lead:{lead_id}", f"mailto:{ANN}"]


async def test_withdrawn_stays_withdrawn_and_the_page_says_so(desk: Desk, lead_id: str) -> None:
    made = await desk.link(lead_id)
    await desk.act("withdraw", email=ANN)
    assert "withdrawn" in (await desk.public("POST", made["path"])).text
    await desk.apply()
    assert (await consent(desk)).basis == "withdrawn"
    assert (await desk.link(lead_id, 409))["type"].endswith("consent-withdrawn")


async def test_a_link_ends(desk: Desk, lead_id: str) -> None:
    made = await desk.link(lead_id, days=2)
    desk.workshop.clock.advance(timedelta(days=2).total_seconds() + 1)
    for method in ("GET", "POST"):
        answer = await desk.public(method, made["path"])
        assert answer.status_code == 410
        assert "expired" in answer.text
    assert await desk.workshop.fetch("SELECT FROM consent_act") == []


@pytest.mark.parametrize("change", ["token", "key", "no key", "address", "lead"])
async def test_a_link_that_is_none(desk: Desk, lead_id: str, change: str, payload: Any, message: Any) -> None:
    path = (await desk.link(lead_id))["path"]
    if change == "token":
        path = path[:-6] + "AAAAAA"
    elif change == "key":
        desk = Desk(desk.workshop, OptInLinks(b"another key for links of tests, 32 bytes"))
    elif change == "no key":
        desk = Desk(desk.workshop, None)
    elif change == "address":
        other = {"name": "Ann Example", "email": "b@example.org"}
        await desk.workshop.raw.handle([message(payload(customer=other), "raw-2")])
    else:
        for table in ("lead_revision", "lead_term", "raw", "lead"):
            await desk.workshop.fetch(f"DELETE FROM {table}")
    for method in ("GET", "POST"):
        answer = await desk.public(method, path)
        assert answer.status_code == 404
        assert re.search("not valid", answer.text)
    assert await desk.workshop.fetch("SELECT FROM consent_act") == []


async def test_links_need_a_key_and_may_do_without_a_public_address(desk: Desk, lead_id: str) -> None:
    assert (await Desk(desk.workshop, url=None).link(lead_id))["url"] is None
    without = await Desk(desk.workshop, None).link(lead_id, 409)
    assert without["type"].endswith("opt-in-without-key")
    assert [one["action"] for one in await desk.audited()] == ["consent.link"]
