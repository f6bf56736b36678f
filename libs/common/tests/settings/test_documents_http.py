"""`/v1/settings` as a client sees it: tags in headers, other managers, tokens limited to dealers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from leadbus.db import Database
from leadbus.settings.documents import DocumentStore, Kind, Spec, router
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from pydantic import Field, SecretStr

KEY = SecretStr("0123456789abcdef0123456789abcdef")
DEALER = "/v1/settings/Dealer/north"
NORTH = {"spec": {"title": "North"}}


class DealerSpec(Spec):
    """A dealer."""

    title: str = Field(title="Name", description="As customers know it.")


class RouteSpec(Spec):
    dealer: str


@pytest.fixture
async def http(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    store = DocumentStore(
        database,
        [
            Kind("Dealer", DealerSpec, dealer_of=lambda name, spec: name),
            Kind("Route", RouteSpec, references={"dealer": "Dealer"}),
        ],
    )
    app = create_app("test", "Test", "1", [router(store)], verifier=TokenVerifier(StaticKey(KEY)))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test", headers=token("admin")
    ) as client:
        yield client


def token(role: str, dealers: list[str] | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(KEY, role, role, dealers)}"}


def slug(response: httpx2.Response) -> str:
    return str(response.json()["type"].rpartition("/")[2])


async def test_a_documents_life_over_http(http: httpx2.AsyncClient) -> None:
    created = await http.put(DEALER, json=NORTH)
    assert (created.status_code, created.json()["action"]) == (201, "created")
    read = await http.get(DEALER)
    assert read.headers["etag"] == created.headers["etag"]
    assert read.json()["spec"] == {"title": "North"}
    assert (await http.get(DEALER, headers={"If-None-Match": read.headers["etag"]})).status_code == 304
    seen = {"If-Match": read.headers["etag"]}
    changed = await http.put(DEALER, json={"spec": {"title": "Nord"}}, headers=seen)
    assert (changed.status_code, changed.json()["diff"]) == (
        200,
        [{"pointer": "/title", "before": "North", "after": "Nord"}],
    )
    late = await http.put(DEALER, json=NORTH, headers=seen)
    assert (late.status_code, slug(late), late.headers["etag"]) == (
        412,
        "precondition-failed",
        changed.headers["etag"],
    )
    deleted = await http.delete(DEALER, headers={"If-Match": changed.headers["etag"]})
    assert (deleted.status_code, deleted.json()["document"]) == (200, None)
    assert (await http.get(DEALER)).status_code == 404
    history = (await http.get(f"{DEALER}/history")).json()["items"]
    assert [(each["action"], each["actor"]) for each in history] == [
        ("deleted", "admin"),
        ("changed", "admin"),
        ("created", "admin"),
    ]


async def test_overwriting_unseen_is_428_and_creating_twice_412(http: httpx2.AsyncClient) -> None:
    await http.put(DEALER, json=NORTH, headers={"If-None-Match": "*"})
    unseen = await http.put(DEALER, json=NORTH)
    assert (unseen.status_code, slug(unseen)) == (428, "precondition-required")
    assert (await http.put(DEALER, json=NORTH, headers={"If-None-Match": "*"})).status_code == 412
    assert (await http.delete(DEALER)).status_code == 428
    for header in ({"If-Match": "unquoted"}, {"If-None-Match": '"abc"'}):
        assert (await http.put(DEALER, json=NORTH, headers=header)).status_code == 400
    assert (await http.put(DEALER, json=NORTH, headers={"If-Match": '"other", *'})).status_code in (200, 412)
    assert (await http.put(DEALER, json=NORTH, headers={"If-Match": "*"})).json()["action"] == "unchanged"


@pytest.mark.parametrize(
    ("asked", "dry_run", "answer"),
    [
        ({"south": {"title": "South"}}, "true", None),
        ({"south": {"title": "South"}}, "false", ("/after", "unexpected")),
        ({"south": {"titel": "South"}}, "true", ("/after/south", "invalid")),
        ({"so/uth": {"title": "South"}}, "true", ("/after/so~1uth", "string_pattern_mismatch")),
    ],
)
async def test_others_are_put_before_it_only_in_a_dry_run(
    http: httpx2.AsyncClient, asked: Any, dry_run: str, answer: tuple[str, str] | None
) -> None:
    would = await http.put(DEALER, json=NORTH | {"after": asked}, params={"dry_run": dry_run})
    if answer is None:
        assert (would.status_code, would.json()["action"]) == (200, "created")
    else:
        (error,) = would.json()["errors"]
        assert (would.status_code, error["pointer"][: len(answer[0])], error["code"]) == (422, *answer)
    assert (await http.get("/v1/settings/Dealer")).json()["items"] == []


async def test_a_dry_run_says_what_would_be(http: httpx2.AsyncClient) -> None:
    would = await http.put(DEALER, json=NORTH, params={"dry_run": "true"})
    assert (would.status_code, would.json()["action"], would.json()["dry_run"]) == (200, "created", True)
    assert (await http.get(DEALER)).status_code == 404


async def test_wrong_references_are_422_by_pointer_and_needed_ones_409(http: httpx2.AsyncClient) -> None:
    route = {"spec": {"dealer": "north"}}
    missing = await http.put("/v1/settings/Route/r", json=route)
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/spec/dealer")
    await http.put(DEALER, json=NORTH)
    await http.put("/v1/settings/Route/r", json=route)
    needed = await http.delete(DEALER, headers={"If-Match": "*"})
    assert (needed.status_code, slug(needed), needed.json()["referrers"]) == (
        409,
        "still-referenced",
        ["Route/r"],
    )


async def test_another_managers_document_is_409_unless_taken_over(http: httpx2.AsyncClient) -> None:
    await http.put(DEALER, json={**NORTH, "managed_by": "git"})
    seen = {"If-Match": "*"}
    foreign = await http.put(DEALER, json=NORTH, headers=seen)
    assert (foreign.status_code, slug(foreign)) == (409, "managed-elsewhere")
    taken = await http.put(DEALER, json=NORTH, headers=seen, params={"take_over": "true"})
    assert taken.json()["document"]["managed_by"] == "hand"
    listed = await http.get("/v1/settings/Dealer", params={"managed_by": "git"})
    assert listed.json()["items"] == []


async def test_kinds_come_with_what_a_form_needs(http: httpx2.AsyncClient) -> None:
    kinds = {kind["kind"]: kind for kind in (await http.get("/v1/settings")).json()["items"]}
    title = kinds["Dealer"]["spec_schema"]["properties"]["title"]
    assert (title["title"], title["description"], title["x-order"]) == ("Name", "As customers know it.", 0)
    assert kinds["Route"]["references"] == {"dealer": "Dealer"}
    assert (await http.get("/v1/settings/Nothing")).status_code == 404


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 403), ("admin", 201)])
async def test_admins_write(http: httpx2.AsyncClient, role: str, status: int) -> None:
    assert (await http.put(DEALER, json=NORTH, headers=token(role))).status_code == status
    assert (await http.get("/v1/settings/Dealer", headers=token(role))).status_code == 200


async def test_a_token_limited_to_dealers_sees_its_own_and_writes_nothing(http: httpx2.AsyncClient) -> None:
    for name in ("north", "south"):
        await http.put(f"/v1/settings/Dealer/{name}", json=NORTH)
    await http.put("/v1/settings/Route/r", json={"spec": {"dealer": "north"}})
    limited = token("admin", ["north"])

    async def status(method: str, path: str, **options: Any) -> int:
        return (await http.request(method, path, headers=limited, **options)).status_code

    listed = (await http.get("/v1/settings/Dealer", headers=limited)).json()["items"]
    assert [document["name"] for document in listed] == ["north"]
    assert await status("GET", "/v1/settings/Dealer/north") == 200
    assert await status("GET", "/v1/settings/Dealer/south") == 404
    assert await status("GET", "/v1/settings/Dealer/south/history") == 404
    assert await status("GET", "/v1/settings/Route/r") == 404
    assert (await http.get("/v1/settings/Route", headers=limited)).json()["items"] == []
    assert await status("PUT", "/v1/settings/Dealer/west", json=NORTH) == 403
    assert await status("DELETE", "/v1/settings/Dealer/north") == 403
