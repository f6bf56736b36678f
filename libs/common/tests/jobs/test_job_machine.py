"""M: what may happen to a job, every state with every event."""

from __future__ import annotations

import pytest
from leadbus.jobs.machine import ENDED, JobEvent, JobState, NotPossible, after

POSSIBLE = {
    ("planned", "run_asked"): "running",
    ("planned", "cancel_asked"): "cancelled",
    ("planned", "expired"): "cancelled",
    ("running", "cancel_asked"): "running",
    ("running", "finished"): "done",
    ("running", "broke"): "failed",
}


@pytest.mark.parametrize("event", JobEvent)
@pytest.mark.parametrize("state", JobState)
def test_m1_every_state_with_every_event(state: JobState, event: JobEvent) -> None:
    expected = POSSIBLE.get((state.value, event.value))
    if expected is None:
        with pytest.raises(NotPossible):
            after(state, event)
    else:
        assert after(state, event) == expected


def test_m2_a_running_job_halts_only_when_somebody_asked() -> None:
    assert after(JobState.RUNNING, JobEvent.HALTED, cancel_asked=True) is JobState.CANCELLED
    with pytest.raises(NotPossible):
        after(JobState.RUNNING, JobEvent.HALTED)


def test_m3_asking_to_cancel_twice_is_not_possible() -> None:
    with pytest.raises(NotPossible):
        after(JobState.RUNNING, JobEvent.CANCEL_ASKED, cancel_asked=True)


@pytest.mark.parametrize("state", sorted(ENDED))
@pytest.mark.parametrize("event", JobEvent)
def test_m4_an_end_is_an_end(state: JobState, event: JobEvent) -> None:
    with pytest.raises(NotPossible):
        after(state, event, cancel_asked=True)
