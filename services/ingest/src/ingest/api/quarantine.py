"""Bodies that ingest fetched or received itself and could not publish, for operators."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from leadbus import web
from leadbus.clock import Clock
from leadbus.contracts.vocabulary import QuarantineReason
from leadbus.db import Database
from leadbus.jobs import Reason
from leadbus.outbox import Outgoing
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Problem, Role, download, require
from leadbus.web.problems import NOT_FOUND
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import col

from ingest import events
from ingest.api.models import Digest, written
from ingest.store import quarantine
from ingest.store.tables import QuarantineRow

Viewer = Annotated[Actor, require(Role.VIEWER)]

ENTRIES = Listing(
    key=QuarantineRow.raw_id,
    sorts={"quarantined_at": QuarantineRow.quarantined_at},
    default_sort="-quarantined_at",
    filters={
        "source": Filter(str, QuarantineRow.source),
        "account": Filter(str, QuarantineRow.account),
        "reason": Filter(QuarantineReason, QuarantineRow.reason),
        "since": Filter(AwareDatetime, QuarantineRow.quarantined_at, ">="),
        "until": Filter(AwareDatetime, QuarantineRow.quarantined_at, "<"),
    },
)
# All of a row but its body, which may be of any size.
_SELECTED = select(
    *(col(getattr(QuarantineRow, name)) for name in QuarantineRow.model_fields if name != "body")
)


class Kept(BaseModel):
    """A body that is kept here and was not published."""

    raw_id: UUID
    source: str
    account: str = Field(description="Subscription, connection or recipient it came through.")
    reason: QuarantineReason
    detail: str = Field(description="Why, for people. Nothing of the body.")
    content_type: str
    digest: Digest
    size_bytes: int
    test: bool
    quarantined_at: datetime

    @classmethod
    def of(cls, row: object) -> "Kept":
        told = {name: getattr(row, name) for name in cls.model_fields}
        return cls(**{**told, "digest": written(told["digest"])})


class Discard(BaseModel):
    """Why nothing is lost by it."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


def router(database: Database, clock: Clock, outgoing: Outgoing) -> APIRouter:
    router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"])

    @router.get(
        "",
        summary="What is kept unpublished",
        description="Documents that could not be read, and bodies larger than the normalizer reads. What was "
        "published and could not be read or placed is in the normalizer's quarantine.",
    )
    async def entries(query: Annotated[ListQuery, Depends(ENTRIES)], actor: Viewer) -> Page[Kept]:
        actor.must_see(None)
        async with database.session() as session:
            return await query.page(session, _SELECTED, Kept.of)

    @router.get("/{raw_id}", summary="One body that is kept unpublished")
    async def entry(raw_id: UUID, actor: Viewer) -> Kept:
        actor.must_see(None)
        async with database.session() as session:
            row = (await session.execute(_SELECTED.where(col(QuarantineRow.raw_id) == raw_id))).one_or_none()
        if row is None:
            raise Problem(NOT_FOUND)
        return Kept.of(row)

    @router.get(
        "/{raw_id}/body",
        summary="The body, byte for byte",
        description="Audited.",
        response_class=Response,
        responses={200: {"description": "The bytes.", "content": {"application/octet-stream": {}}}},
    )
    async def body(raw_id: UUID, actor: Annotated[Actor, require(Role.OPERATOR)]) -> Response:
        actor.must_see(None)
        async with database.transaction() as conn:
            content = await quarantine.body(conn, raw_id)
            if content is None:
                raise Problem(NOT_FOUND)
            await web.audit(conn, actor, "quarantine.reveal", f"quarantine/{raw_id}")
        return download(content, f"{raw_id}.raw")

    @router.post(
        "/{raw_id}/discard",
        status_code=204,
        summary="Delete one",
        description="When what is in it came in another way, or is nobody's. Audited, with the reason; the "
        "body is gone. The same again is kept again.",
    )
    async def discard(
        raw_id: UUID, why: Discard, actor: Annotated[Actor, require(Role.OPERATOR)]
    ) -> Response:
        actor.must_see(None)
        async with database.transaction() as conn:
            gone = await quarantine.discard(conn, raw_id)
            if gone is None:
                raise Problem(NOT_FOUND)
            await outgoing.writing([events.released(gone, clock.now())]).write(conn)
            await web.audit(conn, actor, "quarantine.discard", f"quarantine/{raw_id}", {"reason": why.reason})
        return Response(status_code=204)

    return router
