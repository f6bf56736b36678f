"""What came of asking the bank, and what is done about it. Pure: time is only a wait in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

ReadState = Literal["due", "held", "done", "given_up", "discarded"]


class Outcome(StrEnum):
    """Closed vocabulary: in the tables, as a label of the metrics, as a word in the log."""

    ANSWERED = "answered"
    NOT_FOUND = "not_found"
    """404: not readable yet, or never."""
    FORBIDDEN = "forbidden"
    """403: the client may not see this partner number."""
    THROTTLED = "throttled"
    """429, or 503 that says when to come again."""
    UNAVAILABLE = "unavailable"
    """5xx."""
    UNREACHABLE = "unreachable"
    """No answer, or none in time."""
    LOGIN_REFUSED = "login_refused"
    """The client or its secret is wrong: at the token endpoint, or 401 under a token just given."""
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 -- a word, no secret
    """Our reference of the secret names nothing."""
    REJECTED = "rejected"
    """Any other status."""
    UNREADABLE = "unreadable"
    """200, but no lead, or another one than was asked for; the body is kept."""
    TOO_LARGE = "too_large"
    """More bytes than are read of anything."""
    FAILED = "failed"
    """A defect of ours; the log says where."""


class Trouble(Exception):  # noqa: N818 -- what came of asking, not a fault of ours
    """Anything but an answer that can be used. ``body`` is what came instead, where it is worth keeping."""

    def __init__(
        self,
        outcome: Outcome,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        body: bytes | None = None,
        content_type: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.body = body
        self.content_type = content_type
        self.detail = detail


NEEDS_PERSON = frozenset({Outcome.LOGIN_REFUSED, Outcome.SECRET_UNREADABLE, Outcome.FORBIDDEN})
"""Nothing heals by waiting alone. The first two stop the whole connection."""
STOPPING = frozenset({Outcome.LOGIN_REFUSED, Outcome.SECRET_UNREADABLE})
OPENS_AFTER_FAILURES = 5
"""Failures in a row, of whatever was asked, after which a connection is left alone for a while."""

_WAITS_AS_CONNECTION = STOPPING | {Outcome.THROTTLED}
_DOWN = frozenset({Outcome.UNAVAILABLE, Outcome.UNREACHABLE})
_FIRST_WAIT_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 900.0
_HELD_WAIT_SECONDS = 3600.0
_STOPPED_PROBE_SECONDS = 900.0
_THROTTLED_SECONDS = 60.0
_MOST_RETRY_AFTER_SECONDS = 3600.0
_GIVE_UP_AFTER_SECONDS = 48 * 3600.0
_HELD_GIVE_UP_AFTER_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class NextTry:
    """What becomes of a due read: its state, and when it is tried again. ``counts``: this was a try of it."""

    state: ReadState
    wait_seconds: float
    counts: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """What it says about the connection: failed once more; ``wait_seconds`` in which nothing is asked;
    ``stopped``: until a person mends something, but for a probe now and then."""

    failed: bool
    wait_seconds: float
    stopped: bool


def next_try(trouble: Trouble, *, tries: int, waited_seconds: float, jitter: float) -> NextTry:
    """After ``tries`` earlier ones and ``waited_seconds`` since the bank told of it; ``jitter`` from 0 to 1.

    Given up is only what the other side does not have, or answers with nonsense, for two days.
    """
    outcome = trouble.outcome
    if outcome in _WAITS_AS_CONNECTION:
        return NextTry("due", pause(trouble, failures=0, jitter=jitter).wait_seconds, counts=False)
    if outcome is Outcome.FORBIDDEN:
        over = waited_seconds > _HELD_GIVE_UP_AFTER_SECONDS
        return NextTry("given_up" if over else "held", _spread(_HELD_WAIT_SECONDS, jitter), counts=True)
    wait = _doubled(tries, jitter)
    over = outcome not in _DOWN and waited_seconds > _GIVE_UP_AFTER_SECONDS
    return NextTry("given_up" if over else "due", wait, counts=True)


def pause(trouble: Trouble, *, failures: int, jitter: float) -> Pause:
    """After ``failures`` earlier ones in a row."""
    outcome = trouble.outcome
    if outcome in STOPPING:
        return Pause(failed=True, wait_seconds=_spread(_STOPPED_PROBE_SECONDS, jitter), stopped=True)
    if outcome is Outcome.THROTTLED:
        told = trouble.retry_after_seconds
        # Never before the moment that was named, and a little later each.
        wait = min(_THROTTLED_SECONDS if told is None else told, _MOST_RETRY_AFTER_SECONDS) + jitter
        return Pause(failed=False, wait_seconds=wait, stopped=False)
    if outcome in _DOWN:
        beyond = failures + 1 - OPENS_AFTER_FAILURES
        return Pause(
            failed=True, wait_seconds=_doubled(beyond, jitter) if beyond >= 0 else 0.0, stopped=False
        )
    # It answered, be it with a refusal.
    return Pause(failed=False, wait_seconds=0.0, stopped=False)


def of_status(status: int) -> Outcome:
    """What a status says, of an answer to a request that carried a token the other side had just given."""
    if status == 200:
        return Outcome.ANSWERED
    known = {
        401: Outcome.LOGIN_REFUSED,
        403: Outcome.FORBIDDEN,
        404: Outcome.NOT_FOUND,
        429: Outcome.THROTTLED,
    }
    if status in known:
        return known[status]
    return Outcome.UNAVAILABLE if status >= 500 else Outcome.REJECTED


def _doubled(times: int, jitter: float) -> float:
    return _spread(min(_FIRST_WAIT_SECONDS * 2 ** min(times, 20), _LONGEST_WAIT_SECONDS), jitter)


def _spread(seconds: float, jitter: float) -> float:
    return seconds * (1 + 0.25 * jitter)
