"""What becomes of a delivery: state and event to next state and decision.

Pure: no I/O, no clock, no randomness. The engine and the operations both write what this module decides,
and nothing else writes a delivery's phase but the claim, which is the event ``Claimed``.

    queued ──┐                       ┌─▶ delivered
             ├─ claimed ─▶ sending ──┼─▶ failed     ── redriven ─▶ waiting
    waiting ─┘                │      └─▶ skipped
       ▲                      │
       └── transient, ambiguous, held, lease expired; held before the first try ─▶ queued

    queued, waiting ── cancel asked ─▶ cancelled; ── deadline passed ─▶ failed
    delivered, or waiting in doubt ── bounced ─▶ failed, or waiting for its repeat
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias, assert_never

from leadbus.delivery.breaker import Signal
from leadbus.delivery.outcomes import (
    HELD,
    Ambiguous,
    Delivered,
    Held,
    Outcome,
    Permanent,
    Skipped,
    Suspended,
    Transient,
)
from leadbus.delivery.schedule import Schedule


class Phase(StrEnum):
    QUEUED = "queued"
    """Never tried, though perhaps held."""
    SENDING = "sending"
    """Claimed: from here until an answer is recorded, only the leaseholder knows."""
    WAITING = "waiting"
    """Tried, to be tried again."""
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


BOUNCED = "bounced"
"""Outcome of what was taken and came back."""
TERMINAL = frozenset({Phase.DELIVERED, Phase.FAILED, Phase.SKIPPED, Phase.CANCELLED})


class Announcement(StrEnum):
    """The event that tells the outside; values are the stems of event types."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    RECOVERED = "recovered"
    """Taken after a failure had been announced."""


@dataclass(frozen=True, slots=True)
class State:
    """The part of a delivery that decisions depend on.

    ``attempts`` counts all tries, ``failures`` those that burnt a step of the schedule, ``doubts`` those of
    this repeat that may have been taken without our knowing, ``downs`` the last ones in a row that found the
    destination down. ``held``: the last one was no real try, and the next hold is part of it.
    """

    phase: Phase = Phase.QUEUED
    attempts: int = 0
    failures: int = 0
    doubts: int = 0
    repeat_number: int = 0
    announced: Announcement | None = None
    announcements: int = 0
    downs: int = 0
    held: bool = False
    bounced: bool = False
    """Failed after the other side had taken it: what comes next is a repeat."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An engine committed its intent to act."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The leaseholder tells how its try ended. ``luck`` in [0, 1) is for the jitter."""

    outcome: Outcome
    luck: float = 0.5


@dataclass(frozen=True, slots=True)
class LeaseExpired:
    """Nobody told in time how the try ended."""

    luck: float = 0.5


@dataclass(frozen=True, slots=True)
class NotActed:
    """The leaseholder knows that it never began: the claim's commit got lost on the way back to it."""


@dataclass(frozen=True, slots=True)
class AnsweredLate:
    """The answer to the last try came after its lease had expired and before the next try."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """Acting would be too late now."""


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """An operator does not want it any more."""


@dataclass(frozen=True, slots=True)
class RedriveAsked:
    """An operator wants it tried now, or, when it had been accepted, repeated."""


@dataclass(frozen=True, slots=True)
class Bounced:
    """What the other side took has, as it was told later, not arrived.

    ``reason`` is a code. ``permanent``: the same again would come back again; what is not is repeated
    ``after_seconds``, where that is given.
    """

    reason: str
    permanent: bool
    after_seconds: float | None = None


Event: TypeAlias = (
    Claimed
    | Answered
    | LeaseExpired
    | NotActed
    | AnsweredLate
    | DeadlinePassed
    | CancelAsked
    | RedriveAsked
    | Bounced
)


class NotAllowed(Exception):  # noqa: N818 -- it names a condition
    """The event cannot happen to a delivery in this phase."""

    def __init__(self, phase: Phase, event: Event) -> None:
        super().__init__(f"{type(event).__name__} is not possible while {phase.value}")
        self.phase = phase
        self.event = event


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write.

    ``outcome`` and ``reason`` are codes (None: leave them). ``wait_seconds`` is set when the delivery is to
    be tried (again): due that long from now. ``joins``: what was claimed turned out to be no try of its own,
    it is part of the one before, a hold like it. ``told`` is what the event tells of, where it is not
    ``state``.
    """

    state: State
    outcome: str | None = None
    reason: str | None = None
    wait_seconds: float | None = None
    announce: Announcement | None = None
    signal: Signal = Signal.NOTHING
    joins: bool = False
    told: State | None = None


def decide(state: State, event: Event, schedule: Schedule) -> Decision:
    """The one place where a delivery's fate is decided. Raises NotAllowed."""
    match event:
        case Claimed():
            _require(state, event, Phase.QUEUED, Phase.WAITING)
            return Decision(replace(state, phase=Phase.SENDING, attempts=state.attempts + 1))
        case Answered(outcome, luck):
            _require(state, event, Phase.SENDING)
            return _answered(state, outcome, luck, schedule)
        case LeaseExpired(luck):
            _require(state, event, Phase.SENDING)
            return _answered(state, Ambiguous("lease_expired"), luck, schedule)
        case NotActed():
            _require(state, event, Phase.SENDING)
            return _given_back(state)
        case AnsweredLate(outcome):
            return _answered_late(state, event, outcome)
        case DeadlinePassed():
            _require(state, event, Phase.QUEUED, Phase.WAITING)
            return _finish(state, Phase.FAILED, Announcement.FAILED, "deadline_passed")
        case CancelAsked():
            _require(state, event, Phase.QUEUED, Phase.WAITING)
            return _finish(state, Phase.CANCELLED, Announcement.FAILED, "cancelled")
        case RedriveAsked():
            return _redriven(state, event)
        case Bounced():
            return _bounced(state, event)
        case _:
            assert_never(event)


