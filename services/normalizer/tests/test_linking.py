"""Leads of one person that came through different sources or accounts name each other, and stay two leads."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from leadbus.contracts.lead import Lead
from leadbus.messages import IncomingMessage
from normalizer import reporting, surroundings
from normalizer.consumers import RawConsumer
from normalizer.domain.terms import Terms
from normalizer.linking import Linking
from normalizer.normalizing import Normalizing
from normalizer.quarantining import Quarantining
from normalizer.receiving import Limits
from normalizer.store import forgetting, queries

TERMS = Terms(b"the key of these tests, 32 bytes and more")
WINDOW = timedelta(days=14)
EMAIL, PHONE = "jose.nunez@example.net", "312-555-0191"

Send = Callable[..., Any]


def normalizing(terms: Terms = TERMS, window: timedelta = WINDOW) -> Normalizing:
    return Normalizing(Limits(body_bytes=4_194_304), terms, linking=Linking([terms], window))


def replica(workshop: Any, one: Normalizing | None = None) -> RawConsumer:
    return RawConsumer(workshop.database, one or normalizing(), workshop.clock, bare_window_seconds=600)


@pytest.fixture
async def linking(workshop: Any) -> Any:
    """A workshop that links."""
    workshop.raw = replica(workshop)
    workshop.quarantining = Quarantining(
        workshop.database, normalizing(), workshop.clock, batch_size=2, poll_seconds=0.2
    )
    await workshop.map_dealer()
    return workshop


@pytest.fixture
def chat(payload: Any, message: Any) -> Send:
    """A chat of one and the same person, through some account."""

    def make(id_: str, account: str = "one", /, **told: Any) -> IncomingMessage:
        body = payload(lead_id=id_, customer={"email": EMAIL, "phone": PHONE}) | told
        made: IncomingMessage = message(
            {name: value for name, value in body.items() if value is not None}, f"raw-{id_}", account=account
        )
        return made

    return make


async def lead_of(workshop: Any, id_: str) -> Lead:
    (row,) = await workshop.fetch("SELECT lead_id FROM raw WHERE wire_id = $1", f"raw-{id_}")
    found: Lead = await workshop.lead(row["lead_id"])
    return found


async def links_of(workshop: Any, id_: str) -> list[tuple[UUID, str]]:
    return [(link.lead_id, link.why) for link in (await lead_of(workshop, id_)).links]


def linked_count(why: str, source: str = "contactatonce") -> float:
    return float(reporting.LINKED.labels(source=source, why=why)._value.get())


@pytest.mark.parametrize("few", [0, 8])
async def test_the_later_lead_is_linked_from_the_start_and_the_earlier_by_a_revision(
    linking: Any, chat: Send, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Found by a look before the write, or by the write itself, which then fails."""
    monkeypatch.setattr(surroundings, "FEW", few)
    before = linked_count("possible_duplicate")
    await linking.raw.handle([chat("a", "one")])
    linking.clock.advance(60)
    await linking.raw.handle([chat("b", "two")])
    first, second = await lead_of(linking, "a"), await lead_of(linking, "b")
    assert await links_of(linking, "a") == [(second.lead_id, "possible_duplicate")]
    assert await links_of(linking, "b") == [(first.lead_id, "possible_duplicate")]
    assert (first.revision, second.revision) == (2, 1)
    (cause,) = await linking.fetch("SELECT raw_key FROM raw WHERE wire_id = 'raw-b'")
    last = [one for one in await linking.revisions() if one["lead_id"] == first.lead_id][-1]
    assert (last["event_type"], last["changed"], last["raw_key"]) == (
        "lead.updated.v1",
        ["links"],
        cause["raw_key"],
    )
    told = [
        (event.type, event.data["lead"]["lead_id"], event.data["changed"])
        for event in await linking.published()
    ]
    assert told == [
        ("lead.received.v1", str(first.lead_id), []),
        ("lead.received.v1", str(second.lead_id), []),
        ("lead.updated.v1", str(first.lead_id), ["links"]),
    ]
    assert linked_count("possible_duplicate") == before + 2


async def test_two_of_one_batch_are_linked_from_the_start(linking: Any, chat: Send) -> None:
    await linking.raw.handle([chat("a", "one"), chat("b", "two"), chat("c", "two")])
    first, second, third = [await lead_of(linking, id_) for id_ in "abc"]
    assert {link.lead_id for link in first.links} == {second.lead_id, third.lead_id}
    assert (
        [link.lead_id for link in second.links] == [link.lead_id for link in third.links] == [first.lead_id]
    )
    assert [event.type for event in await linking.published()] == ["lead.received.v1"] * 3


