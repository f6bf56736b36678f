"""Deliveries as operators see them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from leadbus.delivery.machine import Phase
from leadbus.delivery.tables import Attempt, Delivery


class DeliveryView(BaseModel):
    """One subject on one route."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: UUID
    key: str
    """The sink's natural key: the same thing is planned once."""
    subject_id: str
    """What is delivered: a lead id, or a service request id."""
    destination: str
    route: str
    target: str
    """Which of the route's recipients, by its place there, as `copies.1`; empty for the first or only one."""
    aside: bool
    """A copy, a notice, a warning: whether the subject arrived does not depend on it."""
    dealer: str | None
    test: bool
    """A test: no real customer stands behind it."""
    phase: Phase
    outcome: str | None
    """Code of what became of the last try, or of the delivery."""
    reason: str | None
    """Why, as a code."""
    attempts: int
    ambiguous: bool
    """At least one try may have been taken without our knowing."""
    repeat_number: int
    """How often it was repeated after it had been accepted: by an operator, or because it bounced."""
    priority: int
    planned_at: datetime
    next_try_at: datetime | None
    """Due from then on; null once ended and while being sent."""
    deadline: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Delivery) -> "DeliveryView":
        phase = Phase(row.phase)
        due = phase in (Phase.QUEUED, Phase.WAITING)
        return cls(
            **{name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
            | {"phase": phase, "ambiguous": row.doubts > 0, "next_try_at": row.not_before if due else None}
        )


class AttemptView(BaseModel):
    """One try."""

    model_config = ConfigDict(use_attribute_docstrings=True, from_attributes=True)

    n: int
    repeat_number: int
    started_at: datetime
    finished_at: datetime | None
    duration_ms: int | None
    outcome: str | None
    """Null while it is being made."""
    reason: str | None
    answer: str | None
    """What the other side said, cut at 2000 characters."""
    ambiguous: bool

    @classmethod
    def of(cls, row: Attempt) -> "AttemptView":
        return cls.model_validate(row)


class ActView(BaseModel):
    """What an operator did."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


class DeliveryStory(DeliveryView):
    """A delivery with everything that happened to it."""

    tries: list[AttemptView]
    acts: list[ActView]
    details: dict[str, Any] = Field(
        default_factory=dict, description="What this sink has to say beyond that."
    )
