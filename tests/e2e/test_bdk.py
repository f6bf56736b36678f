"""The BDK from its word of a lead to the dealer's mail, with every way in which a lead can be told of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leadbus_devstack.sandboxes.bdk import CLIENT_ID
from leadbus_devstack.servers import Servers

from tests.e2e.house import House, running_stack, until

pytestmark = pytest.mark.timeout(300)

ADDRESS = "leads@hoffmann.example"
KNOWN, UNKNOWN = "0047110", "0099999"


def lead(lead_id: str, type_id: str, partner_number: str = KNOWN) -> dict[str, Any]:
    return {
        "leadId": lead_id,
        "partnerNumber": partner_number,
        "bdkLeadTypeId": type_id,
        "createdAt": "2026-04-14T10:22:31+02:00",
        "customer": {"firstName": "Jördis", "lastName": lead_id, "email": f"{lead_id}@example.org"},
    }


class Bank(House):
    """A dealer with a partner number, and everything between the bank and its mailbox."""

    async def place(self, partner_number: str) -> None:
        await self.put(
            "normalizer",
            "Location",
            f"bdk-{partner_number}",
            source="bdk",
            external_id=partner_number,
            dealer="hoffmann",
        )

    async def set_up(self) -> None:
        await self.put(
            "normalizer", "Dealer", "hoffmann", name="Hoffmann", country="DE", time_zone="Europe/Berlin"
        )
        await self.place(KNOWN)
        await self.put("adf-mailer", "AdfRoute", "hoffmann", dealer="hoffmann", address=ADDRESS)
        bank = self.stack.sandboxes["bdk"]
        secret = f"file:{bank.secret_file}"
        await self.put(
            "ingest",
            "BdkConnection",
            "bank",
            base_url=bank.url,
            token_url=f"{bank.url}/oauth/token",
            client_id=CLIENT_ID,
            client_secret=secret,
            partner_numbers=[KNOWN],
            notifications={"secrets": [secret]},
            reconciliation={"interval_seconds": 30},
        )

    async def bank(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self.stack.sandboxes["bdk"].ask, method, path, body)


@pytest.fixture
def house(servers: Servers, worker_label: str, tmp_path: Path) -> Iterator[Bank]:
    with running_stack(servers, tmp_path, worker_label, partners=("bdk",)) as stack:
        yield Bank(stack)


async def test_every_word_of_a_lead_ends_in_one_mail(house: Bank) -> None:
    await house.set_up()
    url = f"{house.stack.services['ingest'].url}/v1/bdk/notifications"
    # Nobody tells of the first one: the list finds it.
    await house.bank("POST", "/leads?quietly=true", [lead("lost", "1a")])
    for kind, lead_id, type_id in (("thin", "thin", "1e"), ("fat", "fat", "7f")):
        await house.bank("PUT", "/notifying", {"url": url, "kind": kind})
        assert await house.bank("POST", "/leads", [lead(lead_id, type_id)]) == [202]
    order = {"lead_ids": ["thin", "fat", "lost"], "copies": 3, "shuffled": True}
    assert await house.bank("POST", "/notify", order) == [202] * 9
    await until(house.mailed(3))

    # A type that nobody knows, and a dealer that nobody knows.
    told = [lead("newtype", "99z"), lead("stranger", "1a", UNKNOWN)]
    assert await house.bank("POST", "/leads", told) == [202, 202]
    await until(house.mailed(4))

    async def waits() -> bool:
        return bool(await house.items("normalizer", "/v1/quarantine?source=bdk&state=open"))

    await until(waits)
    (entry,) = await house.items("normalizer", "/v1/quarantine?source=bdk&state=open")
    assert (entry["reason"], entry["location"]) == ("location_unmapped", UNKNOWN)
    await house.place(UNKNOWN)
    await until(house.mailed(5))

    leads = await house.items("normalizer", "/v1/leads")
    assert [(one["source"], one["account"]) for one in leads] == [("bdk", "bank")] * 5
    assert len(house.stack.smtp.messages()) == 5
    (bank,) = await house.items("ingest", "/v1/bdk/connections")
    assert (bank["state"], bank["waiting"]) == ("well", {})
