"""BRK: a destination that is down is left alone and probed by one delivery at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.delivery.breaker import Breaker, BreakerSettings, BreakerState, Signal, after

SETTINGS = BreakerSettings(
    opens_after_failures=3, probe_steps_seconds=(30, 60), suspended_probe_steps_seconds=(100, 200, 300)
)
OPEN = Breaker(BreakerState.OPEN, 3, 0)
PROBING = Breaker(BreakerState.HALF_OPEN, 3, 0)


def heard(breaker: Breaker, *signals: Signal) -> Breaker:
    for signal in signals:
        breaker = after(breaker, signal, SETTINGS).breaker
    return breaker


def test_brk1_opens_after_so_many_failures_in_a_row() -> None:
    two = heard(Breaker(), Signal.DOWN, Signal.DOWN)
    assert two.state is BreakerState.CLOSED
    opened = after(two, Signal.DOWN, SETTINGS)
    assert opened.breaker.state is BreakerState.OPEN
    assert opened.probe_wait_seconds == 30


def test_brk2_an_answer_in_between_starts_the_count_again() -> None:
    breaker = heard(Breaker(), Signal.DOWN, Signal.DOWN, Signal.UP, Signal.DOWN, Signal.DOWN)
    assert breaker.state is BreakerState.CLOSED


def test_brk3_what_says_nothing_changes_nothing() -> None:
    breaker = heard(Breaker(), Signal.DOWN, Signal.DOWN)
    assert heard(breaker, Signal.NOTHING) == breaker


def test_brk4_probe_that_is_answered_closes() -> None:
    assert heard(PROBING, Signal.UP) == Breaker()


def test_brk5_probes_that_fail_come_later_and_later() -> None:
    first = after(PROBING, Signal.DOWN, SETTINGS)
    assert (first.breaker.state, first.probe_wait_seconds) == (BreakerState.OPEN, 60)
    second = after(Breaker(BreakerState.HALF_OPEN, 4, 1), Signal.DOWN, SETTINGS)
    assert second.probe_wait_seconds == 60, "the last step repeats"


def test_brk6_probe_that_told_nothing_is_made_again() -> None:
    change = after(PROBING, Signal.NOTHING, SETTINGS)
    assert (change.breaker.state, change.probe_wait_seconds) == (BreakerState.OPEN, 30)


def test_brk7_late_failures_do_not_put_the_probe_off() -> None:
    assert after(OPEN, Signal.DOWN, SETTINGS).probe_wait_seconds is None


PLAIN = [signal for signal in Signal if signal is not Signal.SUSPEND]


@given(st.lists(st.sampled_from(PLAIN)))
def test_brk8_open_means_enough_failures_since_the_last_answer(signals: list[Signal]) -> None:
    breaker = heard(Breaker(), *signals)
    since = signals[len(signals) - signals[::-1].index(Signal.UP) :] if Signal.UP in signals else signals
    down = since.count(Signal.DOWN)
    assert (breaker.state is BreakerState.OPEN) == (down >= SETTINGS.opens_after_failures)
    assert breaker.consecutive_failures == down


@pytest.mark.parametrize(
    "before",
    [Breaker(), Breaker(consecutive_failures=2), OPEN, PROBING, Breaker(BreakerState.OPEN, 9, 4)],
    ids=["healthy", "failing-a-little", "open", "probing", "open-for-long"],
)
def test_brk9_refusal_suspends_at_once_and_begins_the_slow_probes(before: Breaker) -> None:
    change = after(before, Signal.SUSPEND, SETTINGS)
    failures = before.consecutive_failures + 1
    assert change.breaker == Breaker(BreakerState.OPEN, failures, 0, suspended=True)
    assert change.probe_wait_seconds == 100


@pytest.mark.parametrize(
    ("signal", "state", "probes", "suspended", "wait_seconds"),
    [
        (Signal.UP, BreakerState.CLOSED, 0, False, None),
        (Signal.SUSPEND, BreakerState.OPEN, 1, True, 200),
        (Signal.DOWN, BreakerState.OPEN, 1, True, 200),
        (Signal.NOTHING, BreakerState.OPEN, 0, True, 100),
    ],
    ids=["answered", "refused", "down", "nothing"],
)
def test_brk10_probe_of_a_suspended_destination(
    signal: Signal, state: BreakerState, probes: int, suspended: bool, wait_seconds: float | None
) -> None:
    change = after(Breaker(BreakerState.HALF_OPEN, 1, 0, suspended=True), signal, SETTINGS)
    assert (change.breaker.state, change.breaker.probes) == (state, probes)
    assert (change.breaker.suspended, change.probe_wait_seconds) == (suspended, wait_seconds)


@pytest.mark.parametrize("signal", Signal)
def test_brk11_only_a_probe_ends_a_suspension(signal: Signal) -> None:
    """Tries that began before are still coming back: neither good nor bad news of them changes anything."""
    suspended = Breaker(BreakerState.OPEN, 1, 0, suspended=True)
    change = after(suspended, signal, SETTINGS)
    assert (change.breaker.state, change.breaker.suspended) == (BreakerState.OPEN, True)
    assert change.probe_wait_seconds is None, "the probe's time stands"


def test_brk12_suspended_probes_come_later_and_later() -> None:
    waits = []
    breaker = Breaker(BreakerState.HALF_OPEN, 1, 0, suspended=True)
    for _ in range(4):
        change = after(breaker, Signal.SUSPEND, SETTINGS)
        waits.append(change.probe_wait_seconds)
        breaker = replace(change.breaker, state=BreakerState.HALF_OPEN)
    assert waits == [200, 300, 300, 300]


def test_brk13_closed_by_an_older_release_is_resumed_or_suspended_again() -> None:
    """A release that knows no suspension may close the breaker and leave the mark."""
    closed = Breaker(suspended=True)
    assert after(closed, Signal.UP, SETTINGS).breaker == Breaker()
    again = after(closed, Signal.SUSPEND, SETTINGS)
    assert (again.breaker.state, again.breaker.suspended) == (BreakerState.OPEN, True)
    assert again.probe_wait_seconds == 100


@given(st.lists(st.sampled_from(Signal)))
def test_brk14_suspended_means_refused_and_left_alone(signals: list[Signal]) -> None:
    breaker = heard(Breaker(), *signals)
    assert breaker.suspended == (Signal.SUSPEND in signals), "no probe was made"
    if breaker.suspended:
        assert breaker.state is BreakerState.OPEN
