"""LIM: the pace and the room of a destination, as arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.delivery.limits import Limits, within

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Wish:
    name: str
    destination: str = "host"
    priority: int = 0
    not_before: datetime = NOON


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("limits", "in_flight", "room"),
    [
        (Limits(), 99, None),
        (Limits(max_in_flight=3), 0, 3),
        (Limits(max_in_flight=3), 2, 1),
        (Limits(max_in_flight=3), 5, 0),
        (Limits(per_minute=1), 0, 1),
        (Limits(per_minute=600), 0, 61),
        (Limits(max_in_flight=4, per_minute=600), 1, 3),
        (Limits(max_in_flight=4, per_minute=1), 1, 1),
    ],
    ids=["none", "free", "some", "lowered-below", "slow", "saved-up", "tighter-flight", "tighter-pace"],
)
def test_lim1_room(limits: Limits, in_flight: int, room: int | None) -> None:
    assert limits.room(in_flight=in_flight, now=NOON) == room


def test_lim2_one_a_minute_is_one_a_minute() -> None:
    limits = Limits(per_minute=1).after(1, now=NOON)
    assert limits.room(in_flight=0, now=later(59)) == 0
    assert limits.room(in_flight=0, now=later(60)) == 1
    assert limits.room(in_flight=0, now=later(3600)) == 1, "a quiet hour saves nothing up"


def test_lim3_without_a_pace_nothing_is_remembered() -> None:
    assert Limits(max_in_flight=2).after(2, now=NOON) == Limits(max_in_flight=2)
    assert Limits(per_minute=2).after(0, now=NOON) == Limits(per_minute=2)


@given(
    st.integers(1, 3000),
    st.lists(st.tuples(st.floats(0, 20), st.integers(1, 200)), min_size=1, max_size=60),
)
def test_lim4_no_sixty_seconds_see_more(per_minute: int, claims: Sequence[tuple[float, int]]) -> None:
    limits, at = Limits(per_minute=per_minute), NOON
    started: list[datetime] = []
    for wait_seconds, wanted in claims:
        at += timedelta(seconds=wait_seconds)
        room = limits.room(in_flight=0, now=at)
        assert room is not None
        number = min(room, wanted)
        started += [at] * number
        limits = limits.after(number, now=at)
    for first in set(started):
        window = [one for one in started if first <= one < first + timedelta(seconds=60)]
        assert len(window) <= per_minute


@pytest.mark.parametrize("per_minute", [1, 7, 9, 10, 19, 60, 601, 3000])
def test_lim5_under_backlog_it_is_nearly_used(per_minute: int) -> None:
    limits, number = Limits(per_minute=per_minute), 0
    for second in range(600):
        room = limits.room(in_flight=0, now=later(second))
        assert room is not None
        number += room
        limits = limits.after(room, now=later(second))
    assert 0.9 * per_minute * 10 <= number <= per_minute * 10


def test_lim6_the_most_urgent_and_longest_due_go_first_and_others_are_not_touched() -> None:
    wishes = [
        Wish("fresh", not_before=later(5)),
        Wish("retry", not_before=later(1)),
        Wish("urgent", not_before=later(9), priority=2),
        Wish("elsewhere", destination="other"),
        Wish("unlimited", destination="free"),
    ]
    allowed = {one.name for one in within(wishes, {"host": 2, "free": None, "other": 0})}
    assert allowed == {"urgent", "retry", "unlimited"}


def test_lim7_lowering_the_pace_does_not_forget_what_was_started() -> None:
    quick = Limits(per_minute=60).after(7, now=NOON)
    slow = replace(quick, per_minute=1)
    assert slow.room(in_flight=0, now=NOON) == 0
