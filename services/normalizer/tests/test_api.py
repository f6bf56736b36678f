"""The HTTP API in process: stories, masks, quarantine, roles, settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest
from leadbus import metrics
from leadbus.settings import documents
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from normalizer import api
from normalizer.store import ledger
from normalizer.store.ledger import LedgerEntry
from pydantic import SecretStr

KEY = SecretStr("a-key-of-tests-that-has-32-bytes-or-more")
PERSONAL = ("José", "Núñez", "jose.nunez", "555-0191", "5550191", "Do you have the CR-V")


def bearer(role: str = "operator", dealers: list[str] | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(KEY, f'a-{role}', role, dealers)}"}


@pytest.fixture
async def http(workshop: Any) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(
        "normalizer",
        "normalizer",
        "0",
        [api.router(workshop.database, workshop.quarantining), documents.router(workshop.settings)],
        verifier=TokenVerifier(StaticKey(KEY)),
    )
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://n", headers=bearer()) as client:
        yield client


async def get(http: httpx2.AsyncClient, path: str, status: int = 200, **options: Any) -> Any:
    answer = await http.get(path, **options)
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


@pytest.fixture
async def lead_id(workshop: Any, payload: Any, message: Any) -> str:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload(), "raw-1")])
    await workshop.raw.handle([message(payload(comments="and the blue one?"), "raw-2")])
    (lead_id,) = await workshop.leads()
    return str(lead_id)


@pytest.fixture
async def entry_id(workshop: Any, payload: Any, message: Any) -> str:
    await workshop.raw.handle([message(payload(dealer={"id": "nowhere"}), "raw-9")])
    (entry,) = await workshop.quarantined()
    return str(entry["raw_key"])


@pytest.mark.parametrize("route", ["/v1/leads", "/v1/quarantine", "/v1/raw/{raw_id}"])
async def test_requests_are_counted_by_their_whole_route(http: httpx2.AsyncClient, route: str) -> None:
    def answered() -> float:
        samples = (each for metric in metrics.REGISTRY.collect() for each in metric.samples)
        return sum(
            each.value
            for each in samples
            if each.name == "leadbus_http_requests_total" and each.labels["route"] == route
        )

    before = answered()
    await http.get(route.format(raw_id="nobody-knows"))
    assert answered() == before + 1


async def test_a_story_holds_everything_but_personal_data(http: httpx2.AsyncClient, lead_id: Any) -> None:
    answer = await http.get(f"/v1/leads/{lead_id}", headers=bearer("viewer"))
    assert not any(word in answer.text for word in PERSONAL)
    story = answer.json()
    assert (story["masked"], story["state"], story["revision"]) == (True, "waiting", 2)
    assert story["lead"]["dealer"]["name"] == "Prairie Motors"
    assert story["lead"]["vehicles"][0]["model"] == "CR-V"
    assert story["lead"]["customer"]["phones"][0]["e164"] == "•••91"
    assert [
        (one["revision"], one["event_type"], one["changed"], one["raw_id"]) for one in story["revisions"]
    ] == [
        (1, "lead.received.v1", [], "raw-1"),
        (2, "lead.updated.v1", ["message"], "raw-2"),
    ]


async def test_revealing_needs_an_operator_and_is_audited(
    http: httpx2.AsyncClient, lead_id: Any, workshop: Any
) -> None:
    await get(http, f"/v1/leads/{lead_id}?reveal=true", 403, headers=bearer("viewer"))
    story = await get(http, f"/v1/leads/{lead_id}?reveal=true")
    assert story["lead"]["customer"]["name"]["last"] == "Núñez"
    audited = await workshop.fetch("SELECT actor, object FROM audit WHERE action = 'lead.reveal'")
    assert audited == [{"actor": "a-operator", "object": f"lead/{lead_id}"}]


async def test_leads_are_listed_by_page_and_filter(
    http: httpx2.AsyncClient, workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    await workshop.map_dealer("lakeside", "40339")
    for number in range(5):
        reference = "40217" if number < 3 else "40339"
        told = payload(lead_id=f"CAO-{number}", dealer={"id": reference}, test=number == 0)
        await workshop.raw.handle(
            [message(told, f"raw-{number}", receivedat=f"2026-02-0{number + 1}T00:00:00Z")]
        )
    found, cursor = [], ""
    while True:
        page = await get(http, f"/v1/leads?limit=2{cursor}")
        found += [lead["received_at"] for lead in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == sorted(found, reverse=True)
    assert len(found) == 5

    async def count(query: str) -> int:
        return len((await get(http, f"/v1/leads?{query}"))["items"])

    assert await count("dealer=lakeside") == 2
    assert await count("source=bdk") == 0
    assert await count("test=true") == 1
    assert await count("since=2026-02-02T00:00:00Z&until=2026-02-04T00:00:00Z") == 2
    assert await count("state=waiting") == 5
    await get(http, "/v1/leads?colour=red", 400)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([], "waiting"),
        (["skipped"], "unrouted"),
        (["skipped", "delivered"], "delivered"),
        (["delivered", "failed"], "failed"),
    ],
)
async def test_the_state_of_a_lead_is_what_the_sinks_said(
    said: Any, state: Any, http: httpx2.AsyncClient, lead_id: Any, workshop: Any
) -> None:
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    for number, word in enumerate(said):
        entry = LedgerEntry(
            UUID(lead_id), f"sink-{number}", "", UUID(int=number), word, "x", 1, False, False, at, at
        )
        async with workshop.database.transaction() as conn:
            await ledger.note(conn, [entry])
    story = await get(http, f"/v1/leads/{lead_id}")
    assert (story["state"], [entry["state"] for entry in story["ledger"]]) == (state, said)
    for each in ("waiting", "unrouted", "delivered", "failed"):
        listed = (await get(http, f"/v1/leads?state={each}"))["items"]
        assert len(listed) == (each == state)


async def test_a_token_limited_to_dealers_sees_theirs_alone(
    http: httpx2.AsyncClient, lead_id: Any, entry_id: str
) -> None:
    mine, others = bearer("operator", ["prairie-motors"]), bearer("operator", ["lakeside"])
    assert len((await get(http, "/v1/leads", headers=mine))["items"]) == 1
    assert (await get(http, "/v1/leads", headers=others))["items"] == []
    for path in (f"/v1/leads/{lead_id}", "/v1/raw/raw-1", "/v1/raw/raw-1/body"):
        assert (await http.get(path, headers=mine)).status_code == 200
        await get(http, path, 404, headers=others)
    await get(http, "/v1/quarantine", 403, headers=mine)
    await get(http, f"/v1/quarantine/{entry_id}", 404, headers=mine)
    await get(http, "/v1/raw/raw-9", 404, headers=mine)


async def test_a_raw_message_is_found_by_its_id_on_the_wire(
    http: httpx2.AsyncClient, lead_id: Any, workshop: Any, payload: Any, message: Any
) -> None:
    story = await get(http, "/v1/raw/raw-1")
    assert (story["raw_id"], story["lead_id"], story["quarantine"], story["others"]) == (
        "raw-1",
        lead_id,
        None,
        [],
    )
    assert (await get(http, f"/v1/raw/{story['raw_key']}"))["raw_id"] == "raw-1"
    await workshop.raw.handle([message(payload(), "raw-1", account="another")])
    assert len((await get(http, "/v1/raw/raw-1"))["others"]) == 1
    narrowed = await get(http, "/v1/raw/raw-1?account=another")
    assert (narrowed["account"], narrowed["others"]) == ("another", [])
    await get(http, "/v1/raw/raw-404", 404)


@pytest.mark.parametrize(("method", "act"), [("GET", "body"), ("POST", "replay")])
async def test_which_of_several_raw_messages_is_meant_is_not_guessed(
    http: httpx2.AsyncClient, lead_id: Any, workshop: Any, payload: Any, message: Any, method: str, act: str
) -> None:
    await workshop.raw.handle([message(payload(), "raw-1", account="another")])
    story = await get(http, "/v1/raw/raw-1")
    answer = await http.request(method, f"/v1/raw/raw-1/{act}")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    told = answer.json()
    assert told["type"] == "https://leadbus.dev/problems/raw-ambiguous"
    assert told["raw_keys"] == [story["raw_key"], *story["others"]]
    for one in (*told["raw_keys"], told["raw_keys"][1].upper(), "raw-1?account=another"):
        name, _, query = one.partition("?")
        assert (await http.request(method, f"/v1/raw/{name}/{act}?{query}")).status_code == 200
    transport: Any = http._transport
    document = transport.app.openapi()["paths"][f"/v1/raw/{{raw_id}}/{act}"][method.lower()]
    assert "Several raw messages have this id" in document["responses"]["409"]["description"]


async def test_a_body_is_for_operators_and_no_browser_runs_it(
    http: httpx2.AsyncClient, entry_id: str, workshop: Any
) -> None:
    for path in ("/v1/raw/raw-9/body", f"/v1/quarantine/{entry_id}/body"):
        await get(http, path, 403, headers=bearer("viewer"))
        answer = await http.get(path)
        assert answer.json()["lead_id"] == "CAO-88120977"
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment")
    assert len(await workshop.fetch("SELECT 1 FROM audit WHERE action = 'raw.read_body'")) == 2


async def test_the_quarantine_is_listed_counted_and_shown(
    http: httpx2.AsyncClient, entry_id: str, workshop: Any, message: Any
) -> None:
    await workshop.raw.handle([message(b"junk", "raw-10")])
    listed = (
        await get(http, "/v1/quarantine?reason=location_unmapped&state=open", headers=bearer("viewer"))
    )["items"]
    assert [entry["id"] for entry in listed] == [entry_id]
    entry = await get(http, f"/v1/quarantine/{entry_id}", headers=bearer("viewer"))
    assert (entry["field"], entry["value_kind"], entry["location"]) == ("dealer.id", "string", "nowhere")
    assert entry["size_bytes"] > 100
    counts = (await get(http, "/v1/quarantine/counts"))["items"]
    assert sorted((count["reason"], count["entries"]) for count in counts) == [
        ("location_unmapped", 1),
        ("undecodable", 1),
    ]
    await get(http, "/v1/quarantine?reason=bad-luck", 422)


async def test_replay_and_discard_over_http(
    http: httpx2.AsyncClient, entry_id: str, workshop: Any, message: Any
) -> None:
    replay = f"/v1/quarantine/{entry_id}/replay"
    assert (await http.post(replay, headers=bearer("viewer"))).status_code == 403
    still = (await http.post(replay)).json()
    assert (still["outcome"], still["reason"], still["field"]) == (
        "quarantined",
        "location_unmapped",
        "dealer.id",
    )
    await workshop.map_dealer("nowhere-motors", "nowhere")
    done = (await http.post(replay)).json()
    assert (done["outcome"], done["change"], done["revision"]) == ("normalized", "received", 1)
    again = await http.post(replay)
    assert (again.status_code, again.json()["type"]) == (
        409,
        "https://leadbus.dev/problems/quarantine-closed",
    )

    await workshop.raw.handle([message(b"junk", "raw-10")])
    (junk,) = [row for row in await workshop.quarantined() if row["state"] == "open"]
    discard = f"/v1/quarantine/{junk['raw_key']}/discard"
    assert (await http.post(discard, json={"reason": "  "})).status_code == 422
    assert (await http.post(discard, json={"reason": "noise"})).json()["state"] == "discarded"
    assert (await http.post(discard, json={"reason": "noise"})).status_code == 409
    assert (await http.post("/v1/raw/raw-10/replay")).status_code == 409
    retold = (await http.post("/v1/raw/raw-9/replay")).json()
    assert (retold["outcome"], retold["change"]) == ("normalized", "unchanged")


@pytest.mark.parametrize("path", ["leads", "quarantine"])
async def test_what_is_unknown_is_a_problem(path: Any, http: httpx2.AsyncClient) -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    await get(http, f"/v1/{path}/{unknown}", 404)
    await get(http, f"/v1/{path}/nonsense", 422)
    for act in ("replay", "discard"):
        answer = await http.post(f"/v1/quarantine/{unknown}/{act}", json={"reason": "x"})
        assert answer.status_code == 404


async def test_nothing_is_told_without_a_token(http: httpx2.AsyncClient) -> None:
    for path in ("/v1/leads", "/v1/raw/x", "/v1/quarantine", "/v1/settings/Dealer"):
        await get(http, path, 401, headers={"Authorization": ""})


@pytest.mark.parametrize(
    ("kind", "spec", "pointer"),
    [
        ("Dealer", {"name": "A", "time_zone": "Mars/Olympus"}, "/spec/time_zone"),
        ("Dealer", {"name": "A", "email": "nobody"}, "/spec/email"),
        ("Dealer", {"name": "A", "phone": "12", "country": "US"}, "/spec/phone"),
        ("Dealer", {"name": "A", "country": "usa"}, "/spec/country"),
        ("Dealer", {"name": "A", "colour": "red"}, "/spec/colour"),
        ("Dealer", {"name": "A\nBcc: b@example.com"}, "/spec/name"),
        ("Dealer", {"name": "A", "legal_name": "A\x07 Inc."}, "/spec/legal_name"),
        ("Dealer", {"name": "A", "contact": "Sales\u202edesk"}, "/spec/contact"),
        ("Location", {"source": "carrier-pigeon", "external_id": "1", "dealer": "d"}, "/spec/source"),
        ("Location", {"source": "contactatonce", "external_id": "1", "dealer": "nobody"}, "/spec/dealer"),
        ("Location", {"source": "contactatonce", "external_id": "40217", "dealer": "d"}, "/spec/external_id"),
    ],
)
async def test_wrong_settings_say_where(
    kind: Any, spec: Any, pointer: Any, http: httpx2.AsyncClient, workshop: Any
) -> None:
    await workshop.map_dealer()
    await workshop.map_dealer("d", "another")
    answer = await http.put(f"/v1/settings/{kind}/new", json={"spec": spec}, headers=bearer("admin"))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_dealer_that_a_location_names_is_not_deleted(http: httpx2.AsyncClient, workshop: Any) -> None:
    await workshop.map_dealer()
    answer = await http.delete(
        "/v1/settings/Dealer/prairie-motors", headers={**bearer("admin"), "If-Match": "*"}
    )
    assert answer.status_code == 409
