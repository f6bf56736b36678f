"""The tables of ingest, beside the shared ones (outbox, setting, audit).

They are declared here for operator queries and for the test that the migrations build just these;
hot statements are plain SQL in this package.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Column, DateTime, ForeignKey, Index, LargeBinary, MetaData, Text, text
from sqlmodel import Field, SQLModel

METADATA = MetaData()


class _Table(SQLModel):
    metadata = METADATA


def _moment(*, nullable: bool) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


class ConnectionToldRow(_Table, table=True):
    """A connection that needs a person, as far as events said so."""

    __tablename__ = "connection_told"

    kind: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(primary_key=True, sa_type=Text)
    reasons: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    since: datetime = Field(sa_column=_moment(nullable=False))


class RawRow(_Table, table=True):
    """One accepted body. ``digest`` is its SHA-256; ``published_at`` is when the broker confirmed it.

    Without a ``key_id`` nobody brought it: ingest fetched or received it itself.
    """

    __tablename__ = "raw"
    __table_args__ = (
        Index("raw_content", "source", "account", "digest", "accepted_at"),
        Index("raw_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
    )

    raw_id: UUID = Field(primary_key=True)
    source: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    key_id: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    content_type: str = Field(sa_type=Text)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    size_bytes: int
    test: bool
    accepted_at: datetime = Field(sa_column=_moment(nullable=False))
    published_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class IdempotencyKeyRow(_Table, table=True):
    """Which message a sender's ``Idempotency-Key`` stands for; lives as long as that message."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index("idempotency_key_raw", "raw_id"),)

    source: str = Field(primary_key=True, sa_type=Text)
    account: str = Field(primary_key=True, sa_type=Text)
    key: str = Field(primary_key=True, sa_type=Text)
    raw_id: UUID = Field(sa_column=Column(ForeignKey("raw.raw_id", ondelete="CASCADE"), nullable=False))


class QuarantineRow(_Table, table=True):
    """One body that was not published: ``reason`` by the vocabulary, ``detail`` for people."""

    __tablename__ = "quarantine"
    __table_args__ = (Index("quarantine_at", "quarantined_at", "raw_id"),)

    raw_id: UUID = Field(primary_key=True)
    source: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    content_type: str = Field(sa_type=Text)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    size_bytes: int
    test: bool
    reason: str = Field(sa_type=Text)
    detail: str = Field(sa_type=Text)
    quarantined_at: datetime = Field(sa_column=_moment(nullable=False))


class ApiKeyRow(_Table, table=True):
    """One API key of a sender; ``digest`` is the SHA-256 of the whole key, the key itself is not kept."""

    __tablename__ = "api_key"
    __table_args__ = (Index("api_key_source", "source", "created_at", "key_id"),)

    key_id: str = Field(primary_key=True, sa_type=Text)
    source: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    label: str = Field(sa_type=Text)
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=_moment(nullable=False))
    created_by: str = Field(sa_type=Text)
    expires_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    revoked_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    last_used_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    rotated_to: str | None = Field(default=None, sa_type=Text)
