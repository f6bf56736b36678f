"""Knowledge after days, read again, forgotten: cases K7 and K8 of RULES.md, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from leadbus.messages import IncomingMessage
from leadbus.retention import Pace, Retention
from normalizer import reading, sources
from normalizer.domain.draft import Draft
from normalizer.retention import rules
from normalizer.settings import NormalizerSettings

Push = Callable[..., IncomingMessage]
DAY = timedelta(days=1).total_seconds()
RECEIVED, UPDATED, ENRICHED = "lead.received.v1", "lead.updated.v1", "lead.enriched.v1"


async def _prune_bytes(workshop: Any, days: int) -> None:
    await _retention(workshop, retention_raw_days=days, retention_leads_days=0).prune()


def _retention(workshop: Any, **given: float) -> Retention:
    documented = NormalizerSettings.for_documents().model_dump(exclude_unset=True)
    settings = NormalizerSettings.model_validate(documented | given)
    pace = Pace(pause_seconds=0, batch_size=10)
    return Retention(workshop.database, rules(settings, workshop.clock), clock=workshop.clock, pace=pace)


@pytest.mark.parametrize("case", ["K7"])
async def test_after_days_and_without_the_bytes(
    case: str, north: Any, lead_push: Push, knowledge_push: Push
) -> None:
    await north.raw.handle(
        [lead_push(at=1), knowledge_push("a", at=4, parameters={"source": "a", "city": "Omsk"})]
    )
    north.clock.advance(40 * DAY)
    await _prune_bytes(north, 30)
    assert await north.fetch("SELECT FROM raw WHERE octet_length(body) > 0") == []
    await north.raw.handle([knowledge_push("b", at=3, parameters={"source": "older", "ip": "203.0.113.1"})])
    await north.raw.handle([lead_push("lead-2", at=2, message="late")])
    assert await north.attribution() == {
        "source": ("a", "a"),
        "city": ("Omsk", "a"),
        "ip": ("203.0.113.1", "b"),
    }
    assert await north.event_types() == [RECEIVED, ENRICHED, ENRICHED]


@pytest.mark.parametrize("case", ["K8"])
async def test_a_replay_of_any_of_them_changes_nothing(
    case: str, north: Any, lead_push: Push, knowledge_push: Push, operator: Any
) -> None:
    await north.raw.handle([knowledge_push("a", at=1, project={"id": "4127", "name": "N", "x": "1"})])
    await north.raw.handle(
        [lead_push(at=2, parameters={"browser": "Lynx"}), knowledge_push("b", at=3, as_of="x")]
    )
    before = (await north.lead(), len(await north.published()), await north.knowledge())
    for row in await north.fetch("SELECT raw_key FROM raw"):
        replayed = await north.quarantining.replay_raw(row["raw_key"], operator)
        assert (replayed.change, replayed.revision) == ("unchanged", before[0].revision)
    assert (await north.lead(), len(await north.published()), await north.knowledge()) == before


@pytest.mark.parametrize("case", ["K8"])
async def test_a_replay_of_what_waits(case: str, north: Any, knowledge_push: Push, operator: Any) -> None:
    await north.raw.handle([knowledge_push()])
    (row,) = await north.fetch("SELECT raw_key, lead_id FROM raw")
    replayed = await north.quarantining.replay_raw(row["raw_key"], operator)
    assert (replayed.change, replayed.revision, replayed.lead_id) == ("waiting", None, row["lead_id"])


@pytest.mark.parametrize("case", ["K8"])
async def test_a_replay_that_makes_a_lead_tells_where_the_lead_stands(
    case: str, workshop: Any, lead_push: Push, knowledge_push: Push, operator: Any
) -> None:
    await workshop.raw.handle([knowledge_push(), lead_push()])
    await workshop.map_project()
    (entry,) = await workshop.quarantined()
    replayed = await workshop.quarantining.replay(entry["raw_key"], operator)
    assert (replayed.change, replayed.revision) == ("received", 2)


@pytest.mark.parametrize("case", ["K8"])
async def test_a_replay_by_a_better_adapter_takes_the_place_of_what_was_read(
    case: str, north: Any, lead_push: Push, knowledge_push: Push, operator: Any
) -> None:
    """As if yesterday's adapter had read another value."""
    await north.raw.handle([lead_push(), knowledge_push()])
    (row,) = await north.fetch(
        "UPDATE knowledge SET parameters = jsonb_build_object('source', jsonb_build_array('misread', null))"
        " WHERE alone RETURNING raw_key"
    )
    replayed = await north.quarantining.replay_raw(row["raw_key"], operator)
    assert replayed.change == "unchanged"
    await north.raw.handle([knowledge_push("know-2", at=5, parameters={"city": "Omsk"})])
    assert await north.attribution() == {"source": ("yandex", "know-1"), "city": ("Omsk", "know-2")}


@pytest.mark.parametrize("case", ["K8"])
async def test_knowledge_without_bytes_keeps_no_lead_from_being_read_again(
    case: str,
    north: Any,
    lead_push: Push,
    knowledge_push: Push,
    operator: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await north.raw.handle([knowledge_push()])
    north.clock.advance(40 * DAY)
    await _prune_bytes(north, 30)
    await north.raw.handle([lead_push()])

    def better(*told: Any) -> Draft:
        draft = sources.read(*told)
        assert isinstance(draft, Draft)
        return replace(draft, subject="now read")

    monkeypatch.setattr(reading, "read", better)
    (row,) = await north.fetch("SELECT raw_key FROM raw WHERE wire_id = 'lead-1'")
    assert (await north.quarantining.replay_raw(row["raw_key"], operator)).change == "updated"
    assert (await north.lead()).subject == "now read"
    assert await north.attribution() == {"source": ("yandex", "know-1")}


async def test_what_is_kept_leaves_with_its_lead(north: Any, lead_push: Push, knowledge_push: Push) -> None:
    await north.raw.handle([lead_push(), knowledge_push()])
    await north.fetch("UPDATE lead SET state = 'delivered'")
    north.clock.advance(400 * DAY)
    removed = await _retention(north).prune()
    assert (removed["lead"], removed["knowledge"], removed["raw"]) == (1, 2, 2)


async def test_what_nobody_came_for_leaves_by_its_age(north: Any, knowledge_push: Push) -> None:
    await north.raw.handle([knowledge_push("old"), knowledge_push("new", lead_id="AT-2")])
    await north.fetch(
        "UPDATE knowledge SET received_at = received_at + interval '300 days' WHERE raw_id = 'new'"
    )
    await north.raw.handle([knowledge_push("still", lead_id="AT-3")])
    await north.raw.handle([knowledge_push("more", lead_id="AT-3")])
    await north.fetch(
        "UPDATE knowledge SET received_at = received_at + interval '300 days' WHERE raw_id = 'more'"
    )
    (seen,) = await north.fetch("SELECT min(received_at) AS at FROM knowledge")
    north.clock.advance((seen["at"] - north.clock.now()).total_seconds() + 366 * DAY)
    removed = await _retention(north).prune()
    assert (removed["knowledge"], removed["raw"]) == (1, 1)
    left = await north.fetch("SELECT raw_id FROM knowledge JOIN raw USING (raw_key) ORDER BY raw_id")
    assert [row["raw_id"] for row in left] == ["more", "new", "still"]
