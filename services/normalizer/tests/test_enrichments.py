"""Leads and what is told beside them, in every order: cases K1.. of RULES.md, pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from leadbus.contracts.lead import Lead
from normalizer.domain.enriching import Piece, Proof, enriched
from normalizer.domain.knowledge import Told
from normalizer.domain.revisions import (
    ENRICHED,
    RECEIVED,
    UPDATED,
    Enrichment,
    Reading,
    Telling,
    advance,
    fill,
    refold,
)

START = datetime(2026, 4, 14, 9, tzinfo=UTC)
LEAD = UUID(int=99)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def told(**values: str) -> dict[str, Told]:
    return {key: Told(value) for key, value in values.items()}


@pytest.fixture
def push(dealer: Any) -> Callable[..., Reading]:
    """A lead, of which the source tells `parameters` along with it."""

    def make(minute: int, message: str = "Hello", **parameters: str) -> Reading:
        lead = Lead(
            lead_id=LEAD,
            revision=1,
            source="alfatrack",
            account="a",
            source_type="form",
            channel="form",
            received_at=at(minute),
            dealer=dealer,
            message=message,
            extras={},
        )
        piece = Piece(Proof(f"r{minute}", at(minute)), told(**parameters), alone=False)
        return Reading(UUID(int=minute), enriched(lead, [piece]), piece)

    return make


def learn(minute: int, **parameters: str) -> Enrichment:
    return Enrichment(UUID(int=minute), LEAD, Piece(Proof(f"r{minute}", at(minute)), told(**parameters)))


def sources(lead: Lead) -> tuple[str | None, str | None]:
    """Value of `source`, and the raw message that told it."""
    source = lead.attribution.source
    return (source.value, source.raw_id) if source else (None, None)


@pytest.mark.parametrize("case", ["K1"])
def test_knowledge_of_a_known_lead(case: str, push: Any) -> None:
    received, enrichment = advance(None, [push(1), learn(2, source="ads")])
    assert (received.event_type, enrichment.event_type) == (RECEIVED, ENRICHED)
    assert enrichment.changed == ("attribution",)
    assert enrichment.raw_key == UUID(int=2)
    assert sources(enrichment.lead) == ("ads", "r2")
    assert enrichment.lead.attribution.known_at == at(2)


@pytest.mark.parametrize("case", ["K2"])
def test_knowledge_before_its_lead(case: str, push: Any) -> None:
    assert advance(None, [learn(1, source="ads"), learn(2, city="Oslo")]) == []
    pieces = {UUID(int=n): one.piece for n, one in ((1, learn(1, source="ads")), (2, learn(2, city="Oslo")))}
    received, enrichment = advance(None, [push(3, browser="Lynx")], pieces)
    assert received.event_type == RECEIVED
    assert sources(received.lead) == (None, None)
    assert received.lead.attribution.browser is not None
    assert (enrichment.event_type, enrichment.raw_key) == (ENRICHED, UUID(int=2))
    assert sources(enrichment.lead) == ("ads", "r1")
    assert enrichment.lead.attribution.browser == received.lead.attribution.browser


@pytest.mark.parametrize("case", ["K2"])
def test_knowledge_before_its_lead_that_tells_nothing_new(case: str, push: Any) -> None:
    pieces = {UUID(int=1): learn(1, source="ads").piece}
    (received,) = advance(None, [push(3, source="ads")], {**pieces, UUID(int=2): learn(2).piece})
    assert received.event_type == RECEIVED


@pytest.mark.parametrize("case", ["K3"])
def test_knowledge_that_is_known(case: str, push: Any) -> None:
    _, enrichment = advance(None, [push(1), learn(2, source="ads")])
    known = {UUID(int=1): push(1).piece, UUID(int=2): learn(2, source="ads").piece}
    assert advance(enrichment.lead, [learn(3, source="ads")], known) == []
    assert advance(enrichment.lead, [learn(2, source="ads")], known) == []


@pytest.mark.parametrize("case", ["K4"])
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_every_order_makes_one_attribution(case: str, order: Any, push: Any) -> None:
    """Told one by one, each with what was told before; as of their moments at the door."""
    tellings: list[Telling] = [
        push(2, browser="Lynx"),
        learn(1, source="a", city="Oslo"),
        learn(3, source="b"),
        learn(4, source="b", city="Rome"),
    ]
    known: Lead | None = None
    pieces: dict[UUID, Piece] = {}
    for index in order:
        telling = tellings[index]
        for revision in advance(known, [telling], dict(pieces)):
            known = revision.lead
        assert telling.piece is not None
        pieces[telling.raw_key] = telling.piece
    assert known is not None
    whole = enriched(known, list(pieces.values()))
    assert whole.content() == known.content()
    assert sources(whole) == ("b", "r4")
    attribution = known.content()["attribution"]
    assert attribution == {"source": "b", "city": "Rome", "browser": "Lynx"}


@pytest.mark.parametrize("case", ["K5"])
def test_a_lead_told_again(case: str, push: Any) -> None:
    (received,) = advance(None, [push(1)])
    pieces = {UUID(int=1): push(1).piece}
    (more,) = advance(received.lead, [push(2, "Hello", source="ads")], pieces)
    assert (more.event_type, more.changed) == (ENRICHED, ("attribution",))
    (other,) = advance(received.lead, [push(2, "Changed", source="ads")], pieces)
    assert (other.event_type, other.changed) == (UPDATED, ("attribution", "message"))


@pytest.mark.parametrize("case", ["K6"])
def test_a_confirmed_value_is_kept_though_no_revision_shows_it(case: str, push: Any) -> None:
    """The lead shows `a` as of the first minute; a piece of between may not win over its confirmation."""
    pieces = {UUID(int=1): push(1, source="a").piece, UUID(int=5): learn(5, source="a").piece}
    (received,) = advance(None, [push(1, source="a")])
    assert advance(received.lead, [learn(3, source="b")], pieces) == []
    assert len(advance(received.lead, [learn(6, source="b")], pieces)) == 1


@pytest.mark.parametrize("case", ["K7"])
def test_what_is_folded_anew_keeps_what_was_told_beside_it(case: str, push: Any) -> None:
    _, enrichment = advance(None, [push(1), learn(3, source="ads")])
    pieces = {UUID(int=1): push(1).piece, UUID(int=3): learn(3, source="ads").piece}
    assert refold(enrichment.lead, [push(1)], UUID(int=1), pieces) == []
    (late,) = refold(
        enrichment.lead,
        [push(1), push(2, "Late", city="Oslo")],
        UUID(int=2),
        {
            **pieces,
            UUID(int=2): push(2, "Late", city="Oslo").piece,
        },
    )
    assert (late.event_type, late.changed) == (UPDATED, ("attribution", "message"))
    assert sources(late.lead) == ("ads", "r3")
    assert fill(enrichment.lead, [push(2, "Late")], UUID(int=2), pieces) == []
