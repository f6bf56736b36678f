"""Who did what: every operator act leaves a row, in the transaction of the act."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import asyncpg
from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from leadbus.web.tokens import Actor

metadata = MetaData()


class Audit(SQLModel, table=True):
    """One operator act. `object` is a kind and an id (`delivery/3f…`), `detail` holds ids and settings."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_object", "object", "at"), Index("audit_at", "at"))
    metadata: ClassVar[MetaData] = metadata

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    at: datetime = Field(
        sa_column=Column(DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp())
    )
    actor: str = Field(sa_column=Column(Text, nullable=False))
    action: str = Field(sa_column=Column(Text, nullable=False))
    object: str = Field(sa_column=Column(Text, nullable=False))
    detail: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


DDL_V1 = """
DO $ddl$ BEGIN
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    detail jsonb NOT NULL
);
CREATE INDEX audit_object ON audit (object, at);
CREATE INDEX audit_at ON audit (at);
END $ddl$
"""
"""Frozen: what a service's migration executes."""


async def record(
    connection: asyncpg.Connection[Any] | Any,
    actor: Actor | str,
    action: str,
    object: str,  # noqa: A002
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write the row on `connection`, that is in the caller's transaction.

    `action` is a verb of the object (`setting.put`, `delivery.redrive`), `detail` must be JSON.
    """
    await connection.execute(
        "INSERT INTO audit (actor, action, object, detail) VALUES ($1, $2, $3, $4::text::jsonb)",
        actor.subject if isinstance(actor, Actor) else actor,
        action,
        object,
        json.dumps(detail or {}),
    )


async def record_all(
    connection: asyncpg.Connection[Any] | Any,
    actor: Actor | str,
    action: str,
    objects: Mapping[str, Mapping[str, Any]],
) -> None:
    """The same act on many things: a row for each, `objects` maps it to its detail."""
    if not objects:
        return
    await connection.execute(
        "INSERT INTO audit (actor, action, object, detail) SELECT $1, $2, object, detail::jsonb"
        " FROM unnest($3::text[], $4::text[]) AS act (object, detail)",
        actor.subject if isinstance(actor, Actor) else actor,
        action,
        list(objects),
        [json.dumps(detail) for detail in objects.values()],
    )
