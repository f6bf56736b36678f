"""Bounces as operators see them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response
from leadbus.db import Database
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Problem, audit, problem_responses, require
from leadbus.web.problems import NOT_FOUND, problem_type
from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlmodel import col

from adf_mailer.domain.bounces.judging import Role, Verdict
from adf_mailer.domain.bounces.matching import By
from adf_mailer.domain.bounces.report import Action, Kind
from adf_mailer.store import bounces
from adf_mailer.store.tables import BounceRow

Viewer = Annotated[Actor, require("viewer")]
Operator = Annotated[Actor, require("operator")]
BounceId = Annotated[int, Path(ge=1, lt=2**63)]

BOUNCE_GONE = problem_type(
    "bounce-gone",
    410,
    "The bounce is gone",
    "Its lead was erased, or `ADF_MAILER_RETENTION_BOUNCES_DAYS` went by since it came.",
    "What it said is still told; its bytes cannot be shown any more.",
)
BOUNCES = Listing(
    key=BounceRow.id,
    sorts={"received_at": BounceRow.received_at},
    default_sort="-received_at",
    filters={
        "unmatched": Filter(bool, description="Only those of no known delivery, or only the others."),
        "delivery_id": Filter(UUID, BounceRow.delivery_id),
        "kind": Filter(Kind, BounceRow.kind),
        "verdict": Filter(Verdict, BounceRow.verdict),
        "reason": Filter(str, BounceRow.reason),
        "dealer": Filter(str, BounceRow.dealer),
        "received_after": Filter(AwareDatetime, BounceRow.received_at, ">="),
        "received_before": Filter(AwareDatetime, BounceRow.received_at, "<"),
    },
)


class BounceView(BaseModel):
    """What came back to the return path of a mail; its bytes are shown apart."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)

    id: int
    received_at: datetime
    kind: Kind
    verdict: Verdict
    """What it means for the mail."""
    reason: str | None
    """Why, as a code; of a complaint its kind."""
    became: Literal["failed", "repeated", "sending", "outdated", "unchanged", "noted", "unmatched"]
    """What it made of the delivery: failed, repeated; noted only; sending: its answer is awaited; outdated: a
    newer repeat counts; unchanged: it had ended otherwise; unmatched: of no known mail."""
    matched_by: By | None
    """What told which mail it is about."""
    delivery_id: UUID | None
    repeat_number: int | None
    """Which sending of the delivery it is about."""
    dealer: str | None
    test: bool
    """Of a test: no real customer stands behind it."""
    recipient_role: Role
    """Whom it is about: whom we sent to, or somebody to whom it went on from there."""
    action: Action | None
    """What the report says that became of the mail."""
    status: str | None
    """Status code of RFC 3463."""
    reporting_mta: str | None
    """The server that reports."""
    diagnostic: str | None
    """The other side's words, cut at 2000 characters."""
    sha256: str
    """Of the bounce without what servers on its way add."""
    size_bytes: int


def router(database: Database) -> APIRouter:
    """`/v1/bounces`."""
    api = APIRouter()
    _add_list(api, database)
    _add_one(api, database)
    return api


def _add_list(api: APIRouter, database: Database) -> None:
    @api.get("/v1/bounces", tags=["bounces"])
    async def list_bounces(query: Annotated[ListQuery, Depends(BOUNCES)], actor: Viewer) -> Page[BounceView]:
        """What came back, the newest first. A token limited to dealers sees theirs."""
        statement = bounces.described()
        wanted = query.filters.get("unmatched")
        if wanted is not None:
            statement = bounces.unmatched(statement, wanted)
        if actor.dealers is not None:
            statement = statement.where(col(BounceRow.dealer).in_(actor.dealers))
        async with database.session() as session:
            return await query.page(session, statement, BounceView.model_validate)


def _add_one(api: APIRouter, database: Database) -> None:
    @api.get("/v1/bounces/{bounce_id}", tags=["bounces"], responses=problem_responses(404))
    async def show_bounce(bounce_id: BounceId, actor: Viewer) -> BounceView:
        async with database.session() as session:
            found = await session.execute(bounces.described().where(col(BounceRow.id) == bounce_id))
            row = found.scalar_one_or_none()
            if row is None:
                raise Problem(NOT_FOUND)
            actor.must_see(row.dealer)
            return BounceView.model_validate(row)

    @api.get(
        "/v1/bounces/{bounce_id}/raw",
        tags=["bounces"],
        responses={200: {"content": {"message/rfc822": {}}}, **problem_responses(404, 410)},
        response_class=Response,
    )
    async def show_raw_bounce(bounce_id: BounceId, actor: Operator) -> Response:
        """The exact bytes that came. May hold personal data; who asked is put on record."""
        async with database.transaction() as conn:
            found = await bounces.raw(conn, bounce_id)
            if found is None:
                raise Problem(NOT_FOUND)
            actor.must_see(found.dealer)
            if found.raw is None:
                raise Problem(BOUNCE_GONE)
            await audit(conn, actor, "bounce.shown", f"bounce/{bounce_id}")
        return Response(found.raw, media_type="message/rfc822", headers={"Cache-Control": "no-store"})
