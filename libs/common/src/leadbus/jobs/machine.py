"""What may happen to a job: state and event to the next state.

Pure: no I/O, no clock. Whoever writes a job's state asks here first.

    planned ── run ─▶ running ─┬─ ended ─────────────▶ done
       │                       ├─ broke ─────────────▶ failed
       │                       └─ cancel, then halted ▶ cancelled
       └── cancel, expired ─▶ cancelled
"""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    PLANNED = "planned"
    """Counted and shown; nothing was touched."""
    RUNNING = "running"
    DONE = "done"
    """Everything that was planned had its turn; some may have failed."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    """It could not go on."""


ENDED = frozenset({JobState.DONE, JobState.CANCELLED, JobState.FAILED})


class JobEvent(StrEnum):
    RUN_ASKED = "run_asked"
    CANCEL_ASKED = "cancel_asked"
    HALTED = "halted"
    """Cancelling was asked, and no batch is in hand: the runner saw it between two, or there is none."""
    FINISHED = "finished"
    BROKE = "broke"
    EXPIRED = "expired"
    """Planned, and not run in time: what was counted then may be something else by now."""


class NotPossible(Exception):  # noqa: N818 -- it names a condition
    """The event cannot happen to a job in this state."""

    def __init__(self, state: JobState, event: JobEvent) -> None:
        super().__init__(f"{event.value} is not possible while {state.value}")
        self.state = state
        self.event = event


_NEXT = {
    (JobState.PLANNED, JobEvent.RUN_ASKED): JobState.RUNNING,
    (JobState.PLANNED, JobEvent.CANCEL_ASKED): JobState.CANCELLED,
    (JobState.PLANNED, JobEvent.EXPIRED): JobState.CANCELLED,
    # It halts when the batch in hand is done: a batch is never cut short.
    (JobState.RUNNING, JobEvent.CANCEL_ASKED): JobState.RUNNING,
    (JobState.RUNNING, JobEvent.HALTED): JobState.CANCELLED,
    (JobState.RUNNING, JobEvent.FINISHED): JobState.DONE,
    (JobState.RUNNING, JobEvent.BROKE): JobState.FAILED,
}


def after(state: JobState, event: JobEvent, *, cancel_asked: bool = False) -> JobState:
    """The state after the event. Raises NotPossible, also for asking to cancel a second time."""
    if event is JobEvent.CANCEL_ASKED and cancel_asked:
        raise NotPossible(state, event)
    if event is JobEvent.HALTED and not cancel_asked:
        raise NotPossible(state, event)
    try:
        return _NEXT[state, event]
    except KeyError:
        raise NotPossible(state, event) from None
