"""The tables of adf-mailer, beside the shared ones (inbox, outbox, delivery, setting, audit).

They are declared here for operator queries and for the test that the migrations build just these;
hot statements are plain SQL in this package.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

METADATA = MetaData()


class _Table(SQLModel):
    metadata = METADATA


def _moment(*, nullable: bool = False) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


class LeadRow(_Table, table=True):
    """The latest revision of a lead that came by. `data` is the lead as JSON; gone once the lead is erased.

    Revision 0 is a row that was made to be locked and has no content yet. `counted_for` is the dealer among
    whose leads it counts, empty for a test; null where a release from before 0009 wrote it.
    """

    __tablename__ = "lead"
    __table_args__ = (
        Index("lead_received", "received_at", "lead_id"),
        Index(
            "lead_counted",
            "counted_for",
            "received_at",
            postgresql_where="counted_for <> '' AND contactable",
        ),
        Index("lead_uncounted", "received_at", postgresql_where="counted_for IS NULL"),
    )

    lead_id: UUID = Field(primary_key=True)
    revision: int
    data: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    material: str | None = Field(default=None, sa_type=Text)
    """Made of `data` where it is wanted, and no longer written: there until no release reads it."""
    contactable: bool
    erased: bool
    received_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    counted_for: str | None = Field(default=None, sa_type=Text)
    updated_at: datetime = Field(sa_column=_moment())


class MailRow(_Table, table=True):
    """A mail as it goes, or went, over the wire; number 0 of a delivery, and one for each repeat of it.

    `raw` is sent again byte for byte on every retry, and gone once the lead is erased or the mail too old.
    """

    __tablename__ = "mail"
    __table_args__ = (
        Index("mail_lead", "lead_id"),
        Index("mail_by_message_id", "message_id", postgresql_ops={"message_id": "text_pattern_ops"}),
        Index("mail_bytes", "written_at", postgresql_where="raw IS NOT NULL"),
    )

    delivery_id: UUID = Field(primary_key=True)
    repeat_number: int = Field(primary_key=True)
    lead_id: UUID = Field(sa_column=Column(ForeignKey("lead.lead_id"), nullable=False))
    revision: int
    route: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    sender: str = Field(sa_type=Text)
    recipient: str = Field(sa_type=Text)
    message_id: str = Field(sa_type=Text)
    sha256: str = Field(sa_type=Text)
    size_bytes: int
    raw: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    warnings: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    written_at: datetime = Field(sa_column=_moment())
    role: str = Field(default="lead", sa_column=Column(Text, nullable=False, server_default=text("'lead'")))


class UnroutedRow(_Table, table=True):
    """A delivery that was skipped because no route took its lead, and that was looked at again since.

    Without `released_at` there was still none.
    """

    __tablename__ = "unrouted"

    delivery_id: UUID = Field(primary_key=True)
    looked_at: datetime = Field(sa_column=_moment())
    released_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class PoisonRow(_Table, table=True):
    """A message that could not be read as an event; kept with its bytes until an operator decides."""

    __tablename__ = "poison"
    __table_args__ = (
        Index("poison_open", "at", "id", postgresql_where="settled_at IS NULL"),
        Index("poison_settled", "settled_at", postgresql_where="settled_at IS NOT NULL"),
    )

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    at: datetime = Field(sa_column=_moment())
    reason: str = Field(sa_type=Text)
    detail: str = Field(sa_type=Text)
    routing_key: str = Field(sa_type=Text)
    content_type: str | None = Field(default=None, sa_type=Text)
    headers: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    sha256: str = Field(sa_type=Text)
    settled_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    settled_as: str | None = Field(default=None, sa_type=Text)


class AddressStandingRow(_Table, table=True):
    """An address that refused mails since it last took one, as `address_standing.key` has it.

    `suspended` is for the list.
    """

    __tablename__ = "address_standing"

    address: str = Field(sa_column=Column(Text, primary_key=True))
    refusals: int
    probes: int
    refused_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    suspended_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    probe_at: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    bounced: bool
    suspended: bool | None = Field(
        default=None, sa_column=Column(Boolean, Computed("suspended_at IS NOT NULL", persisted=True))
    )
    reason: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'bad_address'")))
    refusing_since: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class BounceRow(_Table, table=True):
    """What came back to a return path: once for each of its recipients.

    `returned_to` is the mail whose return path it came to, by the UUID of its Message-ID. `sha256` is of the
    whole without what servers on its way add. Without `delivery_id` nobody knows which mail it is about.
    `became`: what it made of the delivery, `sending` while that is not known. `raw` is gone once the lead is
    erased or the bounce too old.
    """

    __tablename__ = "bounce"
    __table_args__ = (
        Index("bounce_once", "sha256", "returned_to", unique=True),
        Index("bounce_received", "received_at", "id"),
        Index("bounce_delivery", "delivery_id", postgresql_where="delivery_id IS NOT NULL"),
        Index("bounce_unmatched", "received_at", "id", postgresql_where="delivery_id IS NULL"),
        Index("bounce_waiting", "id", postgresql_where="became = 'sending'"),
        Index("bounce_bytes", "received_at", postgresql_where="raw IS NOT NULL"),
    )

    id: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True)
    )
    received_at: datetime = Field(sa_column=_moment())
    returned_to: UUID
    sha256: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    verdict: str = Field(sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    became: str = Field(sa_type=Text)
    matched_by: str | None = Field(default=None, sa_type=Text)
    delivery_id: UUID | None = None
    repeat_number: int | None = None
    dealer: str | None = Field(default=None, sa_type=Text)
    test: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    recipient_role: str = Field(sa_type=Text)
    action: str | None = Field(default=None, sa_type=Text)
    status: str | None = Field(default=None, sa_type=Text)
    reporting_mta: str | None = Field(default=None, sa_type=Text)
    diagnostic: str | None = Field(default=None, sa_type=Text)
    size_bytes: int
    raw: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