async def test_two_made_at_the_same_moment_are_linked_after(
    linking: Any, chat: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise the write of so few would see the other's lead, which no write sees at the very same moment.
    monkeypatch.setattr(surroundings, "FEW", 0)
    there = replica(linking)
    write_new = linking.raw._normalizing.write_new

    async def after_the_other(*arguments: Any, **named: Any) -> None:
        await there.handle([chat("b", "two")])
        await write_new(*arguments, **named)

    monkeypatch.setattr(linking.raw._normalizing, "write_new", after_the_other)
    await linking.raw.handle([chat("a", "one")])
    assert await links_of(linking, "a") == await links_of(linking, "b") == []
    await linking.raw.late_links.look()
    first, second = await lead_of(linking, "a"), await lead_of(linking, "b")
    assert await links_of(linking, "a") == [(second.lead_id, "possible_duplicate")]
    assert await links_of(linking, "b") == [(first.lead_id, "possible_duplicate")]
    assert Counter(event.type for event in await linking.published()) == {
        "lead.received.v1": 2,
        "lead.updated.v1": 2,
    }


async def test_many_of_one_person_at_many_replicas_are_all_linked(linking: Any, chat: Send) -> None:
    sent = [chat(f"x{n}", f"way-{n}") for n in range(12)]
    replicas = [replica(linking) for _ in range(4)]
    await asyncio.gather(*(one.handle(sent[n::4]) for n, one in enumerate(replicas)))
    await asyncio.gather(*(one.late_links.look() for one in replicas))
    for n in range(12):
        assert len(await links_of(linking, f"x{n}")) == 11, n
    ids = [event.id for event in await linking.published()]
    assert len(ids) == len(set(ids))


async def test_told_again_and_replayed_nothing_changes(linking: Any, chat: Send, operator: Any) -> None:
    await linking.raw.handle([chat("a", "one")])
    await linking.raw.handle([chat("b", "two")])
    before = await linking.revisions()
    await linking.raw.handle([chat("a", "one"), chat("b", "two")])
    for row in await linking.fetch("SELECT raw_key FROM raw"):
        await linking.quarantining.replay_raw(row["raw_key"], operator)
    assert await linking.revisions() == before


async def test_links_outlive_later_revisions_and_say_what_holds_then(linking: Any, chat: Send) -> None:
    await linking.raw.handle([chat("a", "one"), chat("b", "two", vehicle={"make": "Honda", "model": "CR-V"})])
    for make, why in (("Audi", "same_person"), ("Honda", "possible_duplicate")):
        linking.clock.advance(60)
        again = chat("a", "one", vehicle={"make": make, "model": "CR-V"})
        await linking.raw.handle([_renamed(again, f"raw-{make}")])
        assert [link[1] for link in await links_of(linking, "a")] == [why]
        assert [link[1] for link in await links_of(linking, "b")] == [why]
    last = [one for one in await linking.revisions() if one["raw_key"]][-1]
    assert "links" in last["changed"]


async def test_a_contact_told_later_links_too(linking: Any, chat: Send) -> None:
    await linking.raw.handle([chat("a", "one"), chat("b", "two", customer={"email": "other@example.net"})])
    assert await links_of(linking, "b") == []
    again = chat("b", "two", customer={"email": "other@example.net", "phone": PHONE})
    await linking.raw.handle([_renamed(again, "raw-more")])
    assert len(await links_of(linking, "a")) == len(await links_of(linking, "b")) == 1


async def test_what_leaves_the_quarantine_is_linked(linking: Any, chat: Send) -> None:
    await linking.raw.handle([chat("a", "one", dealer={"id": "new"})])
    await linking.raw.handle([chat("b", "two")])
    await linking.map_dealer(external_id="new")
    assert await linking.quarantining.release_mapped() == 1
    assert len(await links_of(linking, "a")) == len(await links_of(linking, "b")) == 1


@pytest.mark.parametrize(
    ("second", "later"),
    [
        pytest.param({"account": "one"}, timedelta(), id="the same way"),
        pytest.param({"customer": {"email": "other@example.net"}}, timedelta(), id="somebody else"),
        pytest.param({"dealer": {"id": "other"}}, timedelta(), id="another dealer"),
        pytest.param({}, WINDOW + timedelta(seconds=1), id="long after"),
        pytest.param({"test": True}, timedelta(), id="a test"),
    ],
)
async def test_others_are_not(
    linking: Any, chat: Send, passed: list[str], second: dict[str, Any], later: timedelta
) -> None:
    """And none of them costs a second try."""
    await linking.map_dealer("other-motors", "other")
    told = dict(second)
    await linking.raw.handle([chat("a", "one")])
    linking.clock.advance(later.total_seconds())
    await linking.raw.handle([chat("b", told.pop("account", "two"), **told)])
    assert await links_of(linking, "a") == await links_of(linking, "b") == []
    assert "normalizer.written" not in passed


@pytest.mark.parametrize(
    ("terms", "window"), [(Terms(), WINDOW), (TERMS, timedelta())], ids=["no key", "no window"]
)
async def test_nobody_is_looked_for_in_vain(
    linking: Any, chat: Send, terms: Terms, window: timedelta
) -> None:
    consumer = replica(linking, normalizing(terms, window))
    for id_, account in (("a", "one"), ("b", "two")):
        await consumer.handle([chat(id_, account)])
    assert await links_of(linking, "a") == await links_of(linking, "b") == []


async def test_leads_of_before_a_new_key_are_linked_too(linking: Any, chat: Send) -> None:
    await linking.raw.handle([chat("a", "one")])
    new = Terms(b"a new key of these tests, 32 bytes and more")
    both = Normalizing(Limits(body_bytes=4_194_304), new, linking=Linking([new, TERMS], WINDOW))
    await replica(linking, both).handle([chat("b", "two")])
    assert len(await links_of(linking, "a")) == len(await links_of(linking, "b")) == 1


async def test_a_busy_number_is_looked_for_within_bounds(linking: Any, chat: Send) -> None:
    """Of a number that everybody gives no lead gets links without end."""
    for n in range(0, 120, 20):
        await linking.raw.handle([chat(f"x{k}", f"way-{k}") for k in range(n, n + 20)])
    assert max([len(await links_of(linking, f"x{n}")) for n in range(120)]) <= 50


async def test_a_story_stays_whole_when_the_other_lead_is_forgotten(linking: Any, chat: Send) -> None:
    await linking.raw.handle([chat("a", "one")])
    await linking.raw.handle([chat("b", "two")])
    first, second = await lead_of(linking, "a"), await lead_of(linking, "b")
    await linking.fetch("UPDATE lead SET state = 'delivered' WHERE lead_id = $1", second.lead_id)
    async with linking.database.transaction() as conn:
        await forgetting.leads(conn, linking.clock.now() + timedelta(seconds=1), 10)
    assert list(await linking.leads()) == [first.lead_id]
    async with linking.database.session() as session:
        told = await queries.revisions(session, first.lead_id)
    assert [(one.revision, one.wire_id) for one in told] == [(1, "raw-a"), (2, None)]


async def test_an_ordinary_batch_is_no_statement_longer(linking: Any, chat: Send) -> None:
    """The look rides in the one for consent, however many leads are in it."""
    numbers = []
    for consumer, way in ((replica(linking, normalizing(Terms())), "x"), (linking.raw, "y")):
        await consumer.handle([chat(f"{way}0", "one")])
        said: list[str] = []
        async with linking.database.acquire() as connection:
            connection.add_query_logger(lambda record, said=said: said.append(record.query))
        batch = [chat(f"{way}{n}", "one", customer={"email": f"{way}{n}@example.net"}) for n in range(1, 50)]
        await consumer.handle(batch)
        await asyncio.sleep(0)  # asyncpg tells its loggers in the next turn of the loop
        async with linking.database.acquire() as connection:
            connection._con._query_loggers.clear()
        numbers.append(len(said))
    assert numbers[1] == numbers[0]


async def test_vx_4_the_same_request_by_fetch_and_by_mail(linking: Any, message: Any) -> None:
    """The vendor's test phase: the leads come both ways for a while."""
    for source in ("virtualexpo", "adf"):
        location = {"source": source, "external_id": "18822", "dealer": "prairie-motors"}
        await linking.settings.put("Location", f"{source}-18822", location, actor="test")
    fetched = message(_FETCHED, "fetch-1", source="virtualexpo", account="di", content_type="application/xml")
    mailed = message(_MAILED, "mail-1", source="adf", account="box", content_type="application/xml")
    await linking.raw.handle([mailed])
    linking.clock.advance(3600)
    await linking.raw.handle([fetched])
    leads = [await linking.lead(lead_id) for lead_id in await linking.leads()]
    assert {lead.source for lead in leads} == {"virtualexpo", "adf"}
    assert [[link.why for link in lead.links] for lead in leads] == [["possible_duplicate"]] * 2


def _renamed(message: IncomingMessage, id_: str) -> IncomingMessage:
    return replace(message, headers={**message.headers, "cloudEvents_id": id_})


_FETCHED = b"""<lead xmlns="urn:leadbus:virtualexpo:1" id="VX-1" category="request"
marketplace="DirectIndustry">
<type>Documentation / Quote</type><createdAt>2026-04-14T10:22:31+02:00</createdAt>
<stand><exhibitorId>18822</exhibitorId></stand>
<product><productId>P-20931</productId><productName>Refrigerated body KB 7</productName></product>
<buyer><firstName>Claire</firstName><lastName>Le Goff</lastName><email>claire@legoff.example</email></buyer>
<address><country>France</country></address></lead>"""
_MAILED = b"""<?xml version="1.0"?><?adf version="1.0"?><adf><prospect>
<requestdate>2026-04-14T10:22:31+02:00</requestdate>
<customer><contact><name part="full">Claire Le Goff</name><email>Claire@LeGoff.example</email></contact>
<comments>Refrigerated body KB 7, please send a price</comments></customer>
<vendor><id source="DirectIndustry">18822</id><vendorname>Hoffmann</vendorname></vendor>
<provider><name>DirectIndustry</name></provider></prospect></adf>"""
