"""API: what operators see and may do over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
from leadbus import metrics
from leadbus.delivery import Delivered, Permanent, Suspended, Transient
from leadbus.delivery.router import router
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from pydantic import SecretStr

Bench = Any
Gate = Any
NOBODY = UUID(int=0)
KEY = SecretStr("0123456789abcdef0123456789abcdef")


def bearer(role: str = "operator", dealers: list[str] | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(KEY, 'anna', role, dealers)}"}


@pytest.fixture
async def http(bench: Bench) -> AsyncIterator[httpx2.AsyncClient]:
    async def details(_: Any) -> dict[str, str]:
        return {"message_id": "<1@example.org>"}

    app = create_app(
        "test-sink",
        "Test sink",
        "1",
        [router(bench.database, sink="test-sink", clock=bench.clock, details=details)],
        verifier=TokenVerifier(StaticKey(KEY)),
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=bearer()) as client:
        yield client


async def test_api1_story_of_a_delivery(bench: Bench, http: httpx2.AsyncClient) -> None:
    (delivery_id,) = await bench.plan("a")
    bench.sink.in_turn(Permanent("mailbox_full", answer="552 full"), Delivered("250 ok"))
    await bench.settle(bench.engine())
    redriven = await http.post(f"/v1/deliveries/{delivery_id}/redrive")
    assert (redriven.status_code, redriven.json()["phase"]) == (202, "waiting")
    await bench.settle(bench.engine())

    story = (await http.get(f"/v1/deliveries/{delivery_id}")).json()
    assert (story["phase"], story["attempts"], story["next_try_at"]) == ("delivered", 2, None)
    assert [(one["n"], one["outcome"], one["answer"]) for one in story["tries"]] == [
        (1, "refused", "552 full"),
        (2, "delivered", "250 ok"),
    ]
    assert [(one["actor"], one["action"]) for one in story["acts"]] == [("anna", "delivery.redrive")]
    assert story["details"] == {"message_id": "<1@example.org>"}


async def test_api2_list_is_filtered_and_paged(bench: Bench, http: httpx2.AsyncClient) -> None:
    await bench.plan(*(f"d{n % 2}:k{n}" for n in range(7)))
    pages: list[list[str]] = []
    cursor: str | None = None
    while not pages or cursor:
        parameters: dict[str, Any] = {"limit": 3, "phase": "queued"} | ({"cursor": cursor} if cursor else {})
        page = (await http.get("/v1/deliveries", params=parameters)).json()
        pages.append([one["key"] for one in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [["k6", "k5", "k4"], ["k3", "k2", "k1"], ["k0"]]
    only = await http.get("/v1/deliveries", params={"destination": "d1", "sort": "planned_at"})
    assert [one["key"] for one in only.json()["items"]] == ["k1", "k3", "k5"]
    assert (await http.get("/v1/deliveries", params={"phase": "nonsense"})).status_code == 422


async def test_api3_in_flight_is_refused(bench: Bench, http: httpx2.AsyncClient, gate: Gate) -> None:
    (delivery_id,) = await bench.plan("a")
    bench.sink.answer = gate.answer
    engine = bench.engine()
    await bench.until(lambda: bool(gate.waiting), engine)
    for act in ("cancel", "redrive"):
        refused = await http.post(f"/v1/deliveries/{delivery_id}/{act}")
        assert refused.status_code == 409
        assert refused.json()["type"].endswith("/delivery-in-flight")
    gate.opened.set()
    await bench.settle(engine)
    ended = await http.post(f"/v1/deliveries/{delivery_id}/cancel")
    assert ended.json()["type"].endswith("/delivery-ended")


async def test_api4_cancel(bench: Bench, http: httpx2.AsyncClient) -> None:
    (delivery_id,) = await bench.plan("a")
    cancelled = await http.post(f"/v1/deliveries/{delivery_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["phase"]) == (200, "cancelled")


async def test_api5_destinations_are_seen_paused_and_resumed(bench: Bench, http: httpx2.AsyncClient) -> None:
    await bench.plan("mail.example:a")
    bench.sink.always(Transient("refused", destination_down=True))
    await bench.settle(bench.engine())
    (listed,) = (await http.get("/v1/destinations")).json()["items"]
    assert (listed["name"], listed["breaker"], listed["consecutive_failures"]) == (
        "mail.example",
        "closed",
        1,
    )
    paused = await http.post("/v1/destinations/mail.example/pause", json={"reason": "their migration"})
    assert paused.json()["pause_reason"] == "their migration"
    resumed = await http.post("/v1/destinations/mail.example/resume")
    assert resumed.json()["paused_at"] is None


async def test_api5b_a_destination_says_how_it_is_and_what_waits(
    bench: Bench, http: httpx2.AsyncClient, gate: Gate
) -> None:
    await bench.plan("mail.example:a", "mail.example:b", "other:c")
    bench.sink.in_turn(Delivered())
    await bench.settle(bench.engine(capacity=2, retry_share=0.5, destination_share=0.3))
    bench.clock.advance(5)
    await bench.execute("DELETE FROM attempt; DELETE FROM delivery")
    bench.sink.always(Suspended("auth_refused", answer="535 said to a.person@example.org"))
    await bench.plan("mail.example:d", "mail.example:e")
    await bench.settle(bench.engine())
    bench.clock.advance(40)
    answer = await http.get("/v1/destinations/mail.example")
    shown = answer.json()
    assert (shown["health"], shown["reason"]) == ("suspended", "auth_refused")
    assert shown["since"] == shown["suspended_at"] == shown["last_failure"]["at"]
    assert shown["last_failure"]["outcome"] == "suspended"
    assert shown["last_success_at"] is not None
    assert shown["work"] == {"queued": 0, "waiting": 2, "in_flight": 0, "oldest_due_age_seconds": 30.0}
    assert shown["limits"] == {"max_in_flight": None, "per_minute": None}
    assert "example.org" not in answer.text, "codes, not what the other side said"
    listed = (await http.get("/v1/destinations", params={"health": "suspended"})).json()["items"]
    assert listed == [shown]
    assert (await http.get("/v1/destinations", params={"health": "ill"})).status_code == 422


async def test_api5c_limits_are_put_on_what_was_seen(bench: Bench, http: httpx2.AsyncClient) -> None:
    await bench.plan("mail.example:a")
    path = "/v1/destinations/mail.example/limits"
    seen = await http.get(path)
    assert seen.json() == {"max_in_flight": None, "per_minute": None}
    limits = {"max_in_flight": 2, "per_minute": 30}
    put = await http.put(path, json=limits, headers={"If-Match": seen.headers["ETag"]})
    assert (put.status_code, put.json()) == (200, limits)
    assert (await http.get(path)).headers["ETag"] == put.headers["ETag"] != seen.headers["ETag"]
    assert (await http.get("/v1/destinations/mail.example")).json()["limits"] == limits

    stale = await http.put(path, json={}, headers={"If-Match": seen.headers["ETag"]})
    assert (stale.status_code, stale.headers["ETag"]) == (412, put.headers["ETag"])
    blind = await http.put(path, json={})
    assert blind.status_code == 428
    assert (await http.get(path)).json() == limits
    cleared = await http.put(path, json={"per_minute": None}, headers={"If-Match": "*"})
    assert cleared.json() == {"max_in_flight": None, "per_minute": None}
    acts = await bench.rows("SELECT actor, action FROM audit ORDER BY id")
    assert [tuple(row.values()) for row in acts] == [("anna", "destination.limit")] * 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"max_in_flight": 0}, "/max_in_flight"),
        ({"max_in_flight": -1}, "/max_in_flight"),
        ({"max_in_flight": "5"}, "/max_in_flight"),
        ({"max_in_flight": True}, "/max_in_flight"),
        ({"per_minute": 1.5}, "/per_minute"),
        ({"per_minute": 10**9}, "/per_minute"),
        ({"per_hour": 5}, "/per_hour"),
    ],
    ids=["zero", "negative", "text", "bool", "fraction", "absurd", "unknown"],
)
async def test_api5d_bad_limits_name_the_field(
    bench: Bench, http: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    await bench.plan("mail.example:a")
    answer = await http.put("/v1/destinations/mail.example/limits", json=body, headers={"If-Match": "*"})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await bench.rows("SELECT 1 FROM audit") == []


async def test_api5e_turns_are_counted_once(bench: Bench, http: httpx2.AsyncClient) -> None:
    await bench.plan("counted.example:a")

    def counted(change: str) -> float | None:
        labels = {"sink": "test-sink", "destination": "counted.example", "change": change}
        return metrics.REGISTRY.get_sample_value("leadbus_destination_changes_total", labels)

    for _ in range(2):
        await http.post("/v1/destinations/counted.example/pause", json={"reason": "x"})
    for _ in range(2):
        await http.post("/v1/destinations/counted.example/resume")
    assert (counted("paused"), counted("unpaused")) == (1, 1)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/v1/deliveries/{NOBODY}", None),
        ("POST", f"/v1/deliveries/{NOBODY}/redrive", None),
        ("POST", f"/v1/deliveries/{NOBODY}/cancel", None),
        ("GET", "/v1/destinations/nobody", None),
        ("GET", "/v1/destinations/nobody/limits", None),
        ("PUT", "/v1/destinations/nobody/limits", {}),
        ("POST", "/v1/destinations/nobody/pause", {"reason": "?"}),
        ("POST", "/v1/destinations/nobody/resume", None),
    ],
)
async def test_api6_what_is_not_there(http: httpx2.AsyncClient, method: str, path: str, body: Any) -> None:
    assert (await http.request(method, path, json=body)).status_code == 404


async def test_api7_viewers_look_and_do_not_touch(bench: Bench, http: httpx2.AsyncClient) -> None:
    (delivery_id,) = await bench.plan("host:a")
    viewer = bearer("viewer")
    assert (await http.get("/v1/deliveries", headers=viewer)).status_code == 200
    for path in (f"/v1/deliveries/{delivery_id}/cancel", "/v1/destinations/host/resume"):
        assert (await http.post(path, headers=viewer)).status_code == 403
    assert await bench.phase("a") == "queued"


async def test_api8_limited_token_sees_its_dealers_only(bench: Bench, http: httpx2.AsyncClient) -> None:
    (north,) = await bench.plan("n", dealer="north")
    (south,) = await bench.plan("s", dealer="south")
    await bench.plan("nobodys")
    limited = bearer("operator", ["north"])
    listed = (await http.get("/v1/deliveries", headers=limited)).json()["items"]
    assert [one["key"] for one in listed] == ["n"]
    assert (await http.get(f"/v1/deliveries/{north}", headers=limited)).status_code == 200
    assert (await http.get(f"/v1/deliveries/{south}", headers=limited)).status_code == 404
    assert (await http.post(f"/v1/deliveries/{south}/cancel", headers=limited)).status_code == 404
    assert await bench.phase("s") == "queued"
    assert (await http.get("/v1/destinations", headers=limited)).status_code == 403


async def test_api9_without_token_nothing(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/v1/deliveries", headers={"Authorization": ""})).status_code == 401
