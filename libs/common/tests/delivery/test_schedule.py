"""SCH: when a failed try is tried again, and when it is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.delivery import Schedule

HOUR = 3600


def waits(schedule: Schedule, luck: float = 0.5) -> list[float]:
    found: list[float] = []
    while (wait := schedule.wait_seconds(len(found) + 1, luck=luck)) is not None:
        found.append(wait)
    return found


def test_sch1_default_steps_then_two_hours_until_72_hours() -> None:
    found = waits(Schedule())
    assert found[:6] == [10, 30, 120, 600, 1800, 3600]
    assert set(found[6:]) == {2 * HOUR}
    assert 70 * HOUR < sum(found) <= 72 * HOUR


@pytest.mark.parametrize(("luck", "first"), [(0.0, 8.0), (0.5, 10.0), (0.999999, 12.0)])
def test_sch2_jitter_is_a_fifth_either_way(luck: float, first: float) -> None:
    assert Schedule().wait_seconds(1, luck=luck) == pytest.approx(first, abs=0.001)


def test_sch3_retry_after_lengthens_and_never_shortens() -> None:
    schedule = Schedule()
    assert schedule.wait_seconds(1, luck=0.5, after_seconds=300) == 300
    assert schedule.wait_seconds(3, luck=0.5, after_seconds=5) == 120


def test_sch4_retry_after_is_honoured_up_to_a_day() -> None:
    assert Schedule().wait_seconds(1, luck=0.5, after_seconds=10**9) == 24 * HOUR


def test_sch5_giving_up_does_not_depend_on_luck() -> None:
    assert len({len(waits(Schedule(), luck)) for luck in (0.0, 0.3, 0.99)}) == 1


def test_sch6_no_retries() -> None:
    assert waits(Schedule(give_up_after_seconds=0)) == []


@given(
    steps=st.lists(st.floats(0.1, 1e5), max_size=8).map(tuple),
    then=st.floats(1, 1e5),
    give_up=st.floats(0, 1e6),
    failures=st.integers(1, 100),
    luck=st.floats(0, 1, exclude_max=True),
    after=st.none() | st.floats(-10, 1e9),
)
def test_sch7_waits_are_positive_and_once_given_up_is_for_good(
    steps: tuple[float, ...],
    then: float,
    give_up: float,
    failures: int,
    luck: float,
    after: float | None,
) -> None:
    schedule = Schedule(steps_seconds=steps, then_every_seconds=then, give_up_after_seconds=give_up)
    wait = schedule.wait_seconds(failures, luck=luck, after_seconds=after)
    if wait is None:
        assert schedule.wait_seconds(failures + 1, luck=luck) is None
    else:
        assert wait > 0
        assert wait >= min(after or 0, schedule.longest_after_seconds)
