"""A lead and knowledge of it at several replicas at once, and what each batch asks the database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leadbus.clock import FakeClock
from leadbus.messages import IncomingMessage
from normalizer.consumers import RawConsumer
from normalizer.normalizing import Normalizing
from normalizer.receiving import Limits
from normalizer.store import knowledge

LIMITS = Limits(body_bytes=4_194_304)
Push = Callable[..., IncomingMessage]
RECEIVED, UPDATED, ENRICHED = "lead.received.v1", "lead.updated.v1", "lead.enriched.v1"


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, Callable[[], Any]], None]:
    """Have something done once, right before a function of an object or module is."""

    def install(holder: Any, name: str, act: Callable[[], Any]) -> None:
        function = getattr(holder, name)

        async def after(*arguments: Any, **named: Any) -> Any:
            monkeypatch.setattr(holder, name, function)
            await act()
            return await function(*arguments, **named)

        monkeypatch.setattr(holder, name, after)

    return install


def replica(workshop: Any) -> RawConsumer:
    return RawConsumer(workshop.database, Normalizing(LIMITS), FakeClock(), bare_window_seconds=600)


@pytest.mark.parametrize("first", ["lead", "knowledge"])
async def test_lead_and_knowledge_at_two_replicas_at_once(
    north: Any, lead_push: Push, knowledge_push: Push, meanwhile: Any, first: str
) -> None:
    """Each is decided upon before the other is there; whoever writes later finds out."""
    normalizing = north.raw._normalizing
    if first == "lead":
        meanwhile(normalizing, "write_new", lambda: replica(north).handle([knowledge_push()]))
        await north.raw.handle([lead_push()])
    else:
        meanwhile(normalizing, "write", lambda: replica(north).handle([lead_push()]))
        await north.raw.handle([knowledge_push()])
    assert await north.event_types() == [RECEIVED, ENRICHED]
    assert await north.attribution() == {"source": ("yandex", "know-1")}


async def test_a_lead_that_comes_between_the_look_for_it_and_the_look_at_what_waits(
    north: Any, lead_push: Push, knowledge_push: Push, meanwhile: Any
) -> None:
    await north.raw.handle([knowledge_push()])
    meanwhile(knowledge, "hold", lambda: replica(north).handle([lead_push(at=3)]))
    await north.raw.handle([knowledge_push("know-2", at=4, parameters={"city": "Omsk"})])
    assert await north.event_types() == [RECEIVED, ENRICHED, ENRICHED]
    assert await north.attribution() == {"source": ("yandex", "know-1"), "city": ("Omsk", "know-2")}
    assert [row["waiting"] for row in await north.knowledge()] == [False] * 3


@pytest.mark.parametrize("seed", range(4))
async def test_pushes_at_many_replicas_lose_nothing(
    north: Any, lead_push: Push, knowledge_push: Push, seed: int
) -> None:
    """Every piece ends in its lead, whatever waits for whom."""
    sent = [
        [
            lead_push(f"lead-{n}", lead_id=f"AT-{n}", at=10),
            *(
                knowledge_push(f"know-{n}-{key}", lead_id=f"AT-{n}", at=at, parameters={key: f"{n}"})
                for at, key in enumerate(("source", "city", "ip", "browser"), start=11)
            ),
        ]
        for n in range(6)
    ]
    batches = [[one[(place + seed) % 5] for one in sent] for place in range(5)]
    await asyncio.gather(
        *(replica(north).handle(batch[::-1] if n % 2 else batch) for n, batch in enumerate(batches))
    )
    leads = await north.leads()
    assert len(leads) == 6
    for lead_id in leads:
        told = (await north.lead(lead_id)).attribution
        assert len({one.value for key, one in told if key != "known_at" and one}) == 1
        assert {key for key, one in told if one} == {"known_at", "source", "city", "ip", "browser"}
    assert Counter(await north.event_types())[RECEIVED] == 6
    assert await north.fetch("SELECT FROM knowledge WHERE waiting") == []


PUSHES = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 2),
        st.integers(1, 9),
        st.dictionaries(st.sampled_from(["source", "city"]), st.sampled_from(["a", "b", "c"]), max_size=2),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(pushes=PUSHES, data=st.data())
async def test_whatever_the_batches_the_leads_are_the_same(
    north: Any, lead_push: Push, knowledge_push: Push, pushes: Any, data: Any
) -> None:
    """Sent in the door's order one by one, and in any order in batches of any size."""
    sent = [
        (lead_push if is_lead else knowledge_push)(
            f"raw-{number}", at=at, lead_id=f"AT-{lead}", parameters=parameters
        )
        for number, (is_lead, lead, at, parameters) in enumerate(pushes)
    ]
    in_order = [sent[number] for number in sorted(range(len(sent)), key=lambda each: pushes[each][2])]
    shuffled, size = data.draw(st.permutations(sent)), data.draw(st.integers(1, 5))
    batches = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    written = []
    for way in ([[one] for one in in_order], batches):
        await north.fetch(
            "TRUNCATE raw, lead, lead_term, lead_revision, knowledge, quarantine, inbox, outbox, ledger"
        )
        consumer = replica(north)
        for batch in way:
            await consumer.handle(batch)
        written.append({lead_id: (await north.lead(lead_id)).content() for lead_id in await north.leads()})
        waiting = {row["lead_id"] for row in await north.knowledge() if row["waiting"]}
        assert not waiting & written[-1].keys()
    assert written[0] == written[1]


async def test_a_new_lead_is_ordinary_unless_something_waits_for_it(
    north: Any, lead_push: Push, knowledge_push: Push, passed: list[str]
) -> None:
    await north.raw.handle([lead_push(), lead_push("lead-2", lead_id="AT-2", parameters={"city": "Omsk"})])
    assert "normalizer.found_ordinary" in passed
    assert [row["place"] for row in await north.knowledge()] == [1, 1]
    await north.raw.handle([knowledge_push(lead_id="AT-3")])
    passed.clear()
    await north.raw.handle([lead_push("lead-3", lead_id="AT-3")])
    assert "normalizer.found_ordinary" not in passed


async def test_batches_of_other_sources_ask_nothing_about_knowledge(
    workshop: Any, payload: Any, message: Any
) -> None:
    await workshop.map_dealer()
    said: list[str] = []
    async with workshop.database.acquire() as connection:
        connection.add_query_logger(lambda record: said.append(record.query))
    await workshop.raw.handle([message(payload())])
    await workshop.raw.handle([message(payload(comments="more"), "raw-2")])
    await asyncio.sleep(0)  # asyncpg tells its loggers in the next turn of the loop
    async with workshop.database.acquire() as connection:
        connection._con._query_loggers.clear()
    assert any("INSERT INTO lead_revision" in query for query in said)
    assert not [query for query in said if "INTO knowledge" in query or "FROM knowledge WHERE" in query]
