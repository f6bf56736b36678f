"""Jobs as operators see and ask for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from leadbus.jobs.machine import JobState
from leadbus.jobs.table import Job
from leadbus.jobs.work import Kind

MAX_BATCH_SIZE = 500
MAX_RATE_PER_SECOND = 1000.0
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$")
]
"""Why an operator gives something up; kept on record."""


class Planned(BaseModel):
    """What every kind of job is asked with. A kind's model adds `kind` and `filter`."""

    model_config = ConfigDict(extra="forbid")

    batch_size: int = Field(
        50, ge=1, le=MAX_BATCH_SIZE, description="At most so many between two looks at whether to go on."
    )
    rate_per_second: float = Field(
        50.0, ge=0.1, le=MAX_RATE_PER_SECOND, allow_inf_nan=False, description="Not faster than this."
    )
    reason: Reason | None = Field(None, description="Why; needed for what cannot be undone.")


class JobView(BaseModel):
    """A long operator act and how far it is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: UUID
    kind: str
    state: JobState
    filter: dict[str, Any]
    dealers: list[str] | None
    """Only things of these dealers; null: of all."""
    reason: str | None
    batch_size: int
    rate_per_second: float
    total: int
    """What fitted the filter when it was planned."""
    done: int
    failed: int
    left_out: int
    """What fitted and may not be touched, such as a delivery being sent, or is out of a look's reach."""
    remaining: int
    """What had no turn. After the end: not reached, or not there any more."""
    last_error: str | None
    """Code or class of the last failure."""
    sample: list[dict[str, Any]]
    """Some of what was planned; ids and codes only."""
    planned_by: str
    planned_at: datetime
    expires_at: datetime
    """Until then the plan can be run."""
    run_by: str | None
    run_at: datetime | None
    cancel_by: str | None
    cancel_asked_at: datetime | None
    """It ends when the batch in hand is done."""
    ended_at: datetime | None
    end_reason: str | None

    @classmethod
    def of(cls, row: Job) -> "JobView":
        said = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        remaining = max(0, row.total - row.done - row.failed - row.left_out)
        return cls(**said | {"state": JobState(row.state), "remaining": remaining})


class Failure(BaseModel):
    """A thing of the job that failed."""

    id: str
    code: str | None


class JobAct(BaseModel):
    """What an operator did with the job."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


class JobStory(JobView):
    """A job with what failed in it and who did what."""

    failures: list[Failure] = Field(description="The first of them.")
    acts: list[JobAct]


def request_of(kinds: Sequence[Kind]) -> Any:
    """The body of a plan: one model per kind, told apart by `kind`."""
    models = tuple(_request(kind) for kind in kinds)
    if len(models) == 1:
        return models[0]
    union: Any = models[0]
    for model in models[1:]:
        union |= model
    return Annotated[union, Field(discriminator="kind")]


def _request(kind: Kind) -> type[Planned]:
    name = "Plan" + "".join(word.capitalize() for word in kind.name.replace(".", " ").split())
    named: Any = Literal[kind.name]
    filter_: Any = kind.filter
    made: type[Planned] = create_model(
        name, __base__=Planned, __doc__=f"A plan of `{kind.name}`.", kind=(named, ...), filter=(filter_, ...)
    )
    return made
