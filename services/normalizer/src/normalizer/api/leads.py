"""`/v1/leads`."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from leadbus import web
from leadbus.db import Database
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Problem, Role, require
from pydantic import AwareDatetime, BaseModel, Field
from sqlmodel import col

from normalizer.domain.masking import masked
from normalizer.store import queries
from normalizer.store.queries import DeliveryState
from normalizer.store.tables import LeadRow, LedgerRow

LEADS = Listing(
    key=col(LeadRow.lead_id),
    sorts={"received_at": col(LeadRow.received_at)},
    default_sort="-received_at",
    filters={
        "dealer": Filter(str, col(LeadRow.dealer_id), description="Name of the Dealer setting."),
        "source": Filter(str, col(LeadRow.source)),
        "test": Filter(bool, col(LeadRow.test)),
        "since": Filter(AwareDatetime, col(LeadRow.received_at), ">=", "Received then or later."),
        "until": Filter(AwareDatetime, col(LeadRow.received_at), "<", "Received before."),
        "state": Filter(DeliveryState, description="What the sinks made of it; unrouted: all skipped it."),
    },
)


class LeadSummary(BaseModel):
    """Where a lead stands; no personal data."""

    lead_id: UUID
    revision: int
    source: str
    account: str
    dealer: str
    test: bool
    received_at: datetime
    updated_at: datetime
    state: DeliveryState


class RevisionStory(BaseModel):
    """One change of a lead and the raw message behind it."""

    revision: int
    event_type: str
    changed: list[str]
    at: datetime
    raw_id: str = Field(description="Id on the wire; what ingest answered.")
    raw_key: UUID = Field(description="Key of the raw message in this service.")
    source: str


class LedgerStory(BaseModel):
    """The latest a sink said about the lead on a route."""

    sink: str
    route: str
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


def router(database: Database) -> APIRouter:
    api = APIRouter(prefix="/v1/leads", tags=["leads"])

    @api.get("", summary="Leads")
    async def leads(
        query: Annotated[ListQuery, Depends(LEADS)], actor: Annotated[Actor, require(Role.VIEWER)]
    ) -> Page[LeadSummary]:
        statement = queries.leads(actor.dealers, query.filters.get("state"))
        async with database.session() as session:
            return await query.page(session, statement, lambda row: LeadSummary(**_summary(row[0], row[1])))

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
            row, state, document = found
            actor.must_see(row.dealer_id)
            revisions = await queries.revisions(session, lead_id)
            ledger = await queries.ledger(session, lead_id)
        if reveal:
            async with database.transaction() as conn:
                await web.audit(conn, actor, "lead.reveal", f"lead/{lead_id}")
        return LeadStory(
            **_summary(row, state),
            masked=not reveal,
            lead=document if reveal else masked(document),
            revisions=[RevisionStory(raw_id=one.wire_id, **_without(one, "wire_id")) for one in revisions],
            ledger=[_ledger(one) for one in ledger],
        )

    return api


def _summary(row: LeadRow, state: DeliveryState) -> dict[str, Any]:
    return {
        "lead_id": row.lead_id,
        "revision": row.revision,
        "source": row.source,
        "account": row.account,
        "dealer": row.dealer_id,
        "test": row.test,
        "received_at": row.received_at,
        "updated_at": row.updated_at,
        "state": state,
    }


def _without(row: Any, name: str) -> dict[str, Any]:
    return {key: value for key, value in row._mapping.items() if key != name}  # noqa: SLF001 -- its public view


def _ledger(row: LedgerRow) -> LedgerStory:
    return LedgerStory.model_validate(row, from_attributes=True)
