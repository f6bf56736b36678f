"""Leads of BDK connections off the queue: placed by partner number, read by the types in force."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from leadbus.contracts.examples.bdk import BDK
from leadbus.settings.documents import DocumentStore
from leadbus.web.etag import Condition
from leadbus.web.problems import Problem
from normalizer.consumers import RawConsumer
from normalizer.lead_types import LEAD_TYPE_OVERRIDE, LeadTypesInForce
from normalizer.normalizing import Normalizing
from normalizer.quarantining import Quarantining
from normalizer.receiving import Limits

LEAD = {
    "leadId": "LS-1",
    "partnerNumber": "0047110",
    "bdkLeadTypeId": "7f",
    "customer": {"lastName": "Ahlen"},
}
ANYWAY = Condition(tags=("*",))


@pytest.fixture
def bdk(workshop: Any) -> Any:
    """The workshop with the types that its settings put in force."""
    in_force = LeadTypesInForce(workshop.database)
    normalizing = Normalizing(Limits(body_bytes=4 * 2**20), lead_types=in_force)
    workshop.raw = RawConsumer(workshop.database, normalizing, workshop.clock, bare_window_seconds=600)
    workshop.quarantining = Quarantining(
        workshop.database, normalizing, workshop.clock, batch_size=10, poll_seconds=0.2
    )
    workshop.in_force = in_force
    workshop.types = DocumentStore(workshop.database, [LEAD_TYPE_OVERRIDE], clock=workshop.clock)
    return workshop


async def place(workshop: Any, partner_number: str = "0047110", account: str | None = None) -> None:
    await workshop.map_dealer()
    spec = {"source": "bdk", "account": account, "external_id": partner_number, "dealer": "prairie-motors"}
    await workshop.settings.put("Location", f"bdk-{partner_number}", spec, actor="test")


def told(message: Any, body: Any, number: int = 1, account: str = "bank") -> Any:
    return message(
        json.dumps(body).encode(),
        source="bdk",
        account=account,
        content_type="application/json",
        id=f"raw-{number}",
    )


async def test_an_unknown_partner_number_waits_for_its_location_and_is_released(
    bdk: Any, message: Any
) -> None:
    await bdk.raw.handle([told(message, LEAD)])
    assert await bdk.reasons() == ["location_unmapped"]
    (entry,) = await bdk.quarantined()
    assert entry["location"] == "0047110"
    await place(bdk)
    await bdk.quarantining.release_mapped()
    assert await bdk.reasons() == []
    lead = await bdk.lead()
    assert (lead.account, lead.dealer.dealer_id) == ("bank", "prairie-motors")


async def test_a_location_may_be_of_one_connection_alone(bdk: Any, message: Any) -> None:
    await place(bdk, account="other")
    await bdk.raw.handle([told(message, LEAD)])
    assert await bdk.reasons() == ["location_unmapped"]


@pytest.mark.parametrize("type_id", sorted(BDK))
async def test_each_example_is_a_lead_of_its_connection(bdk: Any, message: Any, type_id: str) -> None:
    await place(bdk, str(BDK[type_id]["partnerNumber"]))
    await bdk.raw.handle([told(message, BDK[type_id])])
    lead = await bdk.lead()
    assert (lead.source, lead.account, lead.source_type) == ("bdk", "bank", type_id)


async def test_the_same_lead_told_anew_is_a_revision_and_told_the_same_is_nothing(
    bdk: Any, message: Any
) -> None:
    await place(bdk)
    await bdk.raw.handle([told(message, LEAD)])
    await bdk.raw.handle([told(message, LEAD)])
    await bdk.raw.handle([told(message, {**LEAD, "message": "Bitte abends"}, 2)])
    assert list((await bdk.leads()).values()) == [2]
    assert (await bdk.lead()).message == "Bitte abends"


async def test_an_override_is_read_by_the_next_lead_and_by_a_replay(bdk: Any, message: Any) -> None:
    await place(bdk)
    await bdk.raw.handle([told(message, LEAD)])
    assert "callback" in (await bdk.lead()).intents
    spec = {"type_id": "7f", "callback": False, "product": "financing", "ambiguous": False}
    await bdk.types.put("LeadTypeOverride", "7f", spec, actor="test")
    await bdk.in_force.load()
    await bdk.raw.handle([told(message, {**LEAD, "leadId": "LS-2"}, 2)])
    leads = {lead.ids[0].value: lead for lead in [await bdk.lead(lead_id) for lead_id in await bdk.leads()]}
    assert "callback" in leads["LS-1"].intents
    assert {"callback", "financing"} & set(leads["LS-2"].intents) == {"financing"}


async def test_an_override_of_one_account_is_for_its_leads_alone(bdk: Any, message: Any) -> None:
    await place(bdk)
    spec = {"type_id": "1a", "account": "bank", "urgency": {"title": "highest"}}
    await bdk.types.put("LeadTypeOverride", "urgent", spec, actor="test")
    await bdk.in_force.load()
    body = {**LEAD, "bdkLeadTypeId": "1a"}
    await bdk.raw.handle([told(message, body), told(message, body, 2, account="other")])
    leads = [await bdk.lead(lead_id) for lead_id in await bdk.leads()]
    assert {lead.account: lead.urgency for lead in leads} == {"bank": "highest", "other": "normal"}


async def test_two_overrides_of_one_type_are_refused(bdk: Any) -> None:
    spec = {"type_id": "1a", "callback": True}
    await bdk.types.put("LeadTypeOverride", "one", spec, actor="test")
    for type_id in ("1a", "1A"):
        with pytest.raises(Problem) as refused:
            await bdk.types.put("LeadTypeOverride", "other", {**spec, "type_id": type_id}, actor="test")
        assert [error.pointer for error in refused.value.errors] == ["/spec/type_id"]
    await bdk.types.put("LeadTypeOverride", "other", {**spec, "account": "bank"}, actor="test")


async def test_a_change_is_heard_in_every_process(bdk: Any) -> None:
    tasks = [asyncio.create_task(bdk.in_force.run()), asyncio.create_task(bdk.in_force.listen())]
    await bdk.types.put("LeadTypeOverride", "new", {"type_id": "2a", "product": "cash"}, actor="test")

    async def known() -> bool:
        return bool(bdk.in_force.of("bank").read("2a").known)

    await bdk.until(known)
    await bdk.types.delete("LeadTypeOverride", "new", actor="test", condition=ANYWAY)

    async def forgotten() -> bool:
        return not await known()

    await bdk.until(forgotten)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
