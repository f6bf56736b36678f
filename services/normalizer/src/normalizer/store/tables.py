"""The tables of this service. Migrations make them; operator queries read them through these classes."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

METADATA = MetaData()


def _text(**options: Any) -> Any:
    return Column(Text, nullable=options.pop("nullable", False), **options)


def _moment(**options: Any) -> Any:
    return Column(DateTime(timezone=True), nullable=options.pop("nullable", False), **options)


class RawRow(SQLModel, table=True):
    """One raw message, byte for byte. `lead_id` is pinned by the first lead it made.

    `pruned_at`: since then `body` is empty and `attributes` hold nothing, because they had grown too old.
    """

    __tablename__ = "raw"
    __table_args__ = (
        Index("raw_wire_id", "wire_id"),
        Index("raw_lead", "lead_id", "received_at", postgresql_where=text("lead_id IS NOT NULL")),
        Index("raw_stored", "stored_at", postgresql_using="brin"),
        Index("raw_bytes", "stored_at", "raw_key", postgresql_where=text("pruned_at IS NULL")),
        Index("raw_leadless", "stored_at", "raw_key", postgresql_where=text("lead_id IS NULL")),
    )
    metadata: ClassVar[MetaData] = METADATA

    raw_key: UUID = Field(primary_key=True)
    source: str = Field(sa_column=_text())
    account: str = Field(sa_column=_text())
    wire_id: str = Field(sa_column=_text())
    digest: str = Field(sa_column=_text())
    body: bytes
    size_bytes: int
    content_type: str | None = Field(default=None, sa_column=_text(nullable=True))
    attributes: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    received_at: datetime = Field(sa_column=_moment())
    stored_at: datetime = Field(sa_column=_moment())
    test: bool
    trial: bool
    bare: bool
    lead_id: UUID | None = None
    pruned_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class LeadRow(SQLModel, table=True):
    """Where a lead stands; its content is the document of its last revision. The row is the lead's lock.

    `told_consent` is the consent that its sources tell, where acts made it another. `state` is what the sinks
    made of it, as the ledger says. `terms` are its rows in `lead_term`, and `terms_by` is the mark of the
    rules and the key they were made by; empty: never made.
    """

    __tablename__ = "lead"
    __table_args__ = (
        Index("lead_received", "received_at", "lead_id"),
        Index("lead_dealer", "dealer_id", "received_at", "lead_id"),
        Index("lead_source", "source", "received_at", "lead_id"),
        Index("lead_state", "state", "received_at", "lead_id"),
        Index("lead_test", "received_at", "lead_id", postgresql_where=text("test")),
        Index("lead_terms_by", "terms_by"),
    )
    metadata: ClassVar[MetaData] = METADATA

    lead_id: UUID = Field(primary_key=True)
    revision: int
    source: str = Field(sa_column=_text())
    account: str = Field(sa_column=_text())
    dealer_id: str = Field(sa_column=_text())
    test: bool
    received_at: datetime = Field(sa_column=_moment())
    last_raw_at: datetime = Field(sa_column=_moment())
    updated_at: datetime = Field(sa_column=_moment())
    told_consent: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB, nullable=True))
    state: str = Field(sa_column=_text(server_default=text("'waiting'")))
    terms: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default=text("'{}'")))
    terms_by: str = Field(sa_column=_text(server_default=text("''")))


class LeadTermRow(SQLModel, table=True):
    """A lead in the list of everything that one term finds, which the key keeps in the order of lists."""

    __tablename__ = "lead_term"
    metadata: ClassVar[MetaData] = METADATA

    term: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    received_at: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    lead_id: UUID = Field(primary_key=True)


class LeadRevisionRow(SQLModel, table=True):
    """One state of a lead, with the raw message that made it.

    An act of consent may have made it instead (`act_id`); `raw_key` then is that of the revision before.
    """

    __tablename__ = "lead_revision"
    metadata: ClassVar[MetaData] = METADATA

    lead_id: UUID = Field(sa_column=Column(ForeignKey("lead.lead_id"), primary_key=True))
    revision: int = Field(primary_key=True)
    raw_key: UUID
    act_id: UUID | None = None
    event_type: str = Field(sa_column=_text())
    changed: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    at: datetime = Field(sa_column=_moment())
    document: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class KnowledgeRow(SQLModel, table=True):
    """What one raw message told beside a lead, by a source that learns more of its leads later on.

    The first of a lead has place 1: whoever brings the lead and whoever brings knowledge of it meet there.
    `alone`: the raw message told no lead. `waiting`: the lead has not come.
    """

    __tablename__ = "knowledge"
    __table_args__ = (Index("knowledge_waiting", "received_at", "lead_id", postgresql_where=text("waiting")),)
    metadata: ClassVar[MetaData] = METADATA

    lead_id: UUID = Field(primary_key=True)
    place: int = Field(primary_key=True)
    raw_key: UUID
    raw_id: str = Field(sa_column=_text())
    source: str = Field(sa_column=_text())
    received_at: datetime = Field(sa_column=_moment())
    alone: bool
    waiting: bool
    test: bool
    parameters: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    extras: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    warnings: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))


class QuarantineRow(SQLModel, table=True):
    """Why a raw message made no lead, and what became of that. One row per raw message, for ever."""

    __tablename__ = "quarantine"
    __table_args__ = (
        Index("quarantine_at", "quarantined_at", "raw_key"),
        Index("quarantine_open", "reason", "source", postgresql_where=text("state = 'open'")),
        Index(
            "quarantine_unmapped",
            "source",
            "location",
            postgresql_where=text("state = 'open' AND reason = 'location_unmapped'"),
        ),
    )
    metadata: ClassVar[MetaData] = METADATA

    raw_key: UUID = Field(sa_column=Column(ForeignKey("raw.raw_key"), primary_key=True))
    source: str = Field(sa_column=_text())
    account: str = Field(sa_column=_text())
    wire_id: str = Field(sa_column=_text())
    size_bytes: int
    reason: str = Field(sa_column=_text())
    field: str | None = Field(default=None, sa_column=_text(nullable=True))
    value_kind: str | None = Field(default=None, sa_column=_text(nullable=True))
    detail: str = Field(sa_column=_text())
    location: str | None = Field(default=None, sa_column=_text(nullable=True))
    state: str = Field(sa_column=_text())
    times: int
    quarantined_at: datetime = Field(sa_column=_moment())
    closed_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    closed_by: str | None = Field(default=None, sa_column=_text(nullable=True))
    how: str | None = Field(default=None, sa_column=_text(nullable=True))
    note: str | None = Field(default=None, sa_column=_text(nullable=True))


class LedgerRow(SQLModel, table=True):
    """The latest a sink said about a lead and one of a route's recipients.

    `target` is the recipient's place in the route, empty for the first or only one. `aside`: a copy, a notice
    or the like, which says nothing of whether the lead arrived.
    """

    __tablename__ = "ledger"
    metadata: ClassVar[MetaData] = METADATA

    lead_id: UUID = Field(primary_key=True)
    sink: str = Field(sa_column=Column(Text, primary_key=True))
    route: str = Field(sa_column=Column(Text, primary_key=True))
    target: str = Field(sa_column=Column(Text, primary_key=True, server_default=text("''")))
    delivery_id: UUID
    state: str = Field(sa_column=_text())
    outcome: str = Field(sa_column=_text())
    attempts: int
    ambiguous: bool
    repeat: bool
    planned_at: datetime = Field(sa_column=_moment())
    finished_at: datetime = Field(sa_column=_moment())
    aside: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})


class ConsentActRow(SQLModel, table=True):
    """Somebody said yes or no. One act has a row for each contact it is known to be of, and stays for ever.

    `told_by` is how it came (source, operator, opt_in). `reached`, `walked_at` and `applied_at` say how far
    it has been laid over the leads that it concerns.
    """

    __tablename__ = "consent_act"
    __table_args__ = (
        UniqueConstraint("act_id", "contact"),
        Index("consent_act_contact", "contact", "act_no"),
        Index("consent_act_waiting", "act_no", postgresql_where=text("applied_at IS NULL")),
    )
    metadata: ClassVar[MetaData] = METADATA

    act_no: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    act_id: UUID
    contact: str = Field(sa_column=_text())
    action: str = Field(sa_column=_text())
    purposes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    at: datetime = Field(sa_column=_moment())
    words: str | None = Field(default=None, sa_column=_text(nullable=True))
    evidence: str | None = Field(default=None, sa_column=_text(nullable=True))
    told_by: str = Field(sa_column=_text())
    actor: str | None = Field(default=None, sa_column=_text(nullable=True))
    raw_key: UUID | None = None
    lead_id: UUID | None = None
    recorded_at: datetime = Field(sa_column=_moment())
    reached: UUID | None = None
    walked_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    applied_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class ConsentStandingRow(SQLModel, table=True):
    """What all acts of a contact come to, for one purpose; `act_no` is the act that decides."""

    __tablename__ = "consent_standing"
    metadata: ClassVar[MetaData] = METADATA

    contact: str = Field(sa_column=Column(Text, primary_key=True))
    purpose: str = Field(sa_column=Column(Text, primary_key=True))
    state: str = Field(sa_column=_text())
    at: datetime = Field(sa_column=_moment())
    words: str | None = Field(default=None, sa_column=_text(nullable=True))
    act_no: int = Field(sa_column=Column(BigInteger, nullable=False))
