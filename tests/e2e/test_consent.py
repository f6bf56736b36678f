"""Consent from the person to the dealer's mail: held, permitted by a link, refused for good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from leadbus_devstack.servers import Servers

from tests.e2e.house import House, running_stack, until
from tests.support.virtualexpo import document

pytestmark = pytest.mark.timeout(300)

ANN = "ann@example.org"


class Exhibitor(House):
    """An exhibitor whose stand people look at."""

    async def set_up(self) -> None:
        """Its stand is known, where its leads go, and who may push them."""
        await self.put("ingest", "Source", "virtualexpo")
        await self.put("normalizer", "Dealer", "hoffmann", name="Hoffmann", country="DE")
        stand = {"source": "virtualexpo", "external_id": "18822", "dealer": "hoffmann"}
        await self.put("normalizer", "Location", "stand", **stand)
        route = {"dealer": "hoffmann", "address": "leads@hoffmann.example"}
        await self.put("adf-mailer", "AdfRoute", "hoffmann", **route)
        self.key = await asyncio.to_thread(self.stack.create_api_key, "virtualexpo")

    async def visited(self, id_: str, email: str = ANN) -> str:
        """Somebody looked at the stand; returns the lead."""
        body = document("visit", at_id=id_, buyer={"email": email, "lastName": "Example"})
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/xml"}
        async with httpx2.AsyncClient(base_url=self.stack.services["ingest"].url, timeout=20) as http:
            answer = await http.post("/v1/raw/virtualexpo", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        raw_id = answer.json()["raw_id"]
        found: list[str] = []

        async def read() -> bool:
            query = "/v1/leads?source=virtualexpo&limit=100"
            for one in (await self.ask("normalizer", "GET", query))["items"]:
                story = await self.ask("normalizer", "GET", f"/v1/leads/{one['lead_id']}")
                if story["revisions"][0]["raw_id"] == raw_id:
                    found.append(one["lead_id"])
            return bool(found)

        await until(read)
        return found[0]

    async def outcomes(self, lead_id: str) -> list[str]:
        """What the sinks said of the lead last."""
        story = await self.ask("normalizer", "GET", f"/v1/leads/{lead_id}")
        return [entry["outcome"] for entry in story["ledger"]]

    async def until_said(self, lead_id: str, outcome: str) -> None:
        async def said() -> bool:
            return outcome in await self.outcomes(lead_id)

        await until(said)


@pytest.fixture
def house(servers: Servers, worker_label: str, tmp_path: Path) -> Iterator[Exhibitor]:
    with running_stack(servers, tmp_path, worker_label) as stack:
        yield Exhibitor(stack)


async def test_a_visit_is_mailed_once_it_is_permitted_and_never_after_a_withdrawal(house: Exhibitor) -> None:
    await house.set_up()
    first = await house.visited("VX-1")
    await house.until_said(first, "consent")
    assert house.stack.smtp.messages() == []

    link = (await house.ask("normalizer", "POST", f"/v1/leads/{first}/opt-in", {"purpose": "nurture"}))[
        "path"
    ]
    async with httpx2.AsyncClient(base_url=house.stack.services["normalizer"].url) as browser:
        assert (await browser.get(link)).status_code == 200
        assert house.stack.smtp.messages() == []
        assert (await browser.post(link)).status_code == 200
    await house.until_said(first, "delivered")
    assert len(house.stack.smtp.messages()) == 1

    second = await house.visited("VX-2")
    await house.until_said(second, "delivered")

    await house.ask("normalizer", "POST", "/v1/consents", {"action": "withdraw", "email": ANN})
    third, other = await house.visited("VX-3"), await house.visited("VX-4", "bob@example.org")
    for lead_id in (third, other):
        await house.until_said(lead_id, "consent")

    async def told() -> bool:
        stories = [await house.ask("normalizer", "GET", f"/v1/leads/{one}") for one in (first, second, third)]
        return all(story["lead"]["consent"]["basis"] == "withdrawn" for story in stories)

    await until(told)
    assert len(house.stack.smtp.messages()) == 2
