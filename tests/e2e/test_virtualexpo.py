"""VirtualExpo from the vendor to the dealer's mail: a trial that makes nothing, and what follows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from leadbus_devstack.sandboxes.virtualexpo_documents import document, lead
from leadbus_devstack.servers import Servers

from tests.e2e.house import House, running_stack, until

pytestmark = pytest.mark.timeout(300)

ADDRESS = "leads@hoffmann.example"


class Exhibitor(House):
    """A dealer with a stand on a marketplace, and everything between."""

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


@pytest.fixture
def house(servers: Servers, worker_label: str, tmp_path: Path) -> Iterator[Exhibitor]:
    with running_stack(servers, tmp_path, worker_label, partners=("virtualexpo",)) as stack:
        yield Exhibitor(stack)


async def test_a_trial_makes_nothing_and_its_leads_come_when_it_is_over(house: Exhibitor) -> None:
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

    await until(house.mailed(1))
    (mail,) = house.stack.smtp.messages()
    assert mail.rcpt_to == [ADDRESS]
    (made,) = await house.items("normalizer", "/v1/leads")
    assert (made["source"], made["account"]) == ("virtualexpo", "stand")
    refused = await house.items("normalizer", "/v1/quarantine?account=stand&state=open")
    assert [entry["reason"] for entry in refused] == ["category_not_selected"]
