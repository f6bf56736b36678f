"""The bodies of what is answered and asked about the BDK's way in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ingest.bdk.door import Taken
from ingest.bdk.standing import Standing as Known
from ingest.store.bdk_cursors import Cursor
from ingest.store.bdk_tables import BdkReadRow


class NotificationTaken(BaseModel):
    """The notification is committed, whatever fails from here on."""

    connection: str
    lead_id: str
    came_to: Literal["lead", "to_fetch"] = Field(
        description="lead: it brought the lead, a raw message now. to_fetch: the lead will be fetched."
    )
    repeated: bool = Field(description="True: the lead was told of before.")
    raw_id: UUID | None = Field(description="Of the raw message; null while there is none.")

    @classmethod
    def of(cls, taken: Taken) -> "NotificationTaken":
        return cls(
            connection=taken.connection,
            lead_id=taken.lead_id,
            came_to=taken.came_to,
            repeated=taken.repeated,
            raw_id=taken.raw_id,
        )


class ListStanding(BaseModel):
    """How far one list is known, and what became of it last."""

    partner_number: str = Field(description="Empty: the list of all partner numbers.")
    known_until: datetime = Field(description="Everything that changed before is known.")
    next_at: datetime
    attempted_at: datetime | None
    succeeded_at: datetime | None
    outcome: str | None
    status: int | None = Field(description="HTTP status of the last answer.")
    failures: int = Field(description="In a row.")
    pages: int
    entries: int = Field(description="Leads on the last list that was read to its end.")
    unreadable: int = Field(description="Entries of it without a lead id.")
    news: int = Field(description="Leads of it that were new or changed.")

    @classmethod
    def of(cls, cursor: Cursor) -> "ListStanding":
        return cls.model_validate(cursor, from_attributes=True)


class Standing(BaseModel):
    """How a connection is."""

    name: str
    enabled: bool
    state: Literal["well", "needs_person", "paused", "off"] = Field(
        description="paused: left alone until `not_before`, as it asked for that or does not answer."
    )
    needs_person: list[str] = Field(description="Why; empty where nobody is needed.")
    stopped_at: datetime | None
    not_before: datetime | None = Field(description="Nothing is asked before.")
    failures: int = Field(description="Answers that did not come, in a row.")
    waiting: Mapping[str, int] = Field(description="Leads that are due, held or given up.")
    oldest_due: datetime | None = Field(description="When the first lead was told of that is due.")
    lists: list[ListStanding]

    @classmethod
    def of(cls, known: Known) -> "Standing":
        return cls(
            name=known.name,
            enabled=known.enabled,
            state=known.state,
            needs_person=list(known.needs_person),
            stopped_at=known.stopped_at,
            not_before=known.not_before,
            failures=known.failures,
            waiting=known.waiting,
            oldest_due=known.oldest_due,
            lists=[ListStanding.of(cursor) for cursor in known.cursors],
        )


class Read(BaseModel):
    """A lead that the bank told of."""

    model_config = ConfigDict(from_attributes=True)

    read_id: UUID
    connection: str
    lead_id: str = Field(description="The bank's id of it.")
    state: str = Field(description="due, held (needs a person), done, given_up or discarded.")
    first_noticed_by: str = Field(description="notification or list.")
    first_noticed_at: datetime
    noticed_at: datetime = Field(description="The last it was told of.")
    due_at: datetime
    tries: int = Field(description="That failed, since it was told of.")
    attempted_at: datetime | None
    outcome: str | None = Field(description="What came of the last try.")
    status: int | None = Field(description="HTTP status of the last answer.")
    raw_id: UUID | None = Field(description="The last raw message that was made of it.")

    @classmethod
    def of(cls, row: BdkReadRow) -> "Read":
        return cls.model_validate(row)


class Resumption(BaseModel):
    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = Field(None, description="Null: since the last list.")
