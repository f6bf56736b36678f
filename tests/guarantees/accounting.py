"""After the storm: every accepted lead accounted for, every repeat explained, every metric in balance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

import httpx2

from tests.guarantees import books, stories
from tests.guarantees.books import Books
from tests.guarantees.fates import Fate
from tests.guarantees.stories import Story
from tests.guarantees.stream import Stream
from tests.guarantees.system import System, eventually

IN_FLIGHT = 10
"""Deliveries that adf-mailer has under way at most: its SMTP_MAX_CONNECTIONS."""
_OUTBOXES = {(service, "SELECT count(*) FROM outbox") for service in ("ingest", "normalizer", "adf-mailer")}


async def settle(
    stream: Stream,
    before: Books,
    *,
    doubts: int = 0,
    unsure: Collection[str] = (),
    within_seconds: float = 120,
) -> dict[str, Story]:
    """Wait until nothing is on its way any more, then every promise about what `stream` had accepted.

    `doubts`: deliveries that may be ambiguous, because a fault came between an act and its record. `unsure`:
    services that may have counted less than they did. Returns the stories for what else a test asks of them.
    """
    system = stream.system
    await all_is_said(stream, within_seconds=within_seconds)
    told = await stories.read(system, stream.run)
    _nothing_lost(stream, told)
    _one_fate_each(stream, told)
    _mails_are_deliveries(told)
    _doubts_are_few(told, doubts)
    _sink_and_ledger_agree(told)
    await eventually("no message is left, parked or unrouted", system.leftovers, within_seconds=60)
    await everybody_lives(system)
    balance = await books.imbalances(system, before, unsure)
    assert balance is True, f"metrics and tables differ (counted, rows): {balance}"
    return told


async def all_is_said(stream: Stream, *, within_seconds: float) -> None:
    """Returns when every accepted lead has an end and nothing waits to be published."""
    await eventually_all(
        "nothing on its way any more", lambda: _open_ends(stream), within_seconds=within_seconds
    )


async def _open_ends(stream: Stream) -> object:
    """True when every accepted lead has an end and nothing waits to be published; else what is missing."""
    told = await stories.read(stream.system, stream.run, with_mails=False)
    unknown = stream.accepted - told.keys()
    pending = {lead_id for lead_id, story in told.items() if not story.fates or Fate.PENDING in story.fates}
    unpublished = {
        service: number
        for (service, _), number in (await books.count_rows(stream.system, _OUTBOXES)).items()
        if number
    }
    if not (unknown or pending or unpublished):
        return True
    return {
        "unknown": _some(unknown),
        "without an end": _some(pending),
        "deliveries": _some({str(told[lead_id].deliveries) for lead_id in sorted(pending)[:3]}),
        "in outboxes": unpublished,
    }


def _nothing_lost(stream: Stream, told: Mapping[str, Story]) -> None:
    lost = stream.accepted - told.keys()
    assert not lost, f"accepted and nowhere: {_some(lost)}"
    unsent = told.keys() - stream.accepted
    assert not unsent, f"in the system, but nobody was told that they were accepted: {_some(unsent)}"
    twice = {lead_id for lead_id, story in told.items() if story.raws != 1 or len(story.revisions) > 1}
    assert not twice, f"kept more than once, though sent under one id: {_some(twice)}"
    revised = {lead_id for lead_id, story in told.items() if set(story.revisions.values()) - {1}}
    assert not revised, f"changed by a redelivery: {_some(revised)}"


def _one_fate_each(stream: Stream, told: Mapping[str, Story]) -> None:
    several = {lead_id: story.fates for lead_id, story in told.items() if len(story.fates) != 1}
    assert not several, f"not exactly one of delivered, pending, failed, skipped, …: {_some(several)}"
    others = {
        lead_id: (story.fates[0], stream.fate(lead_id))
        for lead_id, story in told.items()
        if story.fates != [stream.fate(lead_id)]
    }
    assert not others, f"another fate than was due (is, should be): {_some(others)}"


def _mails_are_deliveries(told: Mapping[str, Story]) -> None:
    delivered = {lead_id for lead_id, story in told.items() if story.fates == [Fate.DELIVERED]}
    mailed = {lead_id for lead_id, story in told.items() if story.mails}
    assert delivered <= mailed, f"called delivered, and no mail came: {_some(delivered - mailed)}"
    assert mailed <= delivered, f"a mail came, and nobody calls it delivered: {_some(mailed - delivered)}"
    silent = {lead_id for lead_id, story in told.items() if len(story.mails) > 1 and not story.ambiguous}
    assert not silent, f"came twice, and nothing says that it may have: {_some(silent)}"
    renamed = {lead_id for lead_id, story in told.items() if len(set(story.mails)) > 1}
    assert not renamed, f"repeated under another Message-ID: {_some(renamed)}"


def _doubts_are_few(told: Mapping[str, Story], allowed: int) -> None:
    doubtful = {lead_id for lead_id, story in told.items() if story.ambiguous}
    assert len(doubtful) <= allowed, (
        f"{len(doubtful)} deliveries in doubt, at most {allowed} can have been under way: {_some(doubtful)}"
    )


def _sink_and_ledger_agree(told: Mapping[str, Story]) -> None:
    """What the sink's own table says, and what the ledger heard of it."""
    differing = {
        lead_id: (story.deliveries, story.ledger)
        for lead_id, story in told.items()
        if {(one.route, one.target, one.state) for one in story.deliveries}
        != {(one.route, one.target, one.state) for one in story.ledger}
    }
    assert not differing, f"adf-mailer and the ledger differ: {_some(differing)}"


async def everybody_lives(system: System) -> None:
    """Every process answers that it lives, and within a minute every supervised task of it runs."""
    for name in system.stack.services:
        await lives(system, name)
    # One that met a server that was away waits up to half a minute before it is started again.
    await eventually_all("every task runs", lambda: _dead_tasks(system), within_seconds=60)


async def lives(system: System, name: str) -> None:
    """The process of that name answers that it lives."""
    async with httpx2.AsyncClient(timeout=20) as client:
        answer = await client.get(f"{system.stack.services[name].url}/livez")
    assert answer.status_code == 200, f"{name}: {answer.text}"


async def _dead_tasks(system: System) -> object:
    scraped = {name: await books.scrape(one.url) for name, one in system.stack.services.items()}
    dead = {name: tasks for name, samples in scraped.items() if (tasks := books.dead_tasks(samples))}
    return dead or True


async def eventually_all(what: str, holds: Callable[[], Awaitable[object]], *, within_seconds: float) -> None:
    """`system.eventually` for conditions that are asked in this loop."""
    deadline = time.monotonic() + within_seconds
    while (answer := await holds()) is not True:
        assert time.monotonic() < deadline, f"{what}: not within {within_seconds:g} s: {answer}"
        await asyncio.sleep(0.25)


def _some(leads: Collection[str] | Mapping[str, object]) -> str:
    """The first few, by name; how many there are."""
    first = sorted(leads)[:5]
    shown = [f"{lead}: {leads[lead]}" if isinstance(leads, Mapping) else lead for lead in first]
    return f"{len(leads)} ({', '.join(shown)}{', …' if len(leads) > len(first) else ''})"
