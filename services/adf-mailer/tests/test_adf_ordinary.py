"""SW: the short way of a batch in which all is new, beside the long one."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
from adf_mailer.consumers import LeadsConsumer
from adf_mailer.just_planned import KEPT_SECONDS, MOST, JustPlanned
from adf_mailer.store import mails
from adf_mailer.store.mails import NewMail, Posted
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadErased
from leadbus.delivery import Job, Planning, Starting
from leadbus.messages import IncomingMessage

Leads = Callable[..., Lead]
KINDS = ("chat", "click_for_call_back", "text_to_chat", "tracked_call")
VEHICLES = [{"model": "Civic", "wanted": True}]
COMPARED = {
    "inbox": ("id", ()),
    "lead": ("lead_id", ()),
    "delivery": ("key", ("id", "seq")),
    "mail": ("message_id", ("delivery_id",)),
    "attempt": ("(SELECT key FROM delivery WHERE id = delivery_id), n", ("delivery_id", "duration_ms")),
    "destination": ("name", ()),
    "poison": ("sha256, headers", ("id",)),
}
"""The order of each table's rows, and the columns that chance writes."""


async def taken_long(mailer: Any, *messages: IncomingMessage) -> None:
    async with mailer.database.transaction() as conn:
        await mailer.leads.take(conn, [mailer.leads.read(one) for one in messages])


async def written(mailer: Any) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for table, (order, chance) in COMPARED.items():
        rows = await mailer.rows(f"SELECT * FROM {table} ORDER BY {order}")
        found[table] = [{name: row[name] for name in row if name not in chance} for row in rows]
    return found


async def emptied(mailer: Any) -> None:
    async with mailer.database.acquire() as conn:
        for table in ("mail", "lead", "attempt", "delivery", "destination", "inbox", "outbox", "poison"):
            await conn.execute(f"DELETE FROM {table}")


async def mail_host_known(mailer: Any, golden_lead: Leads) -> None:
    """And a look that found nothing to do: the engine may start what is planned next."""
    await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4())), event_id="first"))
    await mailer.work()
    await mailer.engine.step()


def racing(mailer: Any, meanwhile: Callable[[], Any]) -> LeadsConsumer:
    """A replica that is overtaken, once, between its look and its write."""
    overtaken: list[bool] = []

    @asynccontextmanager
    async def start(planning: Planning) -> AsyncIterator[Starting]:
        if not overtaken:
            overtaken.append(True)
            await meanwhile()
        async with mailer.engine.starting(planning) as starting:
            yield starting

    consumer: LeadsConsumer = mailer.leads
    return replace(consumer, planner=replace(consumer.planner, start=start))


def generated(luck: random.Random, golden_lead: Leads, mailer: Any, *, odd: float) -> list[IncomingMessage]:
    """New leads of all kinds; where it is odd one twice, a later one, a test, or one that cannot be read."""
    batch: list[IncomingMessage] = []
    for number in range(luck.randint(1, 6)):
        changes: dict[str, Any] = {"lead_id": str(uuid4()), "urgency": luck.choice(["normal", "high"])}
        if luck.random() < odd:
            changes["test"] = True
        lead = golden_lead(luck.choice(KINDS), **changes)
        event = mailer.event("received", lead, event_id=f"{lead.lead_id}/{number}")
        batch.append(event)
        if luck.random() < odd:
            batch.append(event)
        if luck.random() < odd:
            later = lead.model_copy(update={"revision": 2, "vehicles": ()})
            batch.append(mailer.event("updated", later))
        if luck.random() < odd:
            batch.append(mailer.message("lead.received.v1", b"{}"))
    return batch


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("seed", range(12))
async def test_sw1_both_ways_write_the_same(
    mailer: Any, golden_lead: Leads, seed: int, started: bool
) -> None:
    luck = random.Random(seed)
    names = ("more_addresses", "copies", "notify")
    await mailer.route(**{name: [f"{name}@x.example"] for name in names if luck.random() < 0.5})
    if luck.random() < 0.5:
        await mailer.route("callbacks", address="calls@x.example", intents=["callback"])
    batches = [generated(luck, golden_lead, mailer, odd=odd) for odd in (0, 0.1, 0, 0.3)]
    ways: list[Any] = []
    for take in (taken_long, type(mailer).take):
        await emptied(mailer)
        first = golden_lead(lead_id="0190b5a5-0000-7000-8000-000000000000")
        await taken_long(mailer, mailer.event("received", first, event_id="first"))
        await mailer.work()
        if started:
            await mailer.engine.step()
        else:
            mailer.engine._claiming._pools["queued"].behind = True
        for batch in batches:
            await take(mailer, *batch)
            if started:
                await mailer.work()
        ways.append(await written(mailer))

    assert ways[1] == ways[0]
    assert len(ways[0]["mail"]) > 1


