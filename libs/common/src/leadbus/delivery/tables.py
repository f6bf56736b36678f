"""Tables of a sink: deliveries, their attempts, their destinations. What operators did is in ``audit``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    Text,
    text,
)
from sqlmodel import Field, SQLModel

from leadbus.delivery.ddl import HEALTH_V2

metadata = MetaData()

_TIME = DateTime(timezone=True)
_OPEN = "phase IN ('queued', 'waiting', 'sending')"


def _count() -> Any:
    return Field(default=0, sa_column_kwargs={"server_default": text("0")})


class Destination(SQLModel, table=True):
    """A host or account that can be healthy or not, and that an operator can pause and limit.

    ``announcements`` counts the events told of it. ``failed_…`` is the last try that spoke against it,
    ``last_success_at`` is true to some seconds. ``next_start_at`` is the pace of ``per_minute``.
    """

    __tablename__ = "destination"
    __table_args__ = (
        CheckConstraint("breaker IN ('closed', 'open', 'half_open')", name="destination_breaker_known"),
        CheckConstraint("max_in_flight > 0 AND per_minute > 0", name="destination_limits_positive"),
    )
    metadata: ClassVar[MetaData] = metadata

    name: str = Field(sa_column=Column(Text, primary_key=True))
    breaker: str = Field(
        default="closed", sa_column=Column(Text, nullable=False, server_default=text("'closed'"))
    )
    consecutive_failures: int = _count()
    probes: int = _count()
    opened_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    next_probe_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    paused_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    pause_reason: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(_TIME, nullable=False))
    suspended_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    suspended_reason: str | None = Field(default=None, sa_column=Column(Text))
    announcements: int = _count()
    failed_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    failed_outcome: str | None = Field(default=None, sa_column=Column(Text))
    failed_reason: str | None = Field(default=None, sa_column=Column(Text))
    last_success_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    max_in_flight: int | None = None
    per_minute: int | None = None
    next_start_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    health: str = Field(default="", sa_column=Column(Text, Computed(HEALTH_V2, persisted=True)))


class Delivery(SQLModel, table=True):
    """One subject on one route. ``key`` is the sink's natural key; ``seq`` is the order of planning.

    ``failures`` counts the tries that burnt a step of the schedule, ``doubts`` the ambiguous ones of this
    repeat, ``downs`` the last ones in a row that found the destination down, ``announced`` is the last event
    told to the outside and ``announcements`` how many there were. ``target`` says which of the route's
    recipients it is for, and ``aside`` that whether the subject arrived does not depend on it.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint(
            "phase IN ('queued', 'sending', 'waiting', 'delivered', 'failed', 'skipped', 'cancelled')",
            name="delivery_phase_known",
        ),
        CheckConstraint(
            "(phase = 'sending') = (lease_token IS NOT NULL)", name="delivery_leased_while_sending"
        ),
        CheckConstraint(
            "(phase IN ('queued', 'sending', 'waiting')) = (finished_at IS NULL)",
            name="delivery_finished_when_terminal",
        ),
        Index("delivery_key", "key", unique=True),
        Index("delivery_seq", "seq", unique=True),
        Index("delivery_subject", "subject_id"),
        Index(
            "delivery_due",
            "phase",
            "destination",
            text("priority DESC"),
            "not_before",
            "seq",
            postgresql_where=text("phase IN ('queued', 'waiting')"),
        ),
        Index(
            "delivery_early",
            "phase",
            "not_before",
            postgresql_where=text("phase IN ('queued', 'waiting')"),
        ),
        Index(
            "delivery_deadline",
            "deadline",
            postgresql_where=text("deadline IS NOT NULL AND phase IN ('queued', 'waiting')"),
        ),
        Index("delivery_leases", "lease_expires_at", postgresql_where=text("phase = 'sending'")),
        Index(
            "delivery_order",
            "ordering_key",
            "seq",
            postgresql_where=text(f"ordering_key IS NOT NULL AND {_OPEN}"),
        ),
        Index(
            "delivery_one_in_flight", "ordering_key", unique=True, postgresql_where=text("phase = 'sending'")
        ),
        Index("delivery_by_dealer", "dealer", "seq"),
        Index("delivery_by_route", "route", "seq"),
        Index("delivery_by_destination", "destination", "seq"),
        Index(
            "delivery_by_ended_phase",
            "phase",
            "seq",
            postgresql_where=text("phase IN ('failed', 'skipped', 'cancelled')"),
        ),
        Index("delivery_by_trouble", "outcome", "seq", postgresql_where=text("outcome <> 'delivered'")),
        Index("delivery_by_test", "seq", postgresql_where=text("test")),
    )
    metadata: ClassVar[MetaData] = metadata

    id: UUID = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    key: str = Field(sa_column=Column(Text, nullable=False))
    subject_id: str = Field(sa_column=Column(Text, nullable=False))
    destination: str = Field(sa_column=Column(Text, nullable=False))
    route: str = Field(sa_column=Column(Text, nullable=False))
    dealer: str | None = Field(default=None, sa_column=Column(Text))
    priority: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default=text("0")))
    ordering_key: str | None = Field(default=None, sa_column=Column(Text))
    phase: str = Field(sa_column=Column(Text, nullable=False))
    planned_at: datetime = Field(sa_column=Column(_TIME, nullable=False))
    not_before: datetime = Field(sa_column=Column(_TIME, nullable=False))
    deadline: datetime | None = Field(default=None, sa_column=Column(_TIME))
    attempts: int = _count()
    failures: int = _count()
    doubts: int = _count()
    downs: int = _count()
    repeat_number: int = _count()
    announced: str | None = Field(default=None, sa_column=Column(Text))
    announcements: int = _count()
    outcome: str | None = Field(default=None, sa_column=Column(Text))
    reason: str | None = Field(default=None, sa_column=Column(Text))
    finished_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    lease_token: UUID | None = None
    lease_expires_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    test: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    target: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=text("''")))
    aside: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class Attempt(SQLModel, table=True):
    """One try. Without ``outcome`` it is being made right now, or its maker died and nobody noticed yet."""

    __tablename__ = "attempt"
    __table_args__ = (
        Index("attempt_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
    )
    metadata: ClassVar[MetaData] = metadata

    delivery_id: UUID = Field(
        sa_column=Column(ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True, nullable=False)
    )
    n: int = Field(primary_key=True)
    repeat_number: int
    started_at: datetime = Field(sa_column=Column(_TIME, nullable=False))
    finished_at: datetime | None = Field(default=None, sa_column=Column(_TIME))
    duration_ms: int | None = None
    outcome: str | None = Field(default=None, sa_column=Column(Text))
    reason: str | None = Field(default=None, sa_column=Column(Text))
    answer: str | None = Field(default=None, sa_column=Column(Text))
    ambiguous: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
