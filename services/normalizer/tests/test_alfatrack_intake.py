"""Pushes of Alfa-Track on a real database, in any order: cases K1 to K6, K9 to K11 of RULES.md."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from leadbus.contracts.examples.alfatrack import ALFATRACK_KNOWLEDGE, ALFATRACK_LEADS
from leadbus.messages import IncomingMessage
from normalizer.counting import Counting
from normalizer.reporting import WAITING, WAITING_AGE

Push = Callable[..., IncomingMessage]
RECEIVED, UPDATED, ENRICHED = "lead.received.v1", "lead.updated.v1", "lead.enriched.v1"


@pytest.mark.parametrize("case", ["K1"])
async def test_knowledge_enriches_its_lead(
    case: str, north: Any, lead_push: Push, knowledge_push: Push
) -> None:
    await north.raw.handle([lead_push()])
    await north.raw.handle([knowledge_push(as_of="2026-03-02T08:01:30Z")])
    received, enriched = await north.published()
    assert (received.type, enriched.type) == (RECEIVED, ENRICHED)
    assert enriched.data["changed"] == ["attribution"]
    assert enriched.data["lead"]["message"] == received.data["lead"]["message"]
    assert enriched.data["lead"]["attribution"] == {
        "known_at": "2026-03-02T08:02:00Z",
        "source": {"value": "yandex", "as_of": "2026-03-02T08:01:30Z", "raw_id": "know-1"},
    }
    made, learnt = await north.revisions()
    kept = {row["wire_id"]: row for row in await north.fetch("SELECT * FROM raw")}
    assert learnt["raw_key"] == kept["know-1"]["raw_key"]
    assert kept["know-1"]["lead_id"] == kept["lead-1"]["lead_id"] == made["lead_id"]
    (one,) = await north.fetch("SELECT revision, last_raw_at FROM lead")
    assert (one["revision"], one["last_raw_at"].minute) == (2, 2)


@pytest.mark.parametrize("case", ["K1"])
@pytest.mark.parametrize("type_", list(ALFATRACK_LEADS), ids=[f"A1-{type_}" for type_ in ALFATRACK_LEADS])
async def test_every_type_of_lead_can_be_enriched(
    case: str, north: Any, lead_push: Push, knowledge_push: Push, type_: str
) -> None:
    await north.raw.handle([lead_push("lead-1", type_), knowledge_push()])
    assert await north.event_types() == [RECEIVED, ENRICHED]
    assert (await north.attribution())["source"] == ("yandex", "know-1")


@pytest.mark.parametrize("case", ["K2"])
@pytest.mark.parametrize("batches", [[[0], [1], [2]], [[0, 1], [2]], [[0, 1, 2]], [[0], [1, 2]]])
async def test_knowledge_that_comes_first_waits(
    case: str, north: Any, lead_push: Push, knowledge_push: Push, batches: list[list[int]]
) -> None:
    sent = [
        knowledge_push("know-1", at=1),
        knowledge_push("know-2", at=2, parameters={"city": "Omsk"}),
        lead_push("lead-1", at=3, parameters={"browser": "Lynx"}),
    ]
    for batch in batches:
        await north.raw.handle([sent[index] for index in batch])
    received, enriched = await north.published()
    assert (received.type, enriched.type) == (RECEIVED, ENRICHED)
    assert list(received.data["lead"]["attribution"]) == ["browser"]
    assert enriched.data["changed"] == ["attribution"]
    assert await north.attribution() == {
        "source": ("yandex", "know-1"),
        "city": ("Omsk", "know-2"),
        "browser": ("Lynx", "lead-1"),
    }
    (cause,) = await north.fetch(
        "SELECT wire_id FROM lead_revision JOIN raw USING (raw_key) WHERE revision = 2"
    )
    assert cause["wire_id"] == "know-2"
    assert await north.quarantined() == []
    assert await north.fetch("SELECT FROM knowledge WHERE waiting") == []


@pytest.mark.parametrize("case", ["K2 AT9"])
async def test_what_waits_is_kept_and_counted(case: str, north: Any, knowledge_push: Push) -> None:
    first = knowledge_push("know-1", at=1)
    tried = knowledge_push("know-3", extensions={"test": "true"})
    await north.raw.handle([first, knowledge_push("know-2", at=2), tried])
    await north.raw.handle([first])
    assert await north.leads() == {}
    assert await north.event_types() == []
    assert await north.quarantined() == []
    rows = await north.fetch("SELECT lead_id FROM raw")
    assert len(rows) == 3
    assert all(row["lead_id"] for row in rows)
    counting = Counting(north.database, north.clock)
    await counting.count()
    assert WAITING.labels(source="alfatrack")._value.get() == 1
    (since,) = await north.fetch("SELECT min(received_at) AS at FROM knowledge WHERE NOT test")
    age_seconds = (north.clock.now() - since["at"]).total_seconds()
    assert WAITING_AGE.labels(source="alfatrack")._value.get() == max(0.0, age_seconds)
    await north.fetch("DELETE FROM knowledge")
    await counting.count()
    assert WAITING.labels(source="alfatrack")._value.get() == 0


@pytest.mark.parametrize("case", ["K3"])
async def test_knowledge_that_comes_twice(
    case: str, north: Any, lead_push: Push, knowledge_push: Push
) -> None:
    await north.raw.handle([lead_push(), knowledge_push(), knowledge_push()])
    await north.raw.handle([knowledge_push()])
    await north.raw.handle([knowledge_push("know-2", at=9)])
    assert await north.event_types() == [RECEIVED, ENRICHED]
    assert await north.attribution() == {"source": ("yandex", "know-1")}
    assert len(await north.fetch("SELECT FROM knowledge")) == 3


ORDERS = list(itertools.permutations(range(4)))


@pytest.mark.parametrize("case", ["K4"])
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in one batch"])
async def test_the_order_of_arrival_does_not_matter(
    case: str, north: Any, lead_push: Push, knowledge_push: Push, together: bool
) -> None:
    told = set()
    for number, order in enumerate(ORDERS):
        named = {"lead_id": f"AT-{number}"}
        sent = [
            lead_push(f"0-{number}", at=2, **named, parameters={"browser": "Lynx", "source": "direct"}),
            knowledge_push(f"1-{number}", at=1, **named, parameters={"source": "a", "city": "Omsk"}),
            knowledge_push(f"2-{number}", at=3, **named, as_of="2026-03-02T08:01:30Z"),
            knowledge_push(f"3-{number}", at=4, **named, parameters={"source": "b", "ip": "203.0.113.1"}),
        ]
        for batch in [order] if together else [(index,) for index in order]:
            await north.raw.handle([sent[index] for index in batch])
    for row in await north.fetch(
        "SELECT document::text FROM lead JOIN lead_revision USING (lead_id, revision)"
    ):
        found = json.loads(row["document"])["attribution"]
        values = {key: (one["value"], one["raw_id"][:1]) for key, one in found.items() if key != "known_at"}
        told.add(json.dumps(values, sort_keys=True))
    assert [json.loads(one) for one in told] == [
        {"browser": ["Lynx", "0"], "city": ["Omsk", "1"], "ip": ["203.0.113.1", "3"], "source": ["b", "3"]}
    ]
    assert len(await north.leads()) == len(ORDERS)
    assert Counter(await north.event_types())[RECEIVED] == len(ORDERS)


@pytest.mark.parametrize("case", ["K5"])
async def test_a_lead_that_is_told_again(case: str, north: Any, lead_push: Push) -> None:
    await north.raw.handle([lead_push("lead-1", at=1)])
    await north.raw.handle([lead_push("lead-2", at=2, parameters={"source": "ads"})])
    await north.raw.handle([lead_push("lead-3", at=3, message="Ещё", parameters={"city": "Omsk"})])
    assert await north.event_types() == [RECEIVED, ENRICHED, UPDATED]
    assert [row["changed"] for row in await north.revisions()] == [
        [],
        ["attribution"],
        ["attribution", "message"],
    ]


@pytest.mark.parametrize("case", ["K6"])
async def test_a_confirmation_counts_though_no_revision_shows_it(
    case: str, north: Any, lead_push: Push, knowledge_push: Push
) -> None:
    await north.raw.handle([lead_push(at=1), knowledge_push("a", at=2), knowledge_push("again", at=9)])
    await north.raw.handle([knowledge_push("late", at=5, parameters={"source": "other"})])
    assert await north.event_types() == [RECEIVED, ENRICHED]
    assert (await north.attribution())["source"][0] == "yandex"


@pytest.mark.parametrize("case", ["K9 AT7"])
async def test_a_lead_that_waits_for_its_place(
    case: str, workshop: Any, lead_push: Push, knowledge_push: Push
) -> None:
    await workshop.raw.handle([lead_push(), knowledge_push()])
    assert await workshop.reasons() == ["location_unmapped"]
    await workshop.map_project()
    assert await workshop.quarantining.release_mapped() == 1
    published = [one for one in await workshop.event_types() if one.startswith("lead.")]
    assert published == [RECEIVED, ENRICHED]


@pytest.mark.parametrize("case", ["K10"])
async def test_a_test_and_a_real_lead_do_not_mix(
    case: str, north: Any, lead_push: Push, knowledge_push: Push
) -> None:
    await north.raw.handle(
        [lead_push(), knowledge_push(extensions={"test": "true"}), knowledge_push("k-2", test=True)]
    )
    assert await north.event_types() == [RECEIVED]
    await north.raw.handle([lead_push("lead-2", extensions={"test": "true"})])
    assert await north.event_types() == [RECEIVED, RECEIVED, ENRICHED]
    tests = await north.fetch("SELECT test FROM lead JOIN lead_revision USING (lead_id) ORDER BY test")
    assert [row["test"] for row in tests] == [False, True, True]


@pytest.mark.parametrize("case", ["K10"])
async def test_a_trial_leaves_nothing(case: str, north: Any, lead_push: Push, knowledge_push: Push) -> None:
    tried = {"extensions": {"trial": "true"}}
    await north.raw.handle([knowledge_push("k", **tried), lead_push("l", **tried)])
    assert await north.leads() == {}
    assert await north.fetch("SELECT FROM knowledge") == []
    assert len(await north.fetch("SELECT FROM raw WHERE lead_id IS NULL")) == 2


@pytest.mark.parametrize("case", ["K11"])
async def test_the_project_renamed(case: str, north: Any, lead_push: Push, knowledge_push: Push) -> None:
    """A later name replaces an earlier one, whichever of the pushes told it and came first."""
    named = {"project": {"id": "4127", "name": "New"}}
    await north.raw.handle([knowledge_push(at=5, **named)])
    await north.raw.handle([lead_push(at=1)])
    assert (await north.lead()).extras["project.name"] == "New"
    assert [row["changed"] for row in await north.revisions()] == [[], ["attribution", "extras"]]
    await north.raw.handle([lead_push("lead-2", at=9)])
    assert (await north.lead()).extras["project.name"] == "Автоцентр Север"


async def test_knowledge_of_the_examples(north: Any, pushed: Any) -> None:
    told = pushed(ALFATRACK_KNOWLEDGE, "know", 20)
    await north.raw.handle([pushed(ALFATRACK_LEADS["form"], "lead", 10), told])
    assert set(await north.attribution()) == set(ALFATRACK_KNOWLEDGE["parameters"])
