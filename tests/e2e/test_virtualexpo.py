"""VirtualExpo from the vendor to the dealer's mail: a trial that makes nothing, and what follows it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from leadbus_devstack import stack as stacks
from leadbus_devstack.sandboxes.virtualexpo_documents import document, lead
from leadbus_devstack.servers import Servers
from leadbus_devstack.stack import Stack

pytestmark = pytest.mark.timeout(300)

DEADLINE_SECONDS = 120.0
ADDRESS = "leads@hoffmann.example"


@dataclass
class House:
    """A dealer with a stand on a marketplace, and everything between."""

    stack: Stack

    async def ask(self, service: str, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.stack.token('admin')}"}
        async with httpx2.AsyncClient(base_url=self.stack.services[service].url, timeout=20) as http:
            answer = await http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def put(self, service: str, kind: str, called: str, /, **spec: object) -> None:
        await self.ask(service, "PUT", f"/v1/settings/{kind}/{called}", {"spec": spec})

    async def set_up(self) -> None:
        """Its one stand is known, and where its leads go."""
        await self.put(
            "normalizer", "Dealer", "hoffmann", name="Hoffmann", country="DE", time_zone="Europe/Berlin"
        )
        await self.put(
            "normalizer",
            "Location",
            "stand",
            source="virtualexpo",
            external_id="18822",
            dealer="hoffmann",
        )
        await self.put("adf-mailer", "AdfRoute", "hoffmann", dealer="hoffmann", address=ADDRESS)

    async def subscribe(self, name: str, *, trial: bool) -> None:
        sandbox = self.stack.sandboxes["virtualexpo"]
        await self.put(
            "ingest",
            "VirtualExpoSubscription",
            name,
            marketplace="DirectIndustry",
            url=f"{sandbox.url}/leads?stand={name}&key={{key}}",
            key=f"file:{sandbox.secret_file}",
            trial=trial,
        )

    async def items(self, service: str, path: str) -> list[Any]:
        return list((await self.ask(service, "GET", path))["items"])


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is other processes'
            await asyncio.sleep(0.2)


@pytest.fixture
def house(servers: Servers, worker_label: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("stack")
    name = f"vx-{worker_label}-{secrets.token_hex(3)}"
    stacks.migrate(servers.postgres_url, name)
    stack = Stack(servers, folder / "logs", folder / "mail", name=name, partners=("virtualexpo",))
    try:
        with stacks.running(stack):
            yield House(stack)
    finally:
        stack.remove()


async def test_a_trial_makes_nothing_and_its_leads_come_when_it_is_over(house: House) -> None:
    leads = [lead("VX-1"), lead("VX-2", category="visit", type_=None)]
    house.stack.sandboxes["virtualexpo"].ask("PUT", "/document", {"xml": document(leads)})
    await house.set_up()

    await house.subscribe("trial", trial=True)

    async def tried() -> bool:
        return len(await house.items("normalizer", "/v1/trials?account=trial")) == len(leads)

    await until(tried)
    told = await house.items("normalizer", "/v1/trials")
    assert sorted(str(one["reason"]) for one in told) == ["None", "category_not_selected"]
    mapped = next(one for one in told if one["reason"] is None)
    reading = await house.ask("normalizer", "GET", f"/v1/trials/{mapped['raw_key']}")
    assert reading["lead"]["dealer"]["dealer_id"] == "hoffmann"
    report = await house.ask("ingest", "GET", "/v1/virtualexpo/subscriptions/trial/trial")
    assert report["report"]["categories"] == {"request": 1, "visit": 1}

    await house.subscribe("stand", trial=False)

    async def mailed() -> object:
        return house.stack.smtp.messages()

    await until(mailed)
    (mail,) = house.stack.smtp.messages()
    assert mail.rcpt_to == [ADDRESS]
    (made,) = await house.items("normalizer", "/v1/leads")
    assert (made["source"], made["account"]) == ("virtualexpo", "stand")
    refused = await house.items("normalizer", "/v1/quarantine?account=stand&state=open")
    assert [entry["reason"] for entry in refused] == ["category_not_selected"]
