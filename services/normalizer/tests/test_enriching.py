"""Knowledge joins a lead: cases M1.., which parameters are useful, and that order does not matter."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.contracts.attribution import Attribution
from leadbus.contracts.lead import Lead, Warning_
from normalizer.domain.enriching import (
    Piece,
    Proof,
    attribution_of,
    attribution_of_all,
    enriched,
    merge,
)
from normalizer.domain.knowledge import PARAMETERS, Told

START = datetime(2026, 4, 14, 9, tzinfo=UTC)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


def piece(raw_id: str, received: int, **parameters: tuple[str, int | None]) -> Piece:
    """`parameters`: value and minute of its `as_of`."""
    told = {
        key: Told(value, None if minute is None else at(minute))
        for key, (value, minute) in parameters.items()
    }
    return Piece(Proof(raw_id, at(received)), told)


def values(attribution: Attribution) -> dict[str, tuple[str, int, str]]:
    """Per parameter its value, the minute of its `as_of`, and the raw message that told it."""
    return {
        key: (told.value, int((told.as_of - START).total_seconds() // 60), told.raw_id)
        for key in PARAMETERS
        if (told := getattr(attribution, key)) is not None
    }


def minute_known(attribution: Attribution) -> int | None:
    moment = attribution.known_at
    return None if moment is None else int((moment - START).total_seconds() // 60)


DAY = 24 * 60
# id, pieces in the order of their processing, values (value, as_of, raw_id), known_at
CASES: list[tuple[str, list[Piece], dict[str, Any], int | None]] = [
    ("M1 nothing told", [], {}, None),
    ("M2 one piece", [piece("r1", 6, source=("a", 5))], {"source": ("a", 5, "r1")}, 6),
    (
        "M3 pieces add up",
        [piece("r1", 6, source=("a", 5)), piece("r2", 9, campaign=("b", 8))],
        {"source": ("a", 5, "r1"), "campaign": ("b", 8, "r2")},
        6,
    ),
    (
        "M4 newer replaces",
        [piece("r1", 6, source=("a", 5)), piece("r2", 9, source=("b", 8))],
        {"source": ("b", 8, "r2")},
        6,
    ),
    (
        "M5 older does not, though it comes later",
        [piece("r1", 6, source=("a", 5)), piece("r2", 9, source=("b", 4))],
        {"source": ("a", 5, "r1")},
        6,
    ),
    (
        "M6 of the same moment the first stays",
        [piece("r1", 6, source=("a", 5)), piece("r2", 9, source=("b", 5))],
        {"source": ("a", 5, "r1")},
        6,
    ),
    (
        "M7 twice is once",
        [piece("r1", 6, source=("a", 5)), piece("r2", 9, source=("a", 5))],
        {"source": ("a", 5, "r1")},
        6,
    ),
    (
        "M8 confirmed later counts from then",
        [piece("r1", 6, source=("a", 5)), piece("r2", 9, source=("a", 8)), piece("r3", 10, source=("b", 7))],
        {"source": ("a", 8, "r2")},
        6,
    ),
    (
        "M9 processed late, told first",
        [piece("r2", 9, source=("b", 8)), piece("r1", 6, city=("c", 5), source=("a", 5))],
        {"source": ("b", 8, "r2"), "city": ("c", 5, "r1")},
        6,
    ),
    (
        "M10 days later",
        [piece("r1", 6, city=("c", 5)), piece("r2", 3 * DAY, source=("a", 3 * DAY - 1))],
        {"city": ("c", 5, "r1"), "source": ("a", 3 * DAY - 1, "r2")},
        3 * DAY,
    ),
    (
        "M11 no moment is that of the door",
        [piece("r1", 6, source=("a", None))],
        {"source": ("a", 6, "r1")},
        6,
    ),
    (
        "M12 a clock that runs ahead does not win for ever",
        [piece("r1", 6, source=("a", 9 * DAY)), piece("r2", 9, source=("b", 8))],
        {"source": ("b", 8, "r2")},
        6,
    ),
    (
        "M13 each field by itself",
        [piece("r1", 6, source=("a", 5), city=("c", 1)), piece("r2", 9, source=("b", 4), city=("d", 4))],
        {"source": ("a", 5, "r1"), "city": ("d", 4, "r2")},
        6,
    ),
    (
        "M14 useless first, useful later",
        [piece("r1", 6, ip=("i", 5)), piece("r2", 9, ga_client_id=("g", 8))],
        {"ip": ("i", 5, "r1"), "ga_client_id": ("g", 8, "r2")},
        9,
    ),
    (
        "M15 useful by the door's clock, not the tracker's",
        [piece("r1", 60, source=("a", 5)), piece("r2", 90, source=("b", 4))],
        {"source": ("a", 5, "r1")},
        60,
    ),
]


@pytest.mark.parametrize(("case", "pieces", "told", "known_at"), CASES, ids=[row[0] for row in CASES])
def test_pieces_join(case: str, pieces: Any, told: Any, known_at: Any) -> None:
    joined = reduce(merge, map(attribution_of, pieces), Attribution())
    assert values(joined) == told
    assert minute_known(joined) == known_at
    for order in itertools.permutations(pieces):
        assert attribution_of_all(order) == joined


# A14: parameters 2 to 8 and 11 to 13 are useful
USEFUL_NUMBERS = {*range(2, 9), 11, 12, 13}


@pytest.mark.parametrize(
    ("number", "key"),
    list(enumerate(PARAMETERS, 1)),
    ids=[f"A14-{n}-{key}" for n, key in enumerate(PARAMETERS, 1)],
)
def test_which_parameters_are_useful(number: int, key: str) -> None:
    alone = attribution_of(piece("r1", 6, **{key: ("v", 5)}))
    assert values(alone) == {key: ("v", 5, "r1")}
    assert minute_known(alone) == (6 if number in USEFUL_NUMBERS else None)


def test_what_is_useful_can_be_set() -> None:
    told = piece("r1", 6, city=("c", 5))
    assert minute_known(attribution_of(told, useful={"city"})) == 6
    assert minute_known(attribution_of_all([told], useful={"city"})) == 6
    assert minute_known(attribution_of(piece("r1", 6, source=("a", 5)), useful={"city"})) is None


DEALER_LEAD = {"source_type": "form", "channel": "form", "account": "a", "source": "alfatrack"}


def lead(**changes: Any) -> Lead:
    told: dict[str, Any] = {"lead_id": UUID(int=1), "revision": 1, "received_at": START, **DEALER_LEAD}
    return Lead.model_validate(told | {"dealer": {"dealer_id": "north", "name": "N"}} | changes)


@pytest.mark.parametrize(
    ("case", "before", "after", "changed"),
    [
        ("new", {}, {"source": ("a", 5), "city": ("c", 5)}, ("attribution",)),
        ("other", {"source": ("a", 5)}, {"source": ("b", 8)}, ("attribution",)),
        ("confirmed", {"source": ("a", 5)}, {"source": ("a", 8)}, ()),
        ("older", {"source": ("a", 5)}, {"source": ("b", 4)}, ()),
        ("nothing", {"source": ("a", 5)}, {}, ()),
    ],
)
def test_what_a_piece_changes(case: str, before: Any, after: Any, changed: Any) -> None:
    first, second = piece("r1", 6, **before), piece("r2", 9, **after)
    known = enriched(lead(), [first])
    assert enriched(known, [first, second]).changed_since(known) == changed


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_of_what_has_no_field_the_last_at_the_door_counts(order: Sequence[int]) -> None:
    told = [
        Piece(Proof("r1", at(1)), {}, {"project.name": "Old", "a": "1"}, alone=False),
        Piece(Proof("r2", at(2)), {}, {"project.name": "New"}),
        Piece(Proof("r3", at(3)), {}, {"b": "2"}),
    ]
    known = lead(extras={"project.name": "Old", "a": "1", "c": "3"})
    for number in (1, 2, 3):
        known = enriched(known, [told[index] for index in order[:number]])
    assert known.extras == {"project.name": "New", "a": "1", "b": "2", "c": "3"}


def test_warnings_join_once() -> None:
    warning = Warning_(code="parameter_placeholder", field="attribution.city")
    told = Piece(Proof("r1", at(1)), {}, warnings=(warning,))
    known = enriched(lead(warnings=(Warning_(code="x", field="y"),)), [told])
    assert enriched(known, [told]).warnings == (Warning_(code="x", field="y"), warning)


def test_without_pieces_nothing_is_touched() -> None:
    known = lead()
    assert enriched(known, []) is known


minutes = st.integers(0, 4)
told_once = st.tuples(st.sampled_from("ab"), st.none() | minutes)
parameters = st.dictionaries(st.sampled_from(["source", "city", "ga_client_id"]), told_once, max_size=3)
histories = st.lists(st.tuples(minutes, parameters), max_size=6)


def pieces_of(history: list[tuple[int, dict[str, tuple[str, int | None]]]]) -> list[Piece]:
    return [piece(f"r{index}", received, **told) for index, (received, told) in enumerate(history)]


@settings(max_examples=300, deadline=None)
@given(history=histories, data=st.data())
def test_in_any_order_pieces_make_one_attribution(history: Any, data: Any) -> None:
    pieces = pieces_of(history)
    shuffled = data.draw(st.permutations(pieces))
    again = [*shuffled, *data.draw(st.lists(st.sampled_from(pieces), max_size=3))] if pieces else []
    assert attribution_of_all(again) == attribution_of_all(pieces)


@settings(max_examples=300, deadline=None)
@given(history=histories)
def test_each_value_is_the_newest_that_was_told(history: Any) -> None:
    """Against the rule in its plainest words."""
    told = attribution_of_all(pieces_of(history))
    for key in ("source", "city", "ga_client_id"):
        claims = [
            (min(received if as_of is None else as_of, received), -received, -index, value)
            for index, (received, parameters_) in enumerate(history)
            if key in parameters_
            for value, as_of in [parameters_[key]]
        ]
        found = values(told).get(key)
        if not claims:
            assert found is None
            continue
        as_of, _, place, value = max(claims)
        assert found == (value, as_of, f"r{-place}")
    useful = [received for received, told_ in history if told_.keys() & {"source", "ga_client_id"}]
    assert minute_known(told) == min(useful, default=None)


@settings(max_examples=200, deadline=None)
@given(first=parameters, second=parameters, third=parameters)
def test_how_pieces_are_grouped_does_not_matter(first: Any, second: Any, third: Any) -> None:
    one, two, three = (
        attribution_of(piece(name, minute, **told))
        for name, minute, told in (("r1", 1, first), ("r2", 2, second), ("r3", 3, third))
    )
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one
