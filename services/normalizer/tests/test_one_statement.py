"""A batch that is all new is a look or two and one statement; any other ends as if there were no such way."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leadbus.clock import FakeClock
from leadbus.messages import IncomingMessage
from normalizer.consumers import RawConsumer
from normalizer.normalizing import Normalizing
from normalizer.receiving import Limits
from normalizer.surroundings import FEW

Messages = Sequence[IncomingMessage]

ORDINARY = "normalizer.found_ordinary"
LONG_WAY = "normalizer.written"
_TABLES = {
    "raw": "raw_key",
    "lead": "lead_id",
    "lead_term": "term, received_at, lead_id",
    "lead_revision": "lead_id, revision",
    "quarantine": "raw_key",
    "inbox": "source, account, id",
    "outbox": "headers ->> 'cloudEvents_id'",
}
_BAD = "bad-"
LIMITS = Limits(body_bytes=4_194_304)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, Callable[[], Any]], None]:
    """Have something done once, between the look of a batch and its write."""

    def install(workshop: Any, act: Callable[[], Any]) -> None:
        normalizing = workshop.raw._normalizing
        write_new = normalizing.write_new

        async def after(*arguments: Any, **named: Any) -> None:
            monkeypatch.setattr(normalizing, "write_new", write_new)
            await act()
            await write_new(*arguments, **named)

        monkeypatch.setattr(normalizing, "write_new", after)

    return install


async def _statements_of(workshop: Any, batch: Messages) -> list[str]:
    said: list[str] = []
    # The pool hands out the connection that was used last.
    async with workshop.database.acquire() as connection:
        connection.add_query_logger(lambda record: said.append(record.query))
    await workshop.raw.handle(batch)
    await asyncio.sleep(0)  # asyncpg tells its loggers in the next turn of the loop
    async with workshop.database.acquire() as connection:
        connection._con._query_loggers.clear()
    return said


@pytest.mark.parametrize(("size", "looks"), [(1, 1), (FEW, 1), (FEW + 1, 2), (100, 2)])
async def test_a_batch_that_is_all_new_is_its_looks_and_a_statement(
    workshop: Any, payload: Any, message: Any, size: int, looks: int
) -> None:
    """A few leads are written on condition that nothing bears on them; more are looked about before."""
    await workshop.map_dealer()
    # asyncpg asks for types once per connection.
    await workshop.raw.handle([message(payload(lead_id="CAO-0"), "raw-0")])
    batch = [message(payload(lead_id=f"CAO-{n}"), f"raw-{n}") for n in range(1, size + 1)]
    *before, write = await _statements_of(workshop, batch)
    assert len(before) == looks
    for look in before:
        assert "INSERT" not in look
        assert "FOR UPDATE" not in look
    assert "consent_standing" in (*before, write)[1]
    assert {"raw", "lead", "lead_term", "lead_revision", "inbox", "outbox"} == {
        word for before, word in zip(write.split(), write.split()[1:], strict=False) if before == "INTO"
    }
    assert len(await workshop.leads()) == len(await workshop.published()) == size + 1


@pytest.mark.parametrize("again", ["delivered again", "told again", "a bad one", "unmapped", "twice"])
async def test_any_other_batch_takes_the_long_way_at_once(
    workshop: Any, payload: Any, message: Any, passed: list[str], again: str
) -> None:
    await workshop.map_dealer()
    await workshop.raw.handle([message(payload())])
    assert (ORDINARY in passed, LONG_WAY in passed) == (True, False)
    passed.clear()
    new = message(payload(lead_id="CAO-new"), "raw-new")
    other = {
        "delivered again": message(payload()),
        "told again": message(payload(comments="again"), "raw-2"),
        "a bad one": message(b"{", "raw-2"),
        "unmapped": message(payload(dealer={"id": "nobody"}), "raw-2"),
        "twice": new,
    }[again]
    await workshop.raw.handle([new, other])
    assert (ORDINARY in passed, LONG_WAY in passed) == (False, True)
    assert len(await workshop.leads()) == 2


async def test_a_committed_batch_that_comes_again_changes_nothing(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    batch = [message(payload(lead_id=f"CAO-{n}"), f"raw-{n}") for n in range(3)]
    await workshop.raw.handle(batch)
    before = await _rows(workshop)
    for again in (batch, batch[1:]):
        await workshop.raw.handle(again)
    assert await _rows(workshop) == before


async def test_the_same_messages_at_two_replicas(
    workshop: Any, payload: Any, message: Any, meanwhile: Any, passed: list[str]
) -> None:
    await workshop.map_dealer()
    batch = [message(payload(lead_id=f"CAO-{n}"), f"raw-{n}") for n in range(3)]
    batch.append(message(payload(lead_id="CAO-bare"), None))
    meanwhile(workshop, lambda: workshop.raw.handle(batch[1:]))
    await workshop.raw.handle(batch)
    assert passed.count(ORDINARY) == 2
    assert passed.count(LONG_WAY) == 1
    assert Counter((await workshop.leads()).values()) == {1: 4}
    assert len(await workshop.published()) == 4
    assert len(await workshop.fetch("SELECT FROM raw")) == len(await workshop.fetch("SELECT FROM inbox")) == 4


async def test_one_lead_under_two_ids_at_two_replicas(
    workshop: Any, payload: Any, message: Any, meanwhile: Any, passed: list[str]
) -> None:
    await workshop.map_dealer()
    meanwhile(workshop, lambda: workshop.raw.handle([message(payload(comments="one"), "raw-1")]))
    two, other = message(payload(comments="two"), "raw-2"), message(payload(lead_id="CAO-other"), "raw-3")
    await workshop.raw.handle([two, other])
    assert passed.count(ORDINARY) == 2
    assert passed.count(LONG_WAY) == 1
    assert sorted((await workshop.leads()).values()) == [1, 2]
    assert Counter(event.type for event in await workshop.published()) == {
        "lead.received.v1": 2,
        "lead.updated.v1": 1,
    }


async def test_a_raw_message_that_is_kept_though_its_claim_was_pruned(
    workshop: Any, payload: Any, message: Any, passed: list[str]
) -> None:
    await workshop.map_dealer()
    bare = message(payload(), None)
    await workshop.raw.handle([bare])
    await workshop.fetch("DELETE FROM inbox")
    await workshop.fetch("DELETE FROM lead_revision")
    await workshop.fetch("DELETE FROM lead")
    passed.clear()
    await workshop.raw.handle([bare])
    assert [point for point in passed if point in (ORDINARY, LONG_WAY)] == [ORDINARY, LONG_WAY]
    assert list((await workshop.leads()).values()) == [1]


async def test_replicas_with_overlapping_batches_in_any_order(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    sent = [message(payload(lead_id=f"CAO-{n % 20}", comments=f"{n}"), f"raw-{n}") for n in range(40)]
    batches = [sent[:25], sent[::-1], sent[15:], sent[::3]]
    await asyncio.gather(*(workshop.raw.handle(batch) for batch in batches))
    assert set((await workshop.leads()).values()) == {2}
    assert len(await workshop.leads()) == 20
    ids = [event.id for event in await workshop.published()]
    assert len(ids) == len(set(ids)) == 40


# Both ways write the same.

_SPECS = st.fixed_dictionaries(
    {
        "lead": st.sampled_from([f"CAO-{n}" for n in range(12)]),
        "type": st.sampled_from(["Chat", "ClickForCallBack", "TextToChat", "TrackedCall"]),
        "comments": st.sampled_from(["", "Hello", "Any news?", "Grüße\n\x00 \\ \"'"]),
        "dealer": st.sampled_from(["40217"] * 9 + ["nobody"]),
        "bare": st.sampled_from([False] * 5 + [True]),
        "mark": st.sampled_from([{}] * 7 + [{"test": "true"}, {"trial": "true"}]),
        "id": st.integers(0, 40),
    }
)
_BATCHES = st.lists(st.lists(_SPECS, min_size=1, max_size=6), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs=_BATCHES)
async def test_both_ways_write_the_same_rows(
    workshop: Any, payload: Any, message: Any, specs: list[list[dict[str, Any]]]
) -> None:
    """A message that cannot be read has the whole of its batch take the long way; its own rows aside."""
    batches = [[_message(spec, payload, message) for spec in batch] for batch in specs]
    with_bad_ones = [
        [*batch, message(b"{", f"{_BAD}{n}", account=f"{_BAD}account")] for n, batch in enumerate(batches)
    ]
    written = []
    for way in (batches, with_bad_ones):
        await workshop.fetch(f"TRUNCATE {', '.join(_TABLES)}, setting, setting_history, audit")
        await workshop.map_dealer()
        clock = FakeClock()
        consumer = RawConsumer(workshop.database, Normalizing(LIMITS), clock, bare_window_seconds=600)
        for batch in way:
            clock.advance(1)
            await consumer.handle(batch)
        written.append(await _rows(workshop))
    assert written[0] == written[1]


async def test_the_generated_batches_go_both_ways(
    workshop: Any, payload: Any, message: Any, passed: list[str]
) -> None:
    """Of the ways that are compared each is taken."""
    await workshop.map_dealer()
    for lead, marks in (("CAO-1", {}), ("CAO-2", {"test": "true"}), ("CAO-3", {"trial": "true"})):
        spec = {"type": "Chat", "comments": "Hello", "dealer": "40217", "bare": lead == "CAO-1"}
        one = _message({**spec, "lead": lead, "id": lead, "mark": marks}, payload, message)
        passed.clear()
        await workshop.raw.handle([one])
        assert (ORDINARY in passed, LONG_WAY in passed) == (True, False), (lead, marks)
        await workshop.raw.handle([one, message(b"{", f"{_BAD}{lead}")])
        assert passed.count(LONG_WAY) == 1


def _message(spec: dict[str, Any], payload: Any, message: Any) -> IncomingMessage:
    body = payload(
        spec["type"], lead_id=spec["lead"], comments=spec["comments"], dealer={"id": spec["dealer"]}
    )
    made: IncomingMessage = message(body, None if spec["bare"] else f"raw-{spec['id']}", **spec["mark"])
    return made


async def _rows(workshop: Any) -> dict[str, list[dict[str, Any]]]:
    """Every column of every table but what is counted up or tells the time of the machine."""
    rows = {}
    for table, key in _TABLES.items():
        found = await workshop.fetch(f"SELECT * FROM {table} ORDER BY {key}")
        rows[table] = [_comparable(row) for row in found if _BAD not in str(row)]
    return rows


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: json.loads(value) if name in ("headers", "properties", "attributes", "document") else value
        for name, value in row.items()
        if name not in ("created_at", "ctid") and not (name == "id" and isinstance(value, int))
    }
