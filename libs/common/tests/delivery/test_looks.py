"""LOOK: when a look for due deliveries is made."""

from __future__ import annotations

import pytest
from leadbus.delivery.looks import SOON_SECONDS, Looks

POLL_SECONDS = 1.0


def looked(now: float) -> Looks:
    looks = Looks(POLL_SECONDS)
    looks.begin(now)
    return looks


def test_look1_the_first_is_due_at_once_and_the_next_by_the_poll() -> None:
    assert Looks(POLL_SECONDS).wait_seconds(-5.0) == 0
    assert looked(100.0).wait_seconds(100.25) == 0.75
    assert looked(100.0).wait_seconds(102.0) == 0


def test_look2_what_nobody_named_is_looked_for_at_once() -> None:
    looks = looked(100.0)
    looks.at_once()
    assert looks.wait_seconds(100.0) == 0


def test_look3_what_may_have_become_due_waits_for_others_of_its_kind() -> None:
    looks = looked(100.0)
    for _ in range(10):
        looks.soon()
        assert looks.wait_seconds(100.0) == pytest.approx(SOON_SECONDS)
    assert looks.wait_seconds(100.0 + 2 * SOON_SECONDS) == 0


def test_look4_what_asks_during_a_look_asks_for_the_next() -> None:
    looks = looked(100.0)
    looks.at_once()
    looks.begin(100.5)
    looks.at_once()
    assert looks.wait_seconds(100.5) == 0
    looks.soon()
    assert looks.wait_seconds(100.5) == 0, "at once is sooner than soon"
