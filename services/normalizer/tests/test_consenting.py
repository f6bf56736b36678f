"""Acts of consent reach every lead they concern: those that are here and those that come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from normalizer import surroundings
from normalizer.store import acts

from tests.support.consenting import (
    ANN,
    BOB,
    OTHER,
    TERMS,
    Desk,
    Make,
    chats,
    consents,
    lead_of,
    prepare,
    use,
    visits,
)
from tests.support.virtualexpo import document

LONG_WAY = "normalizer.written"


@pytest.fixture
async def keyed(workshop: Any) -> Any:
    return await prepare(workshop)


@pytest.fixture
def desk(keyed: Any) -> Desk:
    return Desk(keyed)


@pytest.fixture
def chat(payload: Any, message: Any) -> Make:
    return chats(payload, message)


@pytest.fixture
def visit(message: Any) -> Make:
    return visits(message)


@pytest.mark.parametrize("few", [0, 8])
async def test_a_lead_that_comes_after_a_withdrawal_comes_withdrawn(
    keyed: Any, desk: Desk, chat: Any, passed: list[str], monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(surroundings, "FEW", few)
    await desk.say("withdraw", f"mailto:{ANN}")
    await keyed.raw.handle([chat("a"), chat("b", BOB)])
    assert await consents(keyed, "a", "b") == ["withdrawn", "request"]
    assert LONG_WAY in passed
    events = {event.data["lead"]["lead_id"]: event for event in await keyed.published()}
    assert {event.type for event in events.values()} == {"lead.received.v1"}
    withdrawn = events[str((await lead_of(keyed, "a")).lead_id)].data["lead"]["consent"]
    assert withdrawn["basis"] == "withdrawn"
    assert not withdrawn.get("purposes")


async def test_leads_that_are_here_are_told_by_an_event_of_their_own(
    keyed: Any, desk: Desk, chat: Any
) -> None:
    await keyed.raw.handle([chat("a"), chat("b", BOB), chat("c")])
    before = {event.id for event in await keyed.published()}
    act_id = await desk.say("withdraw", f"mailto:{ANN}")
    await desk.apply()
    assert await consents(keyed, "a", "b", "c") == ["withdrawn", "request", "withdrawn"]
    told = [event for event in await keyed.published() if event.id not in before]
    assert [(event.type, event.data["changed"], event.data["lead"]["revision"]) for event in told] == [
        ("lead.consent_changed.v1", ["consent"], 2)
    ] * 2
    revisions = await keyed.fetch("SELECT * FROM lead_revision WHERE act_id IS NOT NULL")
    assert {one["act_id"] for one in revisions} == {act_id}
    first = await keyed.fetch("SELECT lead_id, raw_key FROM lead_revision WHERE revision = 1")
    assert {(one["lead_id"], one["raw_key"]) for one in revisions} <= {
        (one["lead_id"], one["raw_key"]) for one in first
    }


async def test_a_visit_is_contactable_once_it_is_permitted(keyed: Any, desk: Desk, visit: Any) -> None:
    await keyed.raw.handle([visit("VX-1")])
    assert await consents(keyed, "VX-1") == ["none"]
    await desk.say("grant", f"mailto:{ANN}", "nurture")
    await desk.apply()
    lead = await lead_of(keyed, "VX-1")
    assert (lead.consent.basis, lead.consent.purposes) == ("granted", ("nurture",))
    await desk.say("withdraw", f"mailto:{ANN}")
    await desk.say("grant", f"mailto:{ANN}", "nurture")
    await desk.apply()
    assert await consents(keyed, "VX-1") == ["withdrawn"]
    assert (await lead_of(keyed, "VX-1")).revision == 3


async def test_what_a_source_says_outright_is_an_act_for_all_leads_of_the_person(
    keyed: Any, desk: Desk, chat: Any, visit: Any
) -> None:
    await keyed.raw.handle([chat("a"), visit("VX-1")])
    await keyed.raw.handle([visit("VX-2", "true")])
    await desk.apply()
    assert await consents(keyed, "a", "VX-1", "VX-2") == ["request", "granted", "granted"]
    await keyed.raw.handle([visit("VX-3", "false")])
    await desk.apply()
    assert await consents(keyed, "a", "VX-1", "VX-2", "VX-3") == ["withdrawn"] * 4
    by_source = await keyed.fetch("SELECT DISTINCT told_by, action FROM consent_act ORDER BY 2")
    assert by_source == [
        {"told_by": "source", "action": "grant"},
        {"told_by": "source", "action": "withdraw"},
    ]


async def test_a_replay_of_what_a_source_said_is_the_same_act(
    keyed: Any, desk: Desk, visit: Any, operator: Any
) -> None:
    await keyed.raw.handle([visit("VX-1", "false")])
    (row,) = await keyed.fetch("SELECT raw_key FROM raw")
    before = await keyed.fetch("SELECT * FROM consent_act ORDER BY act_no")
    await keyed.quarantining.replay_raw(row["raw_key"], operator)
    assert await keyed.fetch("SELECT * FROM consent_act ORDER BY act_no") == before
    assert (await lead_of(keyed, "VX-1")).revision == 1


@pytest.mark.parametrize("mark", ["test", "trial"])
async def test_nobody_is_bound_by_what_a_test_says(
    keyed: Any, desk: Desk, visit: Any, message: Any, mark: str
) -> None:
    body = document("visit", buyer={"email": ANN}, consent={"given": "false"})
    marked: dict[str, Any] = {mark: "true"}
    await keyed.raw.handle(
        [message(body, "raw-t", source="virtualexpo", content_type="application/xml", **marked)]
    )
    assert await keyed.fetch("SELECT FROM consent_act") == []


async def test_later_messages_keep_the_consent_and_a_replay_makes_the_same_lead(
    keyed: Any, desk: Desk, visit: Any, operator: Any
) -> None:
    await keyed.raw.handle([visit("VX-1")])
    await desk.say("grant", f"mailto:{ANN}", "nurture")
    await desk.apply()
    again = visit("VX-1", createdAt="2026-04-15T10:22:31Z")
    await keyed.raw.handle([replace(again, headers={**again.headers, "cloudEvents_id": "raw-again"})])
    lead = await lead_of(keyed, "VX-1")
    assert (lead.consent.basis, lead.consent.purposes) == ("granted", ("nurture",))
    (row,) = await keyed.fetch("SELECT told_consent::text FROM lead")
    assert '"none"' in row["told_consent"]
    for raw in await keyed.fetch("SELECT raw_key FROM raw"):
        await keyed.quarantining.replay_raw(raw["raw_key"], operator)
    assert await lead_of(keyed, "VX-1") == lead


async def test_a_refusal_of_one_purpose_leaves_the_others_and_more_refusals_add_up(
    keyed: Any, desk: Desk, chat: Any
) -> None:
    await keyed.raw.handle([chat("a")])
    await desk.say("withdraw", f"mailto:{ANN}", "sales")
    await desk.apply()
    lead = await lead_of(keyed, "a")
    assert (lead.consent.basis, lead.consent.purposes) == ("request", ("reply",))
    await desk.say("withdraw", f"mailto:{ANN}", "reply")
    await desk.apply()
    assert await consents(keyed, "a") == ["withdrawn"]
    await desk.say("grant", f"mailto:{ANN}", "nurture")
    await desk.apply()
    lead = await lead_of(keyed, "a")
    assert (lead.consent.basis, lead.consent.purposes) == ("granted", ("nurture",))


@pytest.mark.parametrize("comes", ["before the lead", "after the lead"])
async def test_a_withdrawal_holds_when_the_lead_is_told_of_other_contacts(
    keyed: Any, desk: Desk, chat: Any, comes: str
) -> None:
    if comes == "before the lead":
        await desk.say("withdraw", f"mailto:{ANN}")
    await keyed.raw.handle([chat("a")])
    await desk.say("withdraw", f"mailto:{ANN}", "sales")
    if comes == "after the lead":
        await desk.say("withdraw", f"mailto:{ANN}")
    await desk.apply()
    for n in (2, 3):
        await keyed.raw.handle([replace(chat("a", BOB, comments=f" {n}"), delivery_tag=n)])
    lead = await lead_of(keyed, "a")
    assert [email.address for email in lead.customer.emails] == [BOB]
    assert lead.consent.basis == "withdrawn"
    await keyed.raw.handle([chat("b", BOB)])
    assert await consents(keyed, "b") == ["request"]


async def test_a_withdrawal_goes_by_links_to_the_persons_other_leads(
    keyed: Any, desk: Desk, chat: Any
) -> None:
    use(keyed, window=timedelta(days=14))
    phone = "312-555-0191"
    await keyed.raw.handle([chat("a", ANN, phone=phone)])
    await keyed.raw.handle([chat("b", BOB, phone=phone, account="two")])
    await keyed.raw.handle([chat("c", "carol@example.org", account="two")])
    await desk.say("withdraw", f"mailto:{BOB}")
    await desk.apply()
    assert await consents(keyed, "a", "b", "c") == ["withdrawn", "withdrawn", "request"]


async def test_a_grant_does_not_go_by_links(keyed: Any, desk: Desk, chat: Any, visit: Any) -> None:
    use(keyed, window=timedelta(days=14))
    await keyed.raw.handle([visit("VX-1")])
    await keyed.raw.handle([chat("a", ANN)])
    assert (await lead_of(keyed, "a")).links
    await desk.say("grant", f"lead:{(await lead_of(keyed, 'a')).lead_id}", "nurture")
    await desk.apply()
    assert await consents(keyed, "VX-1") == ["none"]


async def test_a_lead_linked_with_one_that_is_withdrawn_comes_withdrawn(
    keyed: Any, desk: Desk, chat: Any
) -> None:
    use(keyed, window=timedelta(days=14))
    phone = "312-555-0191"
    await keyed.raw.handle([chat("a", ANN, phone=phone)])
    await desk.say("withdraw", f"mailto:{ANN}")
    await desk.apply()
    await keyed.raw.handle([chat("b", BOB, phone=phone, account="two")])
    assert await consents(keyed, "a", "b") == ["withdrawn", "withdrawn"]
    assert (await lead_of(keyed, "b")).revision == 1


async def test_an_act_about_a_lead_without_contacts(keyed: Any, desk: Desk, visit: Any) -> None:
    await keyed.raw.handle([visit("VX-1", email="")])
    lead = await lead_of(keyed, "VX-1")
    await desk.say("grant", f"lead:{lead.lead_id}", "nurture")
    await desk.apply()
    assert await consents(keyed, "VX-1") == ["granted"]


@pytest.mark.parametrize(
    ("stored", "today"),
    [
        pytest.param(None, (), id="there is no key"),
        pytest.param(None, (TERMS,), id="stored before there was one"),
        pytest.param(OTHER, (TERMS,), id="stored under a key that is gone"),
        pytest.param(OTHER, (TERMS, OTHER), id="stored under the key before"),
    ],
)
async def test_leads_are_found_whatever_key_they_were_stored_under(
    keyed: Any, chat: Any, stored: Any, today: Any
) -> None:
    use(keyed, stored)
    await keyed.raw.handle([chat("a", "Ann@Example.org"), chat("b", BOB, phone="312-555-0191")])
    desk = Desk(keyed, today)
    await desk.say("withdraw", f"mailto:{ANN}")
    await desk.say("withdraw", "tel:+13125550191")
    await desk.apply()
    assert await consents(keyed, "a", "b") == ["withdrawn", "withdrawn"]


async def test_more_leads_than_a_batch_holds(
    keyed: Any, desk: Desk, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "_LEADS", 3)
    monkeypatch.setattr(acts, "_WALKED", 4)
    await keyed.raw.handle([chat(f"a{n}") for n in range(10)])
    use(keyed, OTHER)
    await keyed.raw.handle([chat(f"b{n}") for n in range(10)])
    await desk.say("withdraw", f"mailto:{ANN}")
    await desk.apply()
    ids = [f"{letter}{n}" for letter in "ab" for n in range(10)]
    assert await consents(keyed, *ids) == ["withdrawn"] * 20
    assert {row["revision"] for row in await keyed.fetch("SELECT revision FROM lead")} == {2}
