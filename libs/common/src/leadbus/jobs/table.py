"""Jobs, and what became of the things in them that a job must remember by name."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

metadata = MetaData()

DDL_V1 = """
DO $ddl$ BEGIN
CREATE TABLE job (
    id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    state text NOT NULL,
    subject text,
    filter jsonb NOT NULL,
    dealers text[],
    reason text,
    batch_size integer NOT NULL,
    rate_per_second double precision NOT NULL,
    sample jsonb NOT NULL,
    bound jsonb NOT NULL,
    reached jsonb,
    planned_by text NOT NULL,
    planned_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    run_by text,
    run_at timestamptz,
    cancel_by text,
    cancel_asked_at timestamptz,
    ended_at timestamptz,
    end_reason text,
    total integer NOT NULL,
    done integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    left_out integer NOT NULL DEFAULT 0,
    last_error text,
    lease_token uuid,
    lease_expires_at timestamptz,
    CONSTRAINT job_state_known CHECK (state IN ('planned', 'running', 'done', 'cancelled', 'failed')),
    CONSTRAINT job_ended_when_over CHECK ((state IN ('planned', 'running')) = (ended_at IS NULL)),
    CONSTRAINT job_leased_while_running CHECK (lease_token IS NULL OR state = 'running')
);
CREATE UNIQUE INDEX job_seq ON job (seq);
CREATE INDEX job_open ON job (state, seq) WHERE state IN ('planned', 'running');
CREATE UNIQUE INDEX job_one_at_a_time ON job (subject) WHERE state = 'running';

CREATE TABLE job_item (
    job_id uuid NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    identity text NOT NULL,
    outcome text NOT NULL,
    code text,
    walk uuid NOT NULL,
    PRIMARY KEY (job_id, identity),
    CONSTRAINT job_item_outcome_known CHECK (outcome IN ('done', 'failed'))
);
END $ddl$
"""
"""Frozen: what a service's migration executes."""

_TIME = DateTime(timezone=True)


def _text(*, nullable: bool = False) -> Any:
    return Column(Text, nullable=nullable)


def _moment(*, nullable: bool = False) -> Any:
    return Column(_TIME, nullable=nullable)


def _count() -> Any:
    return Field(default=0, sa_column_kwargs={"server_default": text("0")})


class Job(SQLModel, table=True):
    """A long operator act. Times are the database's, so that replicas agree on them.

    ``subject`` is what two running jobs must not share; ``dealers`` None: of all. ``bound`` is how far the
    plan reaches, empty when the job has ended, and ``reached`` how far the run got, both in the words of the
    kind. ``left_out`` counts what was planned and may not be touched now.
    """

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(
            "state IN ('planned', 'running', 'done', 'cancelled', 'failed')", name="job_state_known"
        ),
        CheckConstraint("(state IN ('planned', 'running')) = (ended_at IS NULL)", name="job_ended_when_over"),
        CheckConstraint("lease_token IS NULL OR state = 'running'", name="job_leased_while_running"),
        Index("job_seq", "seq", unique=True),
        Index("job_open", "state", "seq", postgresql_where=text("state IN ('planned', 'running')")),
        Index("job_one_at_a_time", "subject", unique=True, postgresql_where=text("state = 'running'")),
    )
    metadata: ClassVar[MetaData] = metadata

    id: UUID = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    kind: str = Field(sa_column=_text())
    state: str = Field(sa_column=_text())
    subject: str | None = Field(default=None, sa_column=_text(nullable=True))
    filter: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    dealers: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text)))
    reason: str | None = Field(default=None, sa_column=_text(nullable=True))
    batch_size: int
    rate_per_second: float = Field(sa_column=Column(Double, nullable=False))
    sample: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    bound: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    reached: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    planned_by: str = Field(sa_column=_text())
    planned_at: datetime = Field(sa_column=_moment())
    expires_at: datetime = Field(sa_column=_moment())
    run_by: str | None = Field(default=None, sa_column=_text(nullable=True))
    run_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    cancel_by: str | None = Field(default=None, sa_column=_text(nullable=True))
    cancel_asked_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    ended_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    end_reason: str | None = Field(default=None, sa_column=_text(nullable=True))
    total: int
    done: int = _count()
    failed: int = _count()
    left_out: int = _count()
    last_error: str | None = Field(default=None, sa_column=_text(nullable=True))
    lease_token: UUID | None = None
    lease_expires_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class JobItem(SQLModel, table=True):
    """A thing of a job that cannot be found by a position: what became of it, in which walk."""

    __tablename__ = "job_item"
    __table_args__ = (CheckConstraint("outcome IN ('done', 'failed')", name="job_item_outcome_known"),)
    metadata: ClassVar[MetaData] = metadata

    job_id: UUID = Field(
        sa_column=Column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True, nullable=False)
    )
    identity: str = Field(sa_column=Column(Text, primary_key=True))
    outcome: str = Field(sa_column=_text())
    code: str | None = Field(default=None, sa_column=_text(nullable=True))
    walk: UUID
