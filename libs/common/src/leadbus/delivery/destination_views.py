"""Destinations as operators see them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from leadbus.delivery.breaker import BreakerState
from leadbus.delivery.health import Condition
from leadbus.delivery.tables import Destination

# Of integers only: neither `true` nor "5" is a number of deliveries.
_Number = Annotated[int, Field(ge=1, strict=True)]


class LimitsView(BaseModel):
    """How much a destination may be asked to take, by all replicas together. Null: no limit of its own."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    max_in_flight: Annotated[_Number, Field(le=10_000)] | None = None
    """Tries at once; null: as many as the service's capacity."""
    per_minute: Annotated[_Number, Field(le=100_000)] | None = None
    """Tries started within any 60 seconds."""


class OpenWork(BaseModel):
    """Deliveries without an end."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    queued: int = 0
    """Never tried."""
    waiting: int = 0
    """To be tried again."""
    in_flight: int = 0
    """Being sent now."""
    oldest_due_age_seconds: float | None = None
    """For how long the one that waits longest has been due; null when none is due."""


class FailureView(BaseModel):
    """The last try that spoke against the destination."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    at: datetime
    outcome: str
    """Class: `destination_down`, `suspended`, `ambiguous`."""
    reason: str | None
    """Code."""


class DestinationView(BaseModel):
    """A host or account."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    health: Condition
    """`failing`: does not answer, is probed; `paused`: by an operator; `suspended`: a person is needed."""
    since: datetime | None
    """Of that health; null while healthy."""
    reason: str | None
    """Why: the code of the failure or suspension, or what the operator said; null while healthy."""
    breaker: BreakerState
    consecutive_failures: int
    opened_at: datetime | None
    next_probe_at: datetime | None
    """When one delivery finds out whether it is well again."""
    paused_at: datetime | None
    pause_reason: str | None
    suspended_at: datetime | None
    suspended_reason: str | None
    last_failure: FailureView | None
    last_success_at: datetime | None
    """When it last took a delivery, to about ten seconds; null if it never did."""
    work: OpenWork
    limits: LimitsView
    created_at: datetime

    @classmethod
    def of(cls, row: Destination, work: OpenWork) -> "DestinationView":
        health = Condition(row.health)
        return cls(
            **{name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
            | {"health": health, "since": _since(row, health), "reason": _reason(row, health)}
            | {"last_failure": _failure(row), "work": work, "limits": limits_of(row)}
        )


class Pause(BaseModel):
    """Why nothing is to be sent there."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")


def limits_of(row: Destination) -> LimitsView:
    return LimitsView.model_construct(max_in_flight=row.max_in_flight, per_minute=row.per_minute)


def _since(row: Destination, health: Condition) -> datetime | None:
    return {
        Condition.HEALTHY: None,
        Condition.FAILING: row.opened_at,
        Condition.PAUSED: row.paused_at,
        Condition.SUSPENDED: row.suspended_at,
    }[health]


def _reason(row: Destination, health: Condition) -> str | None:
    return {
        Condition.HEALTHY: None,
        Condition.FAILING: row.failed_reason,
        Condition.PAUSED: row.pause_reason,
        Condition.SUSPENDED: row.suspended_reason,
    }[health]


def _failure(row: Destination) -> FailureView | None:
    if row.failed_at is None or row.failed_outcome is None:
        return None
    return FailureView(at=row.failed_at, outcome=row.failed_outcome, reason=row.failed_reason)
