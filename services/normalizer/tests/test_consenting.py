"""Acts of consent reach every lead they concern: those that are here, those that come, those on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from leadbus import checkpoint
from leadbus.contracts.lead import Lead
from leadbus.messages import IncomingMessage
from normalizer import reporting
from normalizer.consenting import Consenting
from normalizer.consumers import RawConsumer
from normalizer.domain.consents import Act, Ledger, record
from normalizer.domain.declarations import Declaration
from normalizer.domain.terms import Terms
from normalizer.linking import Linking
from normalizer.normalizing import Normalizing
from normalizer.quarantining import Quarantining
from normalizer.receiving import Limits
from normalizer.store import acts

from tests.support.virtualexpo import document

TERMS = Terms(b"the key of these tests, 32 bytes and more")
OTHER = Terms(b"another key of these tests, also 32 bytes+")
ANN, BOB = "ann@example.org", "bob@example.org"
ORDINARY = "normalizer.found_ordinary"


class Desk:
    """Whoever notes what people say, and the task that lays it over leads."""

    def __init__(self, workshop: Any, keyed: Sequence[Terms] = (TERMS,)) -> None:
        self.workshop = workshop
        self.consenting = Consenting(workshop.database, workshop.clock, keyed, poll_seconds=0.05)

    async def say(self, action: Any, contact: str, *purposes: str, act_id: UUID | None = None) -> UUID:
        declaration = Declaration(
            act_id=act_id or uuid4(),
            contacts=(contact,),
            action=action,
            at=self.workshop.clock.now(),
            told_by="operator",
            purposes=purposes,
        )
        async with self.workshop.database.transaction() as conn:
            await self.consenting.declare(conn, declaration)
        return declaration.act_id

    async def apply(self) -> None:
        """Until there is nothing left to do."""
        async with asyncio.timeout(30):
            while await self.left():
                await self.consenting.apply()

    async def left(self) -> int:
        return len(await self.workshop.fetch("SELECT FROM consent_act WHERE applied_at IS NULL"))


def use(workshop: Any, terms: Terms | None = TERMS, *, window: timedelta = timedelta()) -> None:
    linking = Linking([terms] if terms else [], window)
    normalizing = Normalizing(Limits(body_bytes=4_194_304), terms, linking=linking)
    workshop.raw = RawConsumer(workshop.database, normalizing, workshop.clock, bare_window_seconds=600)
    workshop.quarantining = Quarantining(
        workshop.database, normalizing, workshop.clock, batch_size=2, poll_seconds=0.2
    )


@pytest.fixture
async def keyed(workshop: Any) -> Any:
    """A workshop whose leads are found by their contacts."""
    use(workshop)
    await workshop.map_dealer()
    location = {"source": "virtualexpo", "external_id": "18822", "dealer": "prairie-motors"}
    await workshop.settings.put("Location", "stand", location, actor="test")
    return workshop


@pytest.fixture
def desk(keyed: Any) -> Desk:
    return Desk(keyed)


@pytest.fixture
def passed() -> Any:
    points: list[str] = []
    checkpoint.observe(points.append)
    yield points
    checkpoint.observe(None)


@pytest.fixture
def chat(payload: Any, message: Any) -> Callable[..., IncomingMessage]:
    def make(
        id_: str, email: str = ANN, /, phone: str | None = None, account: str = "one", **told: Any
    ) -> IncomingMessage:
        customer = {"name": "Ann Example", "email": email, "phone": phone}
        body = payload(lead_id=id_, customer=customer) | told
        made: IncomingMessage = message(body, f"raw-{id_}{told.get('comments', '')}", account=account)
        return made

    return make


@pytest.fixture
def visit(message: Any) -> Callable[..., IncomingMessage]:
    """Somebody looked at a stand; `given` is what they said about being contacted."""

    def make(id_: str, given: str | None = None, /, email: str = ANN, **told: Any) -> IncomingMessage:
        consent = {"given": given} if given else None
        body = document("visit", at_id=id_, buyer={"email": email}, consent=consent, **told)
        made: IncomingMessage = message(
            body, f"raw-{id_}", source="virtualexpo", account="medical", content_type="application/xml"
        )
        return made

    return make


async def lead_of(workshop: Any, id_: str) -> Lead:
    (row,) = await workshop.fetch("SELECT lead_id FROM raw WHERE wire_id = $1", f"raw-{id_}")
    found: Lead = await workshop.lead(row["lead_id"])
    return found


async def consents(workshop: Any, *ids: str) -> list[str]:
    return [(await lead_of(workshop, id_)).consent.basis for id_ in ids]


async def test_a_lead_that_comes_after_a_withdrawal_comes_withdrawn(
    keyed: Any, desk: Desk, chat: Any, passed: list[str]
) -> None:
    await desk.say("withdraw", f"mailto:{ANN}")
    await keyed.raw.handle([chat("a"), chat("b", BOB)])
    assert await consents(keyed, "a", "b") == ["withdrawn", "request"]
    assert ORDINARY not in passed
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


# What happens in between.


class Killed(Exception):  # noqa: N818 -- as a process is
    """The process ended here."""


async def test_killed_before_its_commit_it_is_done_again_and_once(
    keyed: Any, desk: Desk, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "_LEADS", 2)
    await keyed.raw.handle([chat(f"a{n}") for n in range(6)])
    await desk.say("withdraw", f"mailto:{ANN}")
    batches = 0
    while await desk.left():
        with monkeypatch.context() as patched:
            patched.setattr(acts, "went_on", _dies)
            with pytest.raises(Killed):
                await desk.consenting.apply()
        await Desk(keyed).consenting.apply()
        batches += 1
    assert batches > 4
    assert {row["revision"] for row in await keyed.fetch("SELECT revision FROM lead")} == {2}
    changed = [event for event in await keyed.published() if event.type == "lead.consent_changed.v1"]
    assert len(changed) == len({event.id for event in changed}) == 6


async def _dies(*_: Any) -> None:
    raise Killed


async def test_replicas_share_the_acts(keyed: Any, chat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "_LEADS", 3)
    await keyed.raw.handle([chat(f"a{n}") for n in range(9)] + [chat(f"b{n}", BOB) for n in range(9)])
    replicas = [Desk(keyed) for _ in range(3)]
    await replicas[0].say("withdraw", f"mailto:{ANN}")
    await replicas[1].say("withdraw", f"mailto:{BOB}")
    await asyncio.gather(*(replica.apply() for replica in replicas))
    assert {row["revision"] for row in await keyed.fetch("SELECT revision FROM lead")} == {2}
    assert await keyed.fetch("SELECT FROM consent_act WHERE applied_at IS NULL") == []


async def test_an_act_recorded_between_look_and_write_is_not_missed(
    keyed: Any, desk: Desk, chat: Any, passed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    normalizing = keyed.raw._normalizing
    write_new = normalizing.write_new

    async def after_the_act(*arguments: Any, **named: Any) -> None:
        await desk.say("withdraw", f"mailto:{ANN}")
        await desk.apply()
        await write_new(*arguments, **named)

    monkeypatch.setattr(normalizing, "write_new", after_the_act)
    await keyed.raw.handle([chat("a")])
    assert ORDINARY in passed
    assert await consents(keyed, "a") == ["withdrawn"]
    assert (await lead_of(keyed, "a")).revision == 1


async def test_an_act_is_laid_over_leads_again_when_what_was_on_its_way_has_come(
    keyed: Any, desk: Desk, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that looked before the act and commits after the walk: the second walk finds its lead."""
    looked, go_on = asyncio.Event(), asyncio.Event()
    normalizing = keyed.raw._normalizing
    write = normalizing.write

    async def slow(*arguments: Any, **named: Any) -> Any:
        looked.set()
        await go_on.wait()
        return await write(*arguments, **named)

    monkeypatch.setattr(normalizing, "write", slow)
    # Twice the same message: the batch takes the long way, in a transaction.
    batch = asyncio.create_task(keyed.raw.handle([chat("a"), chat("a")]))
    await looked.wait()
    await desk.say("withdraw", f"mailto:{ANN}")
    assert await desk.consenting.apply()
    assert not await desk.consenting.apply()
    (act,) = await keyed.fetch("SELECT walked_at, applied_at FROM consent_act")
    assert act["walked_at"] is not None
    assert act["applied_at"] is None
    go_on.set()
    await batch
    assert await consents(keyed, "a") == ["request"]
    await desk.apply()
    assert await consents(keyed, "a") == ["withdrawn"]


