"""What the jobs of a service look like from outside."""

from __future__ import annotations

from collections.abc import Mapping

from leadbus import metrics
from leadbus.jobs.machine import ENDED as ENDED_STATES
from leadbus.jobs.machine import JobState

_KIND = metrics.configured("kinds of jobs of this service", 20)

JOBS = metrics.gauge(
    "leadbus_jobs",
    "Operators' long acts that are kept, by where they stand.",
    labels={"kind": _KIND, "state": JobState},
)
ENDED = metrics.counter(
    "leadbus_jobs_ended_total",
    "Jobs that this process brought to their end.",
    labels={"kind": _KIND, "state": sorted(state.value for state in ENDED_STATES)},
)

_shown: set[tuple[str, str]] = set()


def show(counted: Mapping[tuple[str, str], int]) -> None:
    """Set the gauge; what is no more becomes 0."""
    for kind, state in _shown | counted.keys():
        JOBS.labels(kind=kind, state=state).set(counted.get((kind, state), 0))
    _shown.update(counted)
