"""`/v1/knowledge`: what sources told beside leads. Of leads that are not here no dealer is known."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from leadbus.db import Database
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Role, require
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select
from sqlmodel import col

from normalizer.store.tables import KnowledgeRow

PIECES = Listing(
    key=col(KnowledgeRow.raw_key),
    sorts={"received_at": col(KnowledgeRow.received_at)},
    default_sort="-received_at",
    filters={
        "waiting": Filter(
            bool, col(KnowledgeRow.waiting), description="Only, or not, what waits for its lead."
        ),
        "source": Filter(str, col(KnowledgeRow.source)),
        "lead_id": Filter(UUID, col(KnowledgeRow.lead_id)),
        "test": Filter(bool, col(KnowledgeRow.test), description="Only, or no, tests."),
        "since": Filter(AwareDatetime, col(KnowledgeRow.received_at), ">=", "Received then or later."),
        "until": Filter(AwareDatetime, col(KnowledgeRow.received_at), "<", "Received before."),
    },
)


class Piece(BaseModel):
    """What one raw message told beside a lead, by the names of its parameters."""

    lead_id: UUID
    raw_id: str = Field(description="Id on the wire; what ingest answered.")
    raw_key: UUID = Field(description="Key of the raw message in this service.")
    source: str
    received_at: datetime
    alone: bool = Field(description="The raw message told no lead.")
    waiting: bool = Field(description="The lead has not come.")
    test: bool
    parameters: list[str]


def router(database: Database) -> APIRouter:
    api = APIRouter(prefix="/v1/knowledge", tags=["knowledge"])

    @api.get("", summary="What was told beside leads")
    async def pieces(
        query: Annotated[ListQuery, Depends(PIECES)], actor: Annotated[Actor, require(Role.VIEWER)]
    ) -> Page[Piece]:
        actor.must_be_unlimited("does not see what belongs to no dealer yet")
        async with database.session() as session:
            return await query.page(session, select(KnowledgeRow), piece)

    return api


def piece(row: KnowledgeRow) -> Piece:
    return Piece.model_validate(row.model_dump() | {"parameters": sorted(row.parameters)})
