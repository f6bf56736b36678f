"""BRK: a destination that is down is left alone and probed by one delivery at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from leadbus.delivery.breaker import Breaker, BreakerSettings, BreakerState, Signal, after

SETTINGS = BreakerSettings(opens_after_failures=3, probe_steps_seconds=(30, 60))
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


@given(st.lists(st.sampled_from(Signal)))
def test_brk8_open_means_enough_failures_since_the_last_answer(signals: list[Signal]) -> None:
    breaker = heard(Breaker(), *signals)
    since = signals[len(signals) - signals[::-1].index(Signal.UP) :] if Signal.UP in signals else signals
    down = since.count(Signal.DOWN)
    assert (breaker.state is BreakerState.OPEN) == (down >= SETTINGS.opens_after_failures)
    assert breaker.consecutive_failures == down