async def test_sw2_plan_and_intent_are_one_commit(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    await mail_host_known(mailer, golden_lead)
    await mailer.take(mailer.event("received", golden_lead()))

    (_, planned) = await mailer.deliveries()
    assert (planned["phase"], planned["attempts"], mailer.engine.in_flight) == ("sending", 1, 1)
    assert len(await mailer.rows("SELECT FROM attempt WHERE delivery_id = $1", planned["id"])) == 1
    await mailer.work()
    assert [row["phase"] for row in await mailer.deliveries()] == ["delivered"] * 2


@pytest.mark.parametrize("other", ["the same event", "the same lead", "a later revision", "an erasure"])
async def test_sw3_a_replica_that_is_overtaken_takes_the_long_way(
    mailer: Any, golden_lead: Leads, other: str
) -> None:
    await mailer.route()
    lead = golden_lead()
    event = mailer.event("received", lead, event_id="e-1")
    gone = {"lead_ids": [lead.lead_id], "erased_at": "2026-04-15T16:00:00Z"}
    others = {
        "the same event": event,
        "the same lead": mailer.event("received", lead),
        "a later revision": mailer.event("updated", golden_lead(revision=2, vehicles=VEHICLES)),
        "an erasure": mailer.message("lead.erased.v1", LeadErased.model_validate(gone).to_json()),
    }
    await racing(mailer, lambda: mailer.take(others[other])).handle([event])

    (stored,) = await mailer.rows("SELECT * FROM lead")
    sent = await mailer.rows("SELECT revision FROM mail")
    later = other == "a later revision"
    assert stored["revision"] == (0 if other == "an erasure" else 2 if later else 1)
    assert stored["erased"] == (other == "an erasure")
    assert [row["revision"] for row in sent] == ([] if other == "an erasure" else [2 if later else 1])
    assert len(await mailer.deliveries()) == len(sent)
    assert len(await mailer.rows("SELECT FROM inbox")) == (1 if other == "the same event" else 2)


async def test_sw4_one_of_a_batch_that_was_overtaken_takes_all_the_long_way(
    mailer: Any, golden_lead: Leads
) -> None:
    await mailer.route()
    known, new = golden_lead(), golden_lead(lead_id=str(uuid4()))
    events = [mailer.event("received", lead) for lead in (known, new)]
    await racing(mailer, lambda: mailer.take(events[0])).handle(events)

    assert len(await mailer.rows("SELECT FROM inbox")) == 2
    assert {row["lead_id"] for row in await mailer.rows("SELECT lead_id FROM mail")} == {
        known.lead_id,
        new.lead_id,
    }
    assert len(await mailer.deliveries()) == 2


@pytest.mark.parametrize("lost", [asyncpg.DeadlockDetectedError, asyncpg.SerializationError])
async def test_sw5_who_loses_a_race_takes_the_long_way_once(
    mailer: Any, golden_lead: Leads, lost: type[Exception]
) -> None:
    await mailer.route()

    async def lose() -> None:
        raise lost

    await racing(mailer, lose).handle([mailer.event("received", golden_lead())])
    assert len(await mailer.deliveries()) == 1


async def test_sw6_what_the_database_cannot_do_is_not_tried_another_way(
    mailer: Any, golden_lead: Leads
) -> None:
    await mailer.route()

    async def fail() -> None:
        raise asyncpg.DataError

    with pytest.raises(asyncpg.DataError):
        await racing(mailer, fail).handle([mailer.event("received", golden_lead())])
    assert await mailer.rows("SELECT FROM inbox") == []


async def test_sw7_a_message_that_comes_again_changes_nothing(mailer: Any, golden_lead: Leads) -> None:
    """Whoever heard nothing of the commit is given the batch again."""
    await mailer.route()
    await mail_host_known(mailer, golden_lead)
    event = mailer.event("received", golden_lead())
    await mailer.take(event)
    await mailer.work()
    before = await written(mailer)
    await mailer.take(event)
    await mailer.work()

    assert await written(mailer) == before


@pytest.mark.parametrize("revisions", [(1, 2), (2, 1)])
async def test_sw8_of_two_revisions_in_a_batch_the_later_counts(
    mailer: Any, golden_lead: Leads, revisions: Sequence[int]
) -> None:
    await mailer.route()
    await mailer.take(*(mailer.event("received", golden_lead(revision=number)) for number in revisions))

    assert [row["revision"] for row in await mailer.rows("SELECT revision FROM mail")] == [2]
    assert [row["revision"] for row in await mailer.rows("SELECT revision FROM lead")] == [2]
    assert len(await mailer.rows("SELECT FROM inbox")) == 2


async def test_sw9_the_commit_that_nobody_heard_of_is_undone_and_sent_once(
    mailer: Any, golden_lead: Leads
) -> None:
    await mailer.route()
    await mail_host_known(mailer, golden_lead)

    @asynccontextmanager
    async def start(planning: Planning) -> AsyncIterator[Starting]:
        async with mailer.engine.starting(planning) as starting:
            yield starting
            starting.rows.clear()
            raise ConnectionResetError

    consumer = replace(mailer.leads, planner=replace(mailer.leads.planner, start=start))
    event = mailer.event("received", golden_lead())
    with pytest.raises(ConnectionResetError):
        await consumer.handle([event])
    await mailer.take(event)
    await mailer.work()

    (_, delivery) = await mailer.deliveries()
    assert (delivery["phase"], delivery["doubts"], delivery["attempts"]) == ("delivered", 0, 2)
    assert len(await mailer.rows("SELECT FROM mail")) == 2


@pytest.mark.parametrize("test", [False, True])
async def test_sw10_the_first_try_is_spared_a_look_that_would_say_the_same(
    mailer: Any, golden_lead: Leads, monkeypatch: pytest.MonkeyPatch, test: bool
) -> None:
    await mailer.route(send_test_leads=True)
    await mail_host_known(mailer, golden_lead)
    spared: list[tuple[Job, Posted | None]] = []
    take = JustPlanned.take

    def noted(self: JustPlanned, job: Job) -> Posted | None:
        spared.append((job, take(self, job)))
        return spared[-1][1]

    monkeypatch.setattr(JustPlanned, "take", noted)
    await mailer.take(mailer.event("received", golden_lead(test=test)))
    await mailer.work()

    ((job, kept),) = spared
    async with mailer.database.acquire() as conn:
        asked = await mails.posted(conn, UUID(job.subject_id), job.delivery_id, 0, job.route)
    assert kept == asked is not None
    assert [row["phase"] for row in await mailer.deliveries()] == ["delivered"] * 2


JOB = Job(
    delivery_id=UUID(int=1),
    key="key",
    subject_id=str(UUID(int=2)),
    destination="host:25",
    route="main",
    attempt=1,
    planned_at=datetime(2026, 4, 15, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("job", "after_seconds", "spared"),
    [
        (JOB, 0.0, True),
        (JOB, 0.9, True),
        pytest.param(JOB, KEPT_SECONDS, False, id="a loop that stood still"),
        pytest.param(replace(JOB, attempt=2), 0.0, False, id="a later try"),
        pytest.param(replace(JOB, in_doubt=True), 0.0, False, id="in doubt"),
        pytest.param(replace(JOB, repeat_number=1), 0.0, False, id="a repeat"),
        pytest.param(replace(JOB, delivery_id=UUID(int=3)), 0.0, False, id="another"),
    ],
)
def test_sw11_whoever_comes_later_asks_the_database(job: Job, after_seconds: float, spared: bool) -> None:
    now = 0.0
    just_planned = JustPlanned(lambda: now)
    posted = cast("Posted", object())
    just_planned.keep(cast("NewMail", SimpleNamespace(delivery_id=JOB.delivery_id)), posted)
    now = after_seconds
    assert just_planned.take(job) is (posted if spared else None)
    assert just_planned.take(job) is None, "once only"


def test_sw12_what_nobody_asks_for_is_forgotten() -> None:
    just_planned = JustPlanned()
    for number in range(1, 2 * MOST):
        new = cast("NewMail", SimpleNamespace(delivery_id=UUID(int=number)))
        just_planned.keep(new, cast("Posted", object()))
    assert len(just_planned._kept) <= MOST
