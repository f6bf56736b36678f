"""What can be wrong with asking for a job."""

from __future__ import annotations

from leadbus.web.problems import problem_type

JOB_RUNNING = problem_type(
    "job-running",
    409,
    "The job runs already",
    "It was started before and has not ended.",
    "Read its progress.",
)
JOB_ENDED = problem_type(
    "job-ended",
    409,
    "The job has ended",
    "It is done, failed or was cancelled; a job runs once.",
    "Plan a new one.",
)
JOB_CANCELLING = problem_type(
    "job-cancelling",
    409,
    "The job is being cancelled",
    "Somebody asked before; it ends when the batch in hand is done.",
    "Read it until it is cancelled.",
)
JOB_PLAN_EXPIRED = problem_type(
    "job-plan-expired",
    409,
    "The plan is too old",
    "What was counted when it was planned may be something else by now.",
    "Plan again and look at the count.",
)
JOB_SUBJECT_BUSY = problem_type(
    "job-subject-busy",
    409,
    "Another job works on the same things",
    "Two jobs on one queue would take each other's messages.",
    "Wait for the other one or cancel it; the problem says which.",
)
JOB_NEEDS_REASON = problem_type(
    "job-needs-reason",
    422,
    "A reason is needed",
    "What this kind of job does cannot be undone, so it is put on record why.",
    "Give `reason`.",
)
JOB_WITHOUT_DEALER = problem_type(
    "job-without-dealer",
    403,
    "The token is limited to dealers",
    "The things this kind of job touches belong to no dealer, so a limited token has no part of them.",
    "Use a token that is not limited to dealers.",
)
