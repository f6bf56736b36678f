"""`/v1/trials`: what is fetched in a trial would become, to see whether data lands in the right fields."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from leadbus import web
from leadbus.db import Connection, Database
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Problem, Role, problem_responses, require
from pydantic import AwareDatetime, BaseModel, Field
from sqlmodel import col

from normalizer.api.replay import PRUNED
from normalizer.domain.masking import masked
from normalizer.domain.revisions import Reading
from normalizer.quarantining import Quarantining
from normalizer.store import queries, raws
from normalizer.store.tables import RawRow

TRIALS = Listing(
    key=col(RawRow.raw_key),
    sorts={"stored_at": col(RawRow.stored_at)},
    default_sort="-stored_at",
    filters={
        "source": Filter(str, col(RawRow.source)),
        "account": Filter(str, col(RawRow.account), description="Name of the subscription."),
        "since": Filter(AwareDatetime, col(RawRow.stored_at), ">="),
        "until": Filter(AwareDatetime, col(RawRow.stored_at), "<"),
    },
)


class Trial(BaseModel):
    """A raw message of a trial, and what it came to when it came."""

    raw_id: str
    raw_key: UUID
    source: str
    account: str
    received_at: datetime
    stored_at: datetime
    reason: str | None = Field(description="Why it would be quarantined; null: it would be a lead.")
    field: str | None = Field(description="Path of the field at fault.")
    detail: str | None


class TrialReading(BaseModel):
    """What a raw message of a trial would be by today's adapters and directory."""

    raw_key: UUID
    masked: bool = Field(description="Personal data in `lead` is shortened beyond use.")
    lead: dict[str, Any] | None = Field(description="The lead that it would be; null: it would be none.")
    reason: str | None = Field(description="Why it would be quarantined.")
    field: str | None
    detail: str | None


def router(database: Database, quarantining: Quarantining) -> APIRouter:
    api = APIRouter(prefix="/v1/trials", tags=["trials"])

    @api.get("", summary="Raw messages of trials, and what each came to")
    async def trials(
        query: Annotated[ListQuery, Depends(TRIALS)], actor: Annotated[Actor, require(Role.VIEWER)]
    ) -> Page[Trial]:
        actor.must_see(None)
        async with database.session() as session:
            return await query.page(session, queries.trials(), _trial)

    @api.get(
        "/{raw_key}",
        summary="The lead that one would be",
        description="Read again, and nothing of it kept: no lead, no event, no revision.",
        responses=problem_responses(410),
    )
    async def trial(
        raw_key: UUID,
        actor: Annotated[Actor, require(Role.VIEWER)],
        reveal: Annotated[bool, Query(description="With personal data: operators only, audited.")] = False,
    ) -> TrialReading:
        actor.must_see(None)
        if reveal and actor.role.rank < Role.OPERATOR.rank:
            raise Problem("forbidden", "the role operator is needed to reveal personal data")
        async with database.transaction() as conn:
            reading = await _read(conn, raw_key, quarantining, reveal=reveal)
            if reveal:
                await web.audit(conn, actor, "trial.reveal", f"raw/{raw_key}")
        return reading

    return api


async def _read(conn: Connection, raw_key: UUID, quarantining: Quarantining, *, reveal: bool) -> TrialReading:
    """Raises Problem not-found, also for what was no trial, and raw-gone."""
    kept = (await raws.by_key(conn, [raw_key])).get(raw_key)
    if kept is None or not kept.trial:
        raise Problem("not-found")
    if kept.pruned:
        raise Problem(PRUNED)
    told = await quarantining.would_be(conn, kept)
    if isinstance(told, Reading):
        lead = told.lead.wire()
        return TrialReading(
            raw_key=raw_key,
            masked=not reveal,
            lead=lead if reveal else masked(lead),
            reason=None,
            field=None,
            detail=None,
        )
    return TrialReading(
        raw_key=raw_key,
        masked=not reveal,
        lead=None,
        reason=getattr(told, "reason", None),
        field=getattr(told, "field", None),
        detail=getattr(told, "detail", None),
    )


def _trial(row: Any) -> Trial:
    told = {name: getattr(row, name) for name in Trial.model_fields if name != "raw_id"}
    return Trial(raw_id=row.wire_id, **told)
