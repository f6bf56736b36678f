"""`/v1/leads`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from leadbus import web
from leadbus.db import Database
from leadbus.web import Actor, FieldError, Filter, Listing, ListQuery, Page, Problem, Role, require
from pydantic import AliasChoices, AwareDatetime, BaseModel, Field
from sqlmodel import col

from normalizer.api.knowledge import Piece, piece
from normalizer.domain.masking import masked
from normalizer.domain.terms import Terms
from normalizer.domain.vin import read_vin
from normalizer.store import queries
from normalizer.store.queries import DeliveryState
from normalizer.store.tables import LeadRow, LeadTermRow, LedgerRow

_NO_VIN = "a VIN has 17 letters and digits, without I, O and Q"


def _listing(key: Any, received_at: Any) -> Listing:
    return Listing(
        key=key,
        sorts={"received_at": received_at},
        default_sort="-received_at",
        filters={
            "dealer": Filter(str, col(LeadRow.dealer_id), description="Name of the Dealer setting."),
            "source": Filter(str, col(LeadRow.source)),
            "state": Filter(
                DeliveryState,
                col(LeadRow.state),
                description="What the sinks made of it; unrouted: all skipped it.",
            ),
            "vin": Filter(str, description="VIN of one of its vehicles, as of its last revision."),
            "test": Filter(bool, col(LeadRow.test), description="Only, or no, test leads."),
            "since": Filter(AwareDatetime, received_at, ">=", "Received then or later."),
            "until": Filter(AwareDatetime, received_at, "<", "Received before."),
        },
    )


LEADS = _listing(col(LeadRow.lead_id), col(LeadRow.received_at))
FOUND = _listing(col(LeadTermRow.lead_id), col(LeadTermRow.received_at))
"""The same list, cut by the columns of what it was found by: their index holds it in order."""


class LeadSummary(BaseModel):
    """Where a lead stands; no personal data."""

    lead_id: UUID
    revision: int
    source: str
    account: str
    dealer: str = Field(validation_alias=AliasChoices("dealer_id", "dealer"))
    test: bool = Field(description="A test: no real customer stands behind it.")
    received_at: datetime
    updated_at: datetime
    state: DeliveryState


class RevisionStory(BaseModel):
    """One change of a lead and the raw message behind it."""

    revision: int
    event_type: str
    changed: list[str]
    at: datetime
    raw_id: str | None = Field(
        description="Id on the wire; what ingest answered. Null once that message is forgotten: it told of a "
        "lead that this one is linked with."
    )
    raw_key: UUID = Field(description="Key of the raw message in this service.")
    source: str | None
    act_id: UUID | None = Field(
        None, description="The act of consent that made it; the raw message then is that of the one before."
    )


class LedgerStory(BaseModel):
    """The latest a sink said about the lead and one of a route's recipients."""

    sink: str
    route: str
    target: str = Field(
        description="Which of the route's recipients, by its place there, as copies.1; empty for the first."
    )
    aside: bool = Field(
        description="A copy, a notice or a warning: whether the lead arrived does not depend on it."
    )
    state: str
    outcome: str
    attempts: int
    ambiguous: bool
    repeat: bool
    delivery_id: UUID
    planned_at: datetime
    finished_at: datetime


class LeadStory(LeadSummary):
    """Everything that is known here of a lead."""

    masked: bool = Field(description="Personal data in `lead` is shortened beyond use.")
    lead: dict[str, Any] = Field(description="The canonical lead as of its last revision.")
    revisions: list[RevisionStory]
    ledger: list[LedgerStory]
    knowledge: list[Piece] = Field(description="What was told beside it, as it came.")


def router(database: Database, terms: Terms) -> APIRouter:
    api = APIRouter(prefix="/v1/leads", tags=["leads"])

    @api.get("", summary="Leads")
    async def leads(
        query: Annotated[ListQuery, Depends(LEADS)], actor: Annotated[Actor, require(Role.VIEWER)]
    ) -> Page[LeadSummary]:
        if (written := query.filters.get("vin")) is not None:
            return await page_found(database, query, actor, [[terms.vin(vin_of(written, parameter="vin"))]])
        async with database.session() as session:
            return await query.page(session, queries.leads(actor.dealers), summary)

    @api.get("/{lead_id}", summary="A lead's whole story")
    async def lead(
        lead_id: UUID,
        actor: Annotated[Actor, require(Role.VIEWER)],
        reveal: Annotated[bool, Query(description="With personal data: operators only, audited.")] = False,
    ) -> LeadStory:
        if reveal and actor.role.rank < Role.OPERATOR.rank:
            raise Problem("forbidden", "the role operator is needed to reveal personal data")
        async with database.session() as session:
            found = await queries.lead(session, lead_id)
            if found is None:
                raise Problem("not-found")
            row, document = found
            actor.must_see(row.dealer_id)
            revisions = await queries.revisions(session, lead_id)
            ledger = await queries.ledger(session, lead_id)
            knowledge = await queries.knowledge(session, lead_id)
        if reveal:
            async with database.transaction() as conn:
                await web.audit(conn, actor, "lead.reveal", f"lead/{lead_id}")
        return LeadStory(
            **dict(summary(row)),
            masked=not reveal,
            lead=document if reveal else masked(document),
            revisions=[RevisionStory(raw_id=one.wire_id, **_without(one, "wire_id")) for one in revisions],
            ledger=[_ledger(one) for one in ledger],
            knowledge=[piece(one) for one in knowledge],
        )

    return api


async def page_found(
    database: Database, query: ListQuery, actor: Actor, terms: Sequence[Collection[str]]
) -> Page[LeadSummary]:
    """Those of the leads that `query` asks for which are in the lists of all `terms`."""
    found = FOUND.query(filters=query.filters, sort=query.sort, limit=query.limit)
    found.after = query.after
    async with database.session() as session:
        return await found.page(session, queries.leads_found(actor.dealers, terms), summary)


def vin_of(written: str, **place: str) -> str:
    """Raises Problem invalid; `place` says where it was written."""
    reading = read_vin(written)
    if reading.vin is None:
        raise Problem("invalid", errors=[FieldError(_NO_VIN, str(reading.warning), **place)])
    return reading.vin


def summary(row: LeadRow) -> LeadSummary:
    return LeadSummary.model_validate(row, from_attributes=True)


def _without(row: Any, name: str) -> dict[str, Any]:
    return {key: value for key, value in row._mapping.items() if key != name}  # noqa: SLF001 -- its public view


def _ledger(row: LedgerRow) -> LedgerStory:
    return LedgerStory.model_validate(row, from_attributes=True)
