"""N: what a batch asks of the database, and two that tell of the same lead at once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from adf_mailer.domain.letter import delivery_key
from adf_mailer.domain.route import Route
from leadbus import metrics
from leadbus.contracts import Lead
from leadbus.contracts.events import LeadErased
from leadbus.delivery import NewDelivery, plan
from leadbus.messages import IncomingMessage

Leads = Callable[..., Lead]
DEADLINE_SECONDS = 30.0
_WAITING_FOR_ME = """
SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))
"""
VEHICLES = [{"model": "Civic", "wanted": True}]


def several(golden_lead: Leads, number: int, **changes: Any) -> list[Lead]:
    return [golden_lead(lead_id=str(uuid4()), **changes) for _ in range(number)]


async def asked_for(mailer: Any, *messages: IncomingMessage) -> list[str]:
    """What is said to the database to take these messages, on a connection that has taken some before."""
    said: list[str] = []

    def note(record: Any) -> None:
        said.append(record.query)

    async with mailer.database.acquire() as connection:
        connection.add_query_logger(note)
    try:
        await mailer.take(*messages)
    finally:
        await asyncio.sleep(0)  # asyncpg tells a little later
        async with mailer.database.acquire() as connection:
            connection.remove_query_logger(note)
    return said


async def counts(mailer: Any) -> dict[str, int]:
    tables = ("inbox", "lead", "delivery", "mail", "poison")
    columns = ", ".join(f"(SELECT count(*) FROM {table}) AS {table}" for table in tables)
    (row,) = await mailer.rows(f"SELECT {columns}")
    return dict(row)


class DiedError(Exception):
    """What ends a replica before its commit."""


LEADS = {"status": "new", "role": "lead"}


async def take_both(
    mailer: Any, first: IncomingMessage, second: IncomingMessage, *, commit: bool = True
) -> None:
    """A replica takes `second` and waits for the one with `first`, which then commits or rolls back."""
    with contextlib.suppress(DiedError):
        async with mailer.database.transaction() as conn:
            await mailer.leads.take(conn, [mailer.leads.read(first)])
            other = asyncio.create_task(mailer.take(second))
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not await conn.fetchval(_WAITING_FOR_ME):
                assert not other.done(), "it waits for nothing"
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            if not commit:
                raise DiedError
    await other


@pytest.mark.parametrize("number", [1, 40])
@pytest.mark.parametrize("addresses", [1, 4])
async def test_n1_a_batch_of_new_leads_is_two_round_trips(
    mailer: Any, golden_lead: Leads, number: int, addresses: int
) -> None:
    names = ("more_addresses", "copies", "notify")[: addresses - 1]
    await mailer.route(**{name: [f"{name}@prairie.example"] for name in names})
    # asyncpg asks for types once per connection, and the pool hands out the one used last.
    await mailer.take(mailer.event("received", golden_lead()))
    batch = [mailer.event("received", lead) for lead in several(golden_lead, number)]
    said = await asked_for(mailer, *batch)

    assert [query.split()[0].rstrip(";") for query in said] == ["WITH", "WITH"], said
    mails = (number + 1) * addresses
    assert await counts(mailer) == {
        "inbox": number + 1,
        "lead": number + 1,
        "delivery": mails,
        "mail": mails,
        "poison": 0,
    }


async def test_n2_an_update_asks_for_earlier_mails_and_no_more(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    await mailer.take(mailer.event("updated", golden_lead(revision=2, vehicles=[])))
    said = await asked_for(mailer, mailer.event("updated", golden_lead(revision=3, vehicles=VEHICLES)))

    assert len(said) == 5, said


async def test_n3_a_message_known_already_holds_no_lead(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    event = mailer.event("received", golden_lead(), event_id="e-1")
    await mailer.take(event)
    (before,) = await mailer.rows("SELECT *, xmin::text FROM lead")
    await mailer.take(event)

    assert await mailer.rows("SELECT *, xmin::text FROM lead") == [before]


@pytest.mark.parametrize("together", [False, True])
async def test_n4_a_reused_id_makes_no_lead(mailer: Any, golden_lead: Leads, together: bool) -> None:
    await mailer.route()
    lead, other = several(golden_lead, 2)
    events = [mailer.event("received", one, event_id="e-1") for one in (lead, other)]
    if together:
        await mailer.take(*events)
    else:
        for event in events:
            await mailer.take(event)

    assert [row["lead_id"] for row in await mailer.rows("SELECT lead_id FROM lead")] == [lead.lead_id]
    assert await counts(mailer) == {"inbox": 1, "lead": 1, "delivery": 1, "mail": 1, "poison": 1}


async def test_n5_a_delivery_planned_before_gets_no_second_mail(
    mailer: Any, golden_lead: Leads, make_route: Callable[..., Route]
) -> None:
    await mailer.route()
    known, new = several(golden_lead, 2)
    key = delivery_key(known, make_route())
    async with mailer.database.transaction() as conn:
        (planned,) = await plan(conn, [NewDelivery(key, str(known.lead_id), "host", "main")])
    counted = metrics.REGISTRY.get_sample_value("leadbus_adf_mails_total", LEADS) or 0
    await mailer.take(*(mailer.event("received", lead) for lead in (known, new)))

    assert planned is not None
    assert await counts(mailer) == {"inbox": 2, "lead": 2, "delivery": 2, "mail": 1, "poison": 0}
    (mail,) = await mailer.rows("SELECT * FROM mail")
    assert (mail["lead_id"], mail["delivery_id"] != planned) == (new.lead_id, True)
    assert metrics.REGISTRY.get_sample_value("leadbus_adf_mails_total", LEADS) == counted + 1
    assert [row["revision"] for row in await mailer.rows("SELECT revision FROM lead")] == [1, 1]


@pytest.mark.parametrize(
    ("message", "woken"),
    [
        pytest.param({}, ["engine"], id="mail"),
        pytest.param({"test": True}, ["relay"], id="skip"),
        pytest.param(None, [], id="nothing"),
    ],
)
async def test_n6_only_who_has_something_to_do_is_woken(
    mailer: Any, golden_lead: Leads, message: dict[str, Any] | None, woken: list[str]
) -> None:
    await mailer.route()
    known = mailer.event("received", golden_lead())
    await mailer.take(known)
    heard: list[str] = []
    consumer = replace(
        mailer.leads,
        planner=replace(mailer.leads.planner, offer=lambda planned: heard.extend("engine" for _ in planned)),
        wake_relay=lambda: heard.append("relay"),
    )
    lead = golden_lead(lead_id=str(uuid4()), **(message or {}))
    await consumer.handle([known if message is None else mailer.event("received", lead)])

    assert heard == woken


async def test_n7_a_revision_that_waits_knows_what_the_one_before_planned(
    mailer: Any, golden_lead: Leads
) -> None:
    """Neither was there when the statement that waits began: not the lead, not its delivery, not its mail."""
    await mailer.route()
    first = mailer.event("received", golden_lead())
    second = mailer.event("updated", golden_lead(revision=2, vehicles=VEHICLES))
    await take_both(mailer, first, second)

    assert [row["status"] for row in await mailer.rows("SELECT status FROM mail ORDER BY revision")] == [
        "new",
        "resend",
    ]
    assert [row["revision"] for row in await mailer.rows("SELECT revision FROM lead")] == [2]


async def test_n8_a_revision_that_waited_for_a_higher_one_is_outdated(
    mailer: Any, golden_lead: Leads
) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    third = mailer.event("updated", golden_lead(revision=3, vehicles=VEHICLES))
    second = mailer.event("updated", golden_lead(revision=2, vehicles=[]))
    await take_both(mailer, third, second)

    assert [row["revision"] for row in await mailer.rows("SELECT revision FROM mail ORDER BY 1")] == [1, 3]
    assert [row["revision"] for row in await mailer.rows("SELECT revision FROM lead")] == [3]


async def test_n9_a_lead_erased_meanwhile_stays_erased(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    await mailer.take(mailer.event("received", golden_lead()))
    gone = {"lead_ids": [golden_lead().lead_id], "erased_at": "2026-04-15T16:00:00Z"}
    erased = mailer.message("lead.erased.v1", LeadErased.model_validate(gone).to_json())
    update = mailer.event("updated", golden_lead(revision=2, vehicles=VEHICLES))
    await take_both(mailer, erased, update)

    (lead,) = await mailer.rows("SELECT * FROM lead")
    assert (lead["erased"], lead["data"], lead["revision"]) == (True, None, 1)
    assert [row["raw"] for row in await mailer.rows("SELECT raw FROM mail")] == [None]


async def test_n10_the_same_message_at_two_replicas_is_one(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    event = mailer.event("received", golden_lead())
    await take_both(mailer, event, event)

    assert await counts(mailer) == {"inbox": 1, "lead": 1, "delivery": 1, "mail": 1, "poison": 0}


async def test_n11_whoever_waits_for_one_that_fails_is_the_first(mailer: Any, golden_lead: Leads) -> None:
    await mailer.route()
    event = mailer.event("received", golden_lead())
    await take_both(mailer, event, event, commit=False)

    assert await counts(mailer) == {"inbox": 1, "lead": 1, "delivery": 1, "mail": 1, "poison": 0}


async def test_n12_batches_that_share_leads_in_other_orders_do_not_embrace(
    mailer: Any, golden_lead: Leads
) -> None:
    await mailer.route()
    leads = several(golden_lead, 20)

    def batch(revision: int, told: list[Lead]) -> list[IncomingMessage]:
        return [
            mailer.event("updated", lead.model_copy(update={"revision": revision, "vehicles": ()}))
            for lead in told
        ]

    orders = (leads, leads[::-1], leads[10:] + leads[:10])
    await asyncio.gather(*(mailer.take(*batch(number, order)) for number, order in enumerate(orders, 1)))

    assert {row["revision"] for row in await mailer.rows("SELECT revision FROM lead")} == {3}
    told: dict[UUID, int] = {}
    for row in await mailer.rows("SELECT lead_id FROM mail WHERE status = 'new'"):
        told[row["lead_id"]] = told.get(row["lead_id"], 0) + 1
    assert told == {lead.lead_id: 1 for lead in leads}
