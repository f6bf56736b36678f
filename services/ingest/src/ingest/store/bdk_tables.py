"""The tables of the BDK connections, beside those of ingest."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Index, LargeBinary, Text, text
from sqlmodel import Field

from ingest.store.tables import _moment, _Table


class BdkConnectionRow(_Table, table=True):
    """How a connection is. ``stopped_for`` says why nothing is asked until a person mends something."""

    __tablename__ = "bdk_connection"

    name: str = Field(primary_key=True, sa_type=Text)
    failures: int
    stopped_for: str | None = Field(default=None, sa_type=Text)
    stopped_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    not_before: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class BdkReadRow(_Table, table=True):
    """A lead that the bank told of: to be fetched, or fetched.

    ``asked`` counts how often it was told of, ``asked_in_hand`` what of that whoever fetches it now knew.
    """

    __tablename__ = "bdk_read"
    __table_args__ = (
        Index("bdk_read_lead", "connection", "lead_id", unique=True),
        Index("bdk_read_due", "connection", "due_at", postgresql_where=text("state IN ('due', 'held')")),
        Index("bdk_read_state", "state", "noticed_at"),
        Index("bdk_read_noticed", "noticed_at", "read_id"),
    )

    read_id: UUID = Field(primary_key=True)
    connection: str = Field(sa_type=Text)
    lead_id: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    first_noticed_by: str = Field(sa_type=Text)
    first_noticed_at: datetime = Field(sa_column=_moment(nullable=False))
    noticed_at: datetime = Field(sa_column=_moment(nullable=False))
    asked: int
    asked_in_hand: int
    tries: int
    due_at: datetime = Field(sa_column=_moment(nullable=False))
    lease_token: UUID | None = None
    lease_until: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    attempted_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    outcome: str | None = Field(default=None, sa_type=Text)
    status: int | None = None
    raw_id: UUID | None = None
    entry_digest: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    notice: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    correlation_id: str | None = Field(default=None, sa_type=Text)


class BdkCursorRow(_Table, table=True):
    """How far a connection's list is known, for one partner number or, under none, for all."""

    __tablename__ = "bdk_cursor"

    connection: str = Field(primary_key=True, sa_type=Text)
    partner_number: str = Field(primary_key=True, sa_type=Text)
    known_until: datetime = Field(sa_column=_moment(nullable=False))
    next_at: datetime = Field(sa_column=_moment(nullable=False))
    failures: int
    lease_token: UUID | None = None
    lease_until: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    attempted_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    succeeded_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    outcome: str | None = Field(default=None, sa_type=Text)
    status: int | None = None
    pages: int
    entries: int
    unreadable: int
    news: int
