"""An operator deletes a work queue and makes it again while leads flow.

What is published meanwhile is kept. What was in the queue is gone with it, so whoever deletes one empties it
first; where that was not done, the ledger says which leads are concerned.
"""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.guarantees import accounting, books, stories
from tests.guarantees.books import Books
from tests.guarantees.fates import Fate
from tests.guarantees.stream import Stream
from tests.guarantees.system import System, eventually

pytestmark = pytest.mark.timeout(400)

_MEANWHILE = 20
_OUTBOX = "SELECT count(*) FROM outbox"


async def test_events_wait_in_the_outbox_for_a_queue_that_is_missing(system: System) -> None:
    before = await Books.open(system)
    stream = Stream(system, varied=True, pace_seconds=0.1)
    async with stream.flowing():
        await stream.reached(30)
        await _empty(stream)
        await asyncio.to_thread(system.delete_queue, "adf-mailer.leads")
        stream.go_on()
        await stream.more(_MEANWHILE)
        await accounting.eventually_all(
            "events without a queue stay in the outbox", lambda: _waiting(system), within_seconds=60
        )
        await asyncio.to_thread(system.stack.apply_topology)
        await stream.more(30)
    await accounting.settle(stream, before)


async def test_raw_messages_wait_as_unrouted_for_a_queue_that_is_missing(system: System) -> None:
    before = await Books.open(system)
    stream = Stream(system, varied=True, pace_seconds=0.1)
    async with stream.flowing():
        await stream.reached(30)
        await _empty(stream)
        await asyncio.to_thread(system.delete_queue, "normalizer.raw")
        stream.go_on()
        await stream.more(_MEANWHILE)
        await asyncio.to_thread(system.stack.apply_topology)
        await stream.more(30)
    # A quorum queue tells how much it holds every few seconds only.
    await eventually(
        "confirmed while there was no queue, and kept",
        lambda: _depth(system, "leadbus.unrouted", 1),
        within_seconds=60,
    )
    await _redrive_unrouted(system)
    await accounting.settle(stream, before)


@pytest.mark.full
async def test_the_ledger_names_the_leads_that_a_deleted_queue_took_along(system: System) -> None:
    before = await Books.open(system)
    stream = Stream(system, total=60, pace_seconds=0.05)
    await system.freeze("adf-mailer")
    try:
        await stream.flow()
        await eventually(
            "the queue is full", lambda: _depth(system, "adf-mailer.leads", 60), within_seconds=60
        )
        await asyncio.to_thread(system.delete_queue, "adf-mailer.leads")
        await asyncio.to_thread(system.stack.apply_topology)
    finally:
        await system.thaw("adf-mailer")
    after = Stream(system, total=20)
    await after.flow()
    await accounting.settle(after, before, doubts=accounting.IN_FLIGHT, unsure={"adf-mailer"})

    told = await stories.read(system, stream.run)
    assert told.keys() == stream.accepted, "the ledger knows every lead, whoever deletes queues"
    gone = {lead_id for lead_id, story in told.items() if story.fates == [Fate.PENDING]}
    assert {lead_id for lead_id, story in told.items() if story.mails} == stream.accepted - gone
    for lead_id in gone:
        assert told[lead_id].deliveries == [], f"{lead_id}: adf-mailer never heard of it"


async def _empty(stream: Stream) -> None:
    """Hold the stream until nothing is on its way: what an operator does before deleting a queue."""
    await stream.pause()
    await accounting.all_is_said(stream, within_seconds=60)
    await eventually("every queue is empty", stream.system.leftovers, within_seconds=60)


async def _waiting(system: System) -> object:
    rows = await books.count_rows(system, {("normalizer", _OUTBOX)})
    return rows["normalizer", _OUTBOX] > 0 or rows


def _depth(system: System, queue: str, messages: int) -> object:
    depths = system.queue_depths()
    return depths[queue] >= messages or depths


async def _redrive_unrouted(system: System) -> None:
    """As an operator does: plan, look, run."""
    ingest = system.stack.services["ingest"].url
    headers = {"Authorization": f"Bearer {system.stack.token('operator')}"}
    async with httpx2.AsyncClient(timeout=30, headers=headers) as client:
        planned = await client.post(
            f"{ingest}/v1/jobs", json={"kind": "unrouted.redrive", "filter": {"all": True}}
        )
        assert planned.status_code == 201, planned.text
        job = f"/v1/jobs/{planned.json()['id']}"
        (await client.post(f"{ingest}{job}/run")).raise_for_status()

    def done() -> object:
        story = system.one("ingest", job)
        return story["state"] == "done" or story

    await eventually("redriven", done, within_seconds=90)
