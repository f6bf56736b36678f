"""What is done about an answer that is none: who waits how long, and who needs a person."""

from __future__ import annotations

import pytest
from ingest.bdk.outcome import (
    OPENS_AFTER_FAILURES,
    NextTry,
    Outcome,
    Pause,
    Trouble,
    next_try,
    of_status,
    pause,
)

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ANSWERED),
        (201, Outcome.REJECTED),
        (204, Outcome.REJECTED),
        (302, Outcome.REJECTED),
        (400, Outcome.REJECTED),
        (401, Outcome.LOGIN_REFUSED),
        (403, Outcome.FORBIDDEN),
        (404, Outcome.NOT_FOUND),
        (410, Outcome.REJECTED),
        (429, Outcome.THROTTLED),
        (500, Outcome.UNAVAILABLE),
        (503, Outcome.UNAVAILABLE),
    ],
)
def test_a_status_is_one_outcome(status: int, outcome: Outcome) -> None:
    assert of_status(status) is outcome


@pytest.mark.parametrize(
    ("outcome", "tries", "waited", "step"),
    [
        pytest.param(Outcome.NOT_FOUND, 0, 0, NextTry("due", 5, True), id="not readable yet"),
        pytest.param(Outcome.NOT_FOUND, 3, 100, NextTry("due", 40, True), id="still not"),
        pytest.param(
            Outcome.NOT_FOUND, 40, DAY, NextTry("due", 900, True), id="never more than a quarter of an hour"
        ),
        pytest.param(
            Outcome.NOT_FOUND, 40, 2 * DAY + 1, NextTry("given_up", 900, True), id="two days are enough"
        ),
        pytest.param(
            Outcome.UNREADABLE, 40, 3 * DAY, NextTry("given_up", 900, True), id="nonsense for two days"
        ),
        pytest.param(
            Outcome.UNAVAILABLE, 40, 30 * DAY, NextTry("due", 900, True), id="a server that is away: never"
        ),
        pytest.param(
            Outcome.UNREACHABLE, 1, 30 * DAY, NextTry("due", 10, True), id="nor one that is not reached"
        ),
        pytest.param(Outcome.FORBIDDEN, 0, 0, NextTry("held", HOUR, True), id="held for a person"),
        pytest.param(Outcome.FORBIDDEN, 99, 31 * DAY, NextTry("given_up", HOUR, True), id="who never came"),
        pytest.param(Outcome.LOGIN_REFUSED, 0, 0, NextTry("due", 900, False), id="not the lead's fault"),
        pytest.param(Outcome.SECRET_UNREADABLE, 0, 9 * DAY, NextTry("due", 900, False), id="nor this"),
        pytest.param(
            Outcome.THROTTLED, 7, 9 * DAY, NextTry("due", 60, False), id="nor that there is much to do"
        ),
    ],
)
def test_a_read_is_tried_again(outcome: Outcome, tries: int, waited: float, step: NextTry) -> None:
    assert next_try(Trouble(outcome), tries=tries, waited_seconds=waited, jitter=0) == step


@pytest.mark.parametrize(
    ("trouble", "failures", "then"),
    [
        pytest.param(Trouble(Outcome.NOT_FOUND), 3, Pause(False, 0, False), id="a refusal is an answer"),
        pytest.param(Trouble(Outcome.FORBIDDEN), 0, Pause(False, 0, False), id="others are shown"),
        pytest.param(Trouble(Outcome.UNAVAILABLE), 0, Pause(True, 0, False), id="once is nothing"),
        pytest.param(
            Trouble(Outcome.UNREACHABLE),
            OPENS_AFTER_FAILURES - 1,
            Pause(True, 5, False),
            id="five times are enough",
        ),
        pytest.param(
            Trouble(Outcome.UNREACHABLE), 50, Pause(True, 900, False), id="it is looked at now and then"
        ),
        pytest.param(Trouble(Outcome.LOGIN_REFUSED), 0, Pause(True, 900, True), id="stops"),
        pytest.param(Trouble(Outcome.SECRET_UNREADABLE), 0, Pause(True, 900, True), id="stops too"),
        pytest.param(
            Trouble(Outcome.THROTTLED, retry_after_seconds=7), 0, Pause(False, 7, False), id="as was asked"
        ),
        pytest.param(Trouble(Outcome.THROTTLED), 0, Pause(False, 60, False), id="nothing was asked"),
        pytest.param(
            Trouble(Outcome.THROTTLED, retry_after_seconds=10**8),
            0,
            Pause(False, HOUR, False),
            id="an hour at most",
        ),
    ],
)
def test_a_connection_is_left_alone(trouble: Trouble, failures: int, then: Pause) -> None:
    assert pause(trouble, failures=failures, jitter=0) == then


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("tries", [0, 5, 500, 10**6])
def test_waits_are_bounded_and_never_shorter_than_without_jitter(outcome: Outcome, tries: int) -> None:
    for jitter in (0.0, 0.5, 1.0):
        step = next_try(Trouble(outcome), tries=tries, waited_seconds=0, jitter=jitter)
        plain = next_try(Trouble(outcome), tries=tries, waited_seconds=0, jitter=0)
        assert plain.wait_seconds <= step.wait_seconds <= plain.wait_seconds * 1.25 + 1
        assert 0 < step.wait_seconds <= 1.25 * HOUR


def test_a_moment_that_was_asked_for_is_never_anticipated() -> None:
    for jitter in (0.0, 1.0):
        then = pause(Trouble(Outcome.THROTTLED, retry_after_seconds=30), failures=0, jitter=jitter)
        assert then.wait_seconds >= 30


def test_an_error_says_no_more_than_its_word() -> None:
    trouble = Trouble(Outcome.UNREADABLE, body=b"Jane", detail="no JSON")
    assert str(trouble) == "unreadable"