async def test_the_task_is_rung_and_counts(
    keyed: Any, desk: Desk, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages: list[float] = []
    monkeypatch.setattr("normalizer.reporting.CONSENT_AGE.set", ages.append)

    async def nothing_waits() -> bool:
        return bool(ages) and ages[-1] == 0.0

    before = _counted()
    await keyed.raw.handle([chat("a")])
    tasks = [asyncio.create_task(run()) for run in (desk.consenting.run, desk.consenting.listen)]
    try:
        await desk.say("withdraw", f"mailto:{ANN}")

        async def withdrawn() -> bool:
            return await consents(keyed, "a") == ["withdrawn"] and not await desk.left()

        await keyed.until(withdrawn)
        await keyed.until(nothing_waits)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert _counted() == (before[0] + 1, before[1] + 1)


def _counted() -> tuple[float, float]:
    acted = reporting.CONSENT_ACTS.labels(action="withdraw", told_by="operator")
    changed = reporting.CONSENTS_CHANGED.labels(source="contactatonce")
    return float(acted._value.get()), float(changed._value.get())


async def test_the_same_act_twice_is_one(keyed: Any, desk: Desk) -> None:
    act_id = uuid4()
    for _ in range(2):
        await desk.say("withdraw", f"mailto:{ANN}", act_id=act_id)
    assert len(await keyed.fetch("SELECT FROM consent_act")) == 1


async def test_standings_are_what_the_acts_come_to_in_any_order(keyed: Any, desk: Desk) -> None:
    ledger = Ledger()
    said: list[tuple[Any, tuple[str, ...]]] = [
        ("grant", ("nurture", "sales")),
        ("withdraw", ("sales",)),
        ("grant", ("sales",)),
        ("withdraw", ()),
        ("grant", ("marketing",)),
    ]
    for action, purposes in said:
        await desk.say(action, f"mailto:{ANN}", *purposes)
        ledger = record(ledger, Act(f"mailto:{ANN}", action, keyed.clock.now(), purposes))
        keyed.clock.advance(60)
    rows = await keyed.fetch("SELECT contact, purpose, state, at FROM consent_standing")
    assert {(row["contact"], row["purpose"]): (row["state"], row["at"]) for row in rows} == {
        key: (stand.state, stand.at) for key, stand in ledger.standings.items()
    }
