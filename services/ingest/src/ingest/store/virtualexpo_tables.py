"""The tables of VirtualExpo's subscriptions and of the attempts to fetch them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from ingest.store.tables import _Table


class SubscriptionRow(_Table, table=True):
    """When a subscription is due. It stays when the setting goes, for the time that has to pass.

    ``target`` is a digest of address and key reference, by which the vendor counts; none without a setting.
    """

    __tablename__ = "virtualexpo_subscription"
    __table_args__ = (
        Index(
            "virtualexpo_subscription_target",
            "target",
            unique=True,
            postgresql_where=text("target IS NOT NULL"),
        ),
    )

    name: str = Field(primary_key=True, sa_type=Text)
    target: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    since: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    due_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    last_attempt_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    last_success_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


class AttemptRow(_Table, table=True):
    """One attempt, written before anything is asked. ``lease_until`` is by the database's clock."""

    __tablename__ = "virtualexpo_attempt"
    __table_args__ = (
        Index("virtualexpo_attempt_subscription", "subscription", "started_at"),
        Index("virtualexpo_attempt_target", "target", "started_at"),
        Index("virtualexpo_attempt_started", "started_at", "attempt_id"),
        Index(
            "virtualexpo_attempt_running",
            "lease_until",
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    attempt_id: UUID = Field(primary_key=True)
    subscription: str = Field(sa_type=Text)
    target: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    trial: bool
    started_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    lease_until: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    outcome: str = Field(sa_type=Text)
    code: str | None = Field(default=None, sa_column=Column(Text))
    http_status: int | None = None
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    leads: int
    new_leads: int
    quarantine_id: UUID | None = None
    faults: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    report: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