def _require(state: State, event: Event, *phases: Phase) -> None:
    if state.phase not in phases:
        raise NotAllowed(state.phase, event)


def _answered(state: State, outcome: Outcome, luck: float, schedule: Schedule) -> Decision:
    match outcome:
        case Delivered():
            return _delivered(state)
        case Skipped(reason):
            return _finish(state, Phase.SKIPPED, Announcement.SKIPPED, "skipped", reason)
        case Permanent(reason):
            refused = _finish(state, Phase.FAILED, Announcement.FAILED, "refused", reason)
            return replace(refused, signal=Signal.UP)
        case Transient(reason, _, _, True):
            return _down(state, reason, luck, schedule, outcome.after_seconds)
        case Suspended(reason):
            # The slow probes of a suspended destination are its only pace.
            wait = schedule.down_seconds(1, luck=luck)
            waiting = replace(state, phase=Phase.WAITING, held=False)
            return Decision(waiting, "suspended", reason, wait, signal=Signal.SUSPEND)
        case Held(reason, after_seconds):
            return _held(state, reason, schedule.held_seconds(after_seconds, luck=luck))
        case Transient(reason, after_seconds):
            retried = _try_again(state, "transient", reason, luck, schedule, after_seconds, outcome.pace)
            return replace(retried, signal=Signal.UP if outcome.destination_heard else Signal.NOTHING)
        case Ambiguous(reason, _, destination_down):
            doubted = replace(state, doubts=state.doubts + 1)
            retried = _try_again(doubted, "ambiguous", reason, luck, schedule, None)
            return replace(retried, signal=Signal.DOWN if destination_down else Signal.NOTHING)
        case _:
            assert_never(outcome)


def _delivered(state: State) -> Decision:
    recovered = state.announced is Announcement.FAILED
    announcement = Announcement.RECOVERED if recovered else Announcement.SUCCEEDED
    taken = _finish(state, Phase.DELIVERED, announcement, "delivered")
    return replace(taken, signal=Signal.UP)


def _down(
    state: State, reason: str, luck: float, schedule: Schedule, after_seconds: float | None
) -> Decision:
    """The fault is the destination's: it waits, longer each time, and no step of its schedule is burnt."""
    waiting = replace(state, phase=Phase.WAITING, downs=state.downs + 1, held=False)
    wait = max(schedule.down_seconds(waiting.downs, luck=luck), schedule.honoured_seconds(after_seconds))
    return Decision(waiting, "destination_down", reason, wait, signal=Signal.DOWN)


def _held(state: State, reason: str, wait_seconds: float) -> Decision:
    attempts = state.attempts - state.held
    # A first try that is still to come does not take the slots of retries.
    phase = Phase.QUEUED if attempts == 1 else Phase.WAITING
    waiting = replace(state, phase=phase, attempts=attempts, held=True)
    return Decision(waiting, HELD, reason, wait_seconds, joins=state.held)


def _given_back(state: State) -> Decision:
    waiting = replace(state, phase=Phase.WAITING, attempts=state.attempts - state.held)
    return Decision(waiting, wait_seconds=0, joins=state.held)


def _try_again(
    state: State,
    code: str,
    reason: str,
    luck: float,
    schedule: Schedule,
    after_seconds: float | None,
    pace: str | None = None,
) -> Decision:
    burnt = replace(state, failures=state.failures + 1, downs=0, held=False)
    wait = schedule.wait_seconds(burnt.failures, luck=luck, after_seconds=after_seconds, pace=pace)
    if wait is None:
        return _finish(burnt, Phase.FAILED, Announcement.FAILED, "gave_up", reason)
    return Decision(replace(burnt, phase=Phase.WAITING), code, reason, wait)


def _answered_late(state: State, event: Event, outcome: Outcome) -> Decision:
    # Whatever the lease's expiry made of it, the truth wins as long as it prevents a second sending.
    _require(state, event, Phase.WAITING, Phase.FAILED)
    if isinstance(outcome, Delivered) and not state.bounced:
        return _delivered(state)
    return Decision(state)


def _redriven(state: State, event: Event) -> Decision:
    if state.phase is Phase.SENDING:
        raise NotAllowed(state.phase, event)
    if state.phase in (Phase.QUEUED, Phase.WAITING):
        return Decision(state, wait_seconds=0)
    if state.phase is Phase.DELIVERED or state.bounced:
        return Decision(_next_repeat(state), wait_seconds=0)
    return Decision(replace(state, phase=Phase.WAITING, failures=0, downs=0), wait_seconds=0)


def _next_repeat(state: State) -> State:
    number = state.repeat_number + 1
    return replace(
        state, phase=Phase.WAITING, failures=0, downs=0, doubts=0, repeat_number=number, bounced=False
    )


def _bounced(state: State, event: Bounced) -> Decision:
    # One that may have been taken was: else there would be nothing to come back.
    if not (state.phase is Phase.WAITING and state.doubts):
        _require(state, event, Phase.DELIVERED)
    failed = _finish(state, Phase.FAILED, Announcement.FAILED, BOUNCED, event.reason)
    if event.permanent or event.after_seconds is None:
        return replace(failed, state=replace(failed.state, bounced=True))
    again = _next_repeat(failed.state)
    return replace(failed, state=again, told=failed.state, wait_seconds=event.after_seconds)


def _finish(
    state: State, phase: Phase, announcement: Announcement, code: str, reason: str | None = None
) -> Decision:
    ended = replace(
        state,
        phase=phase,
        announced=announcement,
        announcements=state.announcements + 1,
        downs=0,
        held=False,
        bounced=False,
    )
    return Decision(ended, code, reason, announce=announcement)
