"""Tables of business settings: the present state, and every state there was."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Column, DateTime, Integer, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

metadata = MetaData()

DDL_V1 = """
DO $ddl$ BEGIN
CREATE TABLE setting (
    kind text NOT NULL,
    name text NOT NULL,
    spec jsonb NOT NULL,
    revision integer NOT NULL,
    etag text NOT NULL,
    managed_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by text NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE TABLE setting_history (
    kind text NOT NULL,
    name text NOT NULL,
    revision integer NOT NULL,
    action text NOT NULL,
    spec jsonb,
    managed_by text NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    PRIMARY KEY (kind, name, revision)
);
END $ddl$
"""
"""Frozen: what a service's migration executes."""


class Setting(SQLModel, table=True):
    """A document in force. `revision` counts on over deletion and new creation."""

    __tablename__ = "setting"
    metadata: ClassVar[MetaData] = metadata

    kind: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = Field(sa_column=Column(Text, primary_key=True))
    spec: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    revision: int = Field(sa_column=Column(Integer, nullable=False))
    etag: str = Field(sa_column=Column(Text, nullable=False))
    managed_by: str = Field(sa_column=Column(Text, nullable=False))
    updated_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    updated_by: str = Field(sa_column=Column(Text, nullable=False))


class SettingHistory(SQLModel, table=True):
    """One change: `created`, `changed` or `deleted` (then without spec)."""

    __tablename__ = "setting_history"
    metadata: ClassVar[MetaData] = metadata

    kind: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = Field(sa_column=Column(Text, primary_key=True))
    revision: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    action: str = Field(sa_column=Column(Text, nullable=False))
    spec: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    managed_by: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))
