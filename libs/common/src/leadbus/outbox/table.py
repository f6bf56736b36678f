"""The outbox table: rows live for milliseconds, so it is vacuumed early and often."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Column, DateTime, Identity, Index, MetaData, SmallInteger, Text, text
from sqlmodel import Field, SQLModel

metadata = MetaData()

# Bodies are the sender's bytes: text and jsonb cannot hold NUL. `json` keeps headers as they were
# written and is never searched.
DDL_V1 = """
DO $ddl$ BEGIN
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane smallint NOT NULL,
    exchange text NOT NULL,
    routing_key text NOT NULL,
    headers json NOT NULL,
    properties json NOT NULL,
    body bytea NOT NULL,
    mandatory boolean NOT NULL,
    subject text,
    created_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    last_error text
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, fillfactor = 80);
CREATE INDEX outbox_fresh ON outbox (lane, id) WHERE not_before IS NULL;
CREATE INDEX outbox_waiting ON outbox (not_before) WHERE not_before IS NOT NULL;
END $ddl$
"""
"""Frozen: what a service's migration executes. Later versions are added beside it."""


class Outbox(SQLModel, table=True):
    """One message that is not confirmed yet. ``not_before`` is set by a publish that failed."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_fresh", "lane", "id", postgresql_where=text("not_before IS NULL")),
        Index("outbox_waiting", "not_before", postgresql_where=text("not_before IS NOT NULL")),
    )
    metadata: ClassVar[MetaData] = metadata

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    lane: int = Field(sa_column=Column(SmallInteger, nullable=False))
    exchange: str = Field(sa_column=Column(Text, nullable=False))
    routing_key: str = Field(sa_column=Column(Text, nullable=False))
    headers: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    properties: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    body: bytes
    mandatory: bool
    subject: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=text("now()"))
    )
    not_before: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    last_error: str | None = Field(default=None, sa_column=Column(Text))
