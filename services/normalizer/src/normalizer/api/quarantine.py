"""`/v1/quarantine`: entries belong to no dealer, so tokens limited to dealers do not see them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from leadbus.contracts.vocabulary import QuarantineReason
from leadbus.db import Database
from leadbus.jobs import Reason
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Problem, Role, problem_responses, require
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import col

from normalizer.api.raws import raw_body
from normalizer.api.replay import ReplayResult, closed, replayed
from normalizer.quarantining import ClosedEntryError, Quarantining, UnknownRawError
from normalizer.store import queries
from normalizer.store.quarantine import State
from normalizer.store.tables import QuarantineRow

ENTRIES = Listing(
    key=col(QuarantineRow.raw_key),
    sorts={"quarantined_at": col(QuarantineRow.quarantined_at)},
    default_sort="-quarantined_at",
    filters={
        "reason": Filter(QuarantineReason, col(QuarantineRow.reason)),
        "source": Filter(str, col(QuarantineRow.source)),
        "account": Filter(str, col(QuarantineRow.account)),
        "state": Filter(State, col(QuarantineRow.state)),
        "location": Filter(str, col(QuarantineRow.location), description="Reference that no setting maps."),
        "since": Filter(AwareDatetime, col(QuarantineRow.quarantined_at), ">=", "Quarantined then or later."),
        "until": Filter(AwareDatetime, col(QuarantineRow.quarantined_at), "<", "Quarantined before."),
    },
)


class Entry(BaseModel):
    """A raw message that made no lead, and why. Nothing of its content is in here."""

    id: UUID = Field(description="Key of the entry and of its raw message.")
    raw_id: str = Field(description="Id on the wire; what ingest answered.")
    source: str
    account: str
    state: State
    reason: str
    field: str | None
    value_kind: str | None = Field(description="What stood in the field: missing, string, number, …")
    detail: str
    location: str | None = Field(description="The dealer reference that no Location setting maps.")
    size_bytes: int
    times: int = Field(description="How often it was processed in vain.")
    quarantined_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    how: str | None = Field(description="replayed, mapped or discarded.")
    note: str | None = Field(description="Why it was discarded.")


class Count(BaseModel):
    """Open entries of one source for one reason."""

    source: str
    reason: str
    entries: int


class Counts(BaseModel):
    items: list[Count]


class Discard(BaseModel):
    """Why nothing is lost by never reading it."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


def router(database: Database, quarantining: Quarantining) -> APIRouter:
    api = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])
    Viewer = Annotated[Actor, require(Role.VIEWER)]  # noqa: N806 -- a type
    Operator = Annotated[Actor, require(Role.OPERATOR)]  # noqa: N806

    @api.get("", summary="Quarantined raw messages")
    async def entries(query: Annotated[ListQuery, Depends(ENTRIES)], actor: Viewer) -> Page[Entry]:
        actor.must_be_unlimited("does not see the quarantine")
        async with database.session() as session:
            return await query.page(session, select(QuarantineRow), _entry)

    @api.get("/counts", summary="Open entries by source and reason")
    async def counts(actor: Viewer) -> Counts:
        actor.must_be_unlimited("does not see the quarantine")
        async with database.session() as session:
            rows = await queries.open_counts(session)
        return Counts(
            items=[Count(source=row.source, reason=row.reason, entries=row.entries) for row in rows]
        )

    @api.get("/{entry_id}", summary="An entry")
    async def entry(entry_id: UUID, actor: Viewer) -> Entry:
        actor.must_see(None)
        return await _read(database, entry_id)

    @api.get(
        "/{entry_id}/body",
        summary="Its bytes as they came",
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}, **problem_responses(410)},
    )
    async def body(entry_id: UUID, actor: Operator) -> Response:
        actor.must_see(None)
        await _read(database, entry_id)
        return await raw_body(database, actor, entry_id)

    @api.post("/{entry_id}/replay", summary="Process it again", responses=problem_responses(409, 410))
    async def replay(entry_id: UUID, actor: Operator) -> ReplayResult:
        """After a fix. Repeating it is harmless; what still cannot be read stays, with today's reason."""
        actor.must_see(None)
        return await replayed(quarantining.replay(entry_id, actor))

    @api.post("/{entry_id}/discard", summary="Give it up", responses=problem_responses(409))
    async def discard(entry_id: UUID, why: Discard, actor: Operator) -> Entry:
        actor.must_see(None)
        try:
            await quarantining.discard(entry_id, actor, why.reason)
        except UnknownRawError:
            raise Problem("not-found") from None
        except ClosedEntryError as error:
            raise closed(error) from None
        return await _read(database, entry_id)

    return api


async def _read(database: Database, entry_id: UUID) -> Entry:
    async with database.session() as session:
        row = await queries.quarantined(session, entry_id)
    if row is None:
        raise Problem("not-found")
    return _entry(row)


def _entry(row: Any) -> Entry:
    return Entry(
        **{name: getattr(row, name) for name in Entry.model_fields if hasattr(row, name)},
        id=row.raw_key,
        raw_id=row.wire_id,
    )
