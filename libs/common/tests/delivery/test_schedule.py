"""SCH: when a failed try is tried again, and when it is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.delivery import Pace, Schedule

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


PACED = Schedule(
    steps_seconds=(10, 30),
    then_every_seconds=60,
    give_up_after_seconds=1000,
    paces={"late": Pace(steps_seconds=(180, 300), never_early=True), "slow": Pace(steps_seconds=(900,))},
)


@pytest.mark.parametrize(
    ("pace", "failures", "luck", "wait"),
    [
        pytest.param(None, 1, 0.5, 10, id="SCH8-default"),
        pytest.param("slow", 1, 0.5, 900, id="SCH9-another-pace"),
        pytest.param("slow", 1, 0.0, 720, id="SCH10-jitter-shortens-it"),
        pytest.param("slow", 2, 0.5, 60, id="SCH11-then-as-all"),
        pytest.param("late", 1, 0.0, 180, id="SCH12-never-early"),
        pytest.param("late", 1, 0.5, 198, id="SCH13-only-later"),
        pytest.param("late", 2, 0.0, 300, id="SCH14-nor-at-its-second-step"),
        pytest.param("unknown", 1, 0.5, 10, id="SCH15-unknown-is-the-default"),
    ],
)
def test_paces(pace: str | None, failures: int, luck: float, wait: float) -> None:
    assert PACED.wait_seconds(failures, luck=luck, pace=pace) == pytest.approx(wait)


def test_sch16_a_pace_is_given_up_by_its_own_waits() -> None:
    assert PACED.wait_seconds(2, luck=0.5, pace="slow") == 60
    assert PACED.wait_seconds(3, luck=0.5, pace="slow") is None
    assert PACED.wait_seconds(3, luck=0.5) == 60


@pytest.mark.parametrize(
    ("steps", "downs", "wait"),
    [
        pytest.param((10, 30), 1, 10, id="SCH17-first"),
        pytest.param((10, 30), 2, 30, id="SCH18-second"),
        pytest.param((10, 30), 1000, 30, id="SCH19-the-last-step-repeats-for-ever"),
        pytest.param((), 3, 7200, id="SCH20-no-steps"),
    ],
)
def test_waits_while_the_destination_is_down(steps: tuple[float, ...], downs: int, wait: float) -> None:
    assert Schedule(steps_seconds=steps).down_seconds(downs, luck=0.5) == wait


@given(after=st.floats(0, 1e6), luck=st.floats(0, 1, exclude_max=True))
def test_sch21_a_hold_lasts_at_least_as_long_as_told(after: float, luck: float) -> None:
    schedule = Schedule()
    assert schedule.held_seconds(after, luck=luck) >= min(after, schedule.longest_after_seconds)
