"""Long operator acts as resources: planned with a count, run in batches at a rate, watched, cancelled.

    kinds = [Redrive(...), Discard(...)]
    runner = JobRunner(database, kinds)
    Service(..., routers=[jobs.router(database, kinds, wake=runner.wake)],
            tasks={"jobs": runner.run}, drains=[runner.drain])

Why a job is a row, and what "once" means after a kill: docs/adr/0081-operator-acts-are-jobs.md.
"""

from leadbus.jobs.machine import JobState
from leadbus.jobs.router import router
from leadbus.jobs.runner import JobRunner
from leadbus.jobs.table import DDL_V1, Job, JobItem, metadata
from leadbus.jobs.views import Reason
from leadbus.jobs.work import SAMPLE_SIZE, Interrupted, Item, JobBroken, Kind, LeaseLost, Plan, Work

__all__ = [
    "DDL_V1",
    "SAMPLE_SIZE",
    "Interrupted",
    "Item",
    "Job",
    "JobBroken",
    "JobItem",
    "JobRunner",
    "JobState",
    "Kind",
    "LeaseLost",
    "Plan",
    "Reason",
    "Work",
    "metadata",
    "router",
]
