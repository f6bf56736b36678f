"""A trial makes no lead, and shows what lead it would make."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from leadbus.web import Actor, Role, TokenVerifier, create_app, sign_token
from leadbus.web.tokens import StaticKey
from normalizer import api
from pydantic import SecretStr

from tests.support.virtualexpo import document

KEY = SecretStr("a-key-of-tests-that-has-32-bytes-or-more")
BUYER = {"firstName": "Claire", "lastName": "Le Goff", "email": "claire.legoff@legoff.example"}


def bearer(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign_token(KEY, f'a-{role}', role)}"}


@pytest.fixture
async def http(workshop: Any) -> AsyncIterator[httpx2.AsyncClient]:
    routers = [api.router(workshop.database, workshop.quarantining)]
    app = create_app("normalizer", "normalizer", "0", routers, verifier=TokenVerifier(StaticKey(KEY)))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://n", headers=bearer("operator")
    ) as client:
        yield client


async def try_out(workshop: Any, message: Any, *categories: str, mapped: bool = True) -> None:
    """Leads of these categories, of a subscription that selects requests alone."""
    if mapped:
        location = {"source": "virtualexpo", "external_id": "18822", "dealer": "prairie-motors"}
        await workshop.map_dealer()
        await workshop.settings.put("Location", "stand", location, actor="test")
    for number, category in enumerate(categories):
        body = document(category, type="Quote", buyer=BUYER, at_id=f"VX-{number}")
        told = {"trial": "true", "categories": "request"}
        await workshop.raw.handle(
            [
                message(
                    body,
                    f"raw-{number}",
                    source="virtualexpo",
                    account="aero",
                    content_type="application/xml",
                    **told,
                )
            ]
        )


async def test_a_trial_shows_the_lead_that_it_would_make(workshop: Any, message: Any, http: Any) -> None:
    await try_out(workshop, message, "request")
    (listed,) = (await http.get("/v1/trials?source=virtualexpo&account=aero")).json()["items"]
    assert (listed["raw_id"], listed["reason"]) == ("raw-0", None)
    path = f"/v1/trials/{listed['raw_key']}"

    hidden = (await http.get(path, headers=bearer("viewer"))).json()
    assert hidden["masked"] is True
    assert hidden["lead"]["dealer"]["dealer_id"] == "prairie-motors"
    assert "Goff" not in str(hidden)
    shown = (await http.get(f"{path}?reveal=true")).json()
    assert shown["lead"]["customer"]["emails"][0]["address"] == BUYER["email"]
    assert (await http.get(f"{path}?reveal=true", headers=bearer("viewer"))).status_code == 403

    assert not await workshop.leads()
    acts = await workshop.fetch("SELECT object FROM audit WHERE action = 'trial.reveal'")
    assert [act["object"] for act in acts] == [f"raw/{listed['raw_key']}"]


async def test_a_trial_says_what_would_be_quarantined(workshop: Any, message: Any, http: Any) -> None:
    await try_out(workshop, message, "request", "visit")
    newest, oldest = (await http.get("/v1/trials")).json()["items"]
    assert {newest["reason"], oldest["reason"]} == {None, "category_not_selected"}
    refused = newest if newest["reason"] else oldest
    told = (await http.get(f"/v1/trials/{refused['raw_key']}")).json()
    assert (told["lead"], told["reason"], told["field"]) == (None, "category_not_selected", "@category")


async def test_a_trial_is_read_by_todays_directory(workshop: Any, message: Any, http: Any) -> None:
    await try_out(workshop, message, "request", mapped=False)
    (listed,) = (await http.get("/v1/trials")).json()["items"]
    assert listed["reason"] == "location_unmapped"
    await try_out(workshop, message)
    told = (await http.get(f"/v1/trials/{listed['raw_key']}")).json()
    assert told["lead"]["ids"][0]["value"] == "VX-0"


async def test_what_was_no_trial_is_not_found(workshop: Any, payload: Any, message: Any, http: Any) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload())])
    (raw,) = await workshop.fetch("SELECT raw_key FROM raw")
    assert (await http.get("/v1/trials")).json()["items"] == []
    assert (await http.get(f"/v1/trials/{raw['raw_key']}")).status_code == 404


async def test_a_trial_tells_nobody(workshop: Any, message: Any) -> None:
    """Neither of leads, nor of what goes into quarantine and leaves it."""
    await try_out(workshop, message, "request", "visit", mapped=False)
    assert await workshop.reasons() == ["location_unmapped", "category_not_selected"]
    await try_out(workshop, message)
    await workshop.quarantining.release_mapped()
    (refused,) = [one for one in await workshop.quarantined() if one["state"] == "open"]
    await workshop.quarantining.discard(refused["raw_key"], Actor("olga", Role.OPERATOR), "a trial")
    assert await workshop.reasons() == []
    assert await workshop.event_types() == []
