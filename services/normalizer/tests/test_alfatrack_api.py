"""What operators see of knowledge: in its lead's story, in the list of what waits, as a raw message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from leadbus.web import TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from normalizer import api
from pydantic import SecretStr

KEY = SecretStr("a-key-of-tests-that-has-32-bytes-or-more")


def bearer(role: str = "viewer", dealers: list[str] | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(KEY, f'a-{role}', role, dealers)}"}


@pytest.fixture
async def http(workshop: Any) -> AsyncIterator[httpx2.AsyncClient]:
    app = create_app(
        "normalizer",
        "normalizer",
        "0",
        [api.router(workshop.database, workshop.quarantining)],
        verifier=TokenVerifier(StaticKey(KEY)),
    )
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://n", headers=bearer()) as client:
        yield client


async def get(http: httpx2.AsyncClient, path: str, **options: Any) -> Any:
    answer = await http.get(path, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_story_of_an_enriched_lead(
    http: httpx2.AsyncClient, north: Any, lead_push: Any, knowledge_push: Any
) -> None:
    await north.raw.handle([lead_push(), knowledge_push(parameters={"ip": "203.0.113.17", "city": "Омск"})])
    (lead_id,) = await north.leads()
    story = await get(http, f"/v1/leads/{lead_id}")
    assert [(one["event_type"], one["raw_id"]) for one in story["revisions"]] == [
        ("lead.received.v1", "lead-1"),
        ("lead.enriched.v1", "know-1"),
    ]
    assert [(one["raw_id"], one["alone"], one["parameters"]) for one in story["knowledge"]] == [
        ("lead-1", False, []),
        ("know-1", True, ["city", "ip"]),
    ]
    assert "203.0.113.17" not in str(story)
    assert (await get(http, "/v1/raw/know-1"))["lead_id"] == str(lead_id)


async def test_what_waits_is_listed(
    http: httpx2.AsyncClient, north: Any, lead_push: Any, knowledge_push: Any
) -> None:
    told = [knowledge_push("late", lead_id="AT-2", at=9), knowledge_push("early", lead_id="AT-3", at=4)]
    await north.raw.handle([lead_push(), knowledge_push(), *told])
    page = await get(http, "/v1/knowledge?waiting=true&sort=received_at")
    assert [one["raw_id"] for one in page["items"]] == ["early", "late"]
    assert [one["parameters"] for one in page["items"]] == [["source"]] * 2
    assert "yandex" not in str(page)
    first = await get(http, "/v1/knowledge?waiting=true&sort=received_at&limit=1")
    after = await get(http, f"/v1/knowledge?waiting=true&sort=received_at&cursor={first['next_cursor']}")
    assert [one["raw_id"] for one in after["items"]] == ["late"]
    raw = await get(http, "/v1/raw/early")
    assert raw["lead_id"] == page["items"][0]["lead_id"]
    assert raw["quarantine"] is None
    one = await get(http, f"/v1/knowledge?lead_id={raw['lead_id']}")
    assert [entry["raw_id"] for entry in one["items"]] == ["early"]


async def test_of_what_waits_no_dealer_is_known(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/knowledge", headers=bearer(dealers=["north"]))
    assert answer.status_code == 403
