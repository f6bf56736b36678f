"""`/v1/raw`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from leadbus import web
from leadbus.db import Database
from leadbus.web import Actor, Problem, Role, problem_responses, problem_type, require
from leadbus.web.lists import Word
from pydantic import BaseModel, Field

from normalizer.api.replay import PRUNED, ReplayResult, replayed
from normalizer.quarantining import Quarantining
from normalizer.store import queries, raws

AMBIGUOUS = problem_type(
    "raw-ambiguous",
    409,
    "Several raw messages have this id",
    "Ids on the wire are the senders' own, and not unique; which of these messages is meant is not known.",
    "Name one by its key, `raw_keys` has them, or say `source` or `account`.",
)

RawId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00]+$",
        description="Id on the wire (what ingest answered), or the key of the raw message here.",
    ),
]
SourceName = Annotated[Word | None, Query(description="Where several share an id: of this source.")]
Account = Annotated[Word | None, Query(description="Where several share an id: through this account.")]


class RawStory(BaseModel):
    """A raw message, without its content, and what became of it."""

    raw_id: str
    raw_key: UUID
    source: str
    account: str
    digest: str = Field(description="SHA-256 of the source's own bytes.")
    size_bytes: int
    content_type: str | None
    received_at: datetime
    stored_at: datetime
    test: bool
    trial: bool
    pruned_at: datetime | None = Field(description="Since then its bytes are gone, because of their age.")
    lead_id: UUID | None = Field(description="The lead it made, which it is pinned to.")
    quarantine: str | None = Field(description="State of its quarantine entry; null when it never was in.")
    others: list[UUID] = Field(description="Keys of further raw messages with this id.")


def router(database: Database, quarantining: Quarantining) -> APIRouter:
    api = APIRouter(prefix="/v1/raw", tags=["raw"])

    @api.get("/{raw_id}", summary="A raw message and what became of it")
    async def raw(
        raw_id: RawId,
        actor: Annotated[Actor, require(Role.VIEWER)],
        source: SourceName = None,
        account: Account = None,
    ) -> RawStory:
        found, others = await _find(database, actor, raw_id, source, account)
        async with database.session() as session:
            entry = await queries.quarantined(session, found.raw_key)
        return RawStory(
            **{name: getattr(found, name) for name in RawStory.model_fields if hasattr(found, name)},
            raw_id=found.wire_id,
            quarantine=entry and entry.state,
            others=others,
        )

    @api.get(
        "/{raw_id}/body",
        summary="Its bytes as they came",
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}, **problem_responses(409, 410)},
    )
    async def body(
        raw_id: RawId,
        actor: Annotated[Actor, require(Role.OPERATOR)],
        source: SourceName = None,
        account: Account = None,
    ) -> Response:
        return await raw_body(database, actor, await _the_one(database, actor, raw_id, source, account))

    @api.post("/{raw_id}/replay", summary="Process it again", responses=problem_responses(409, 410))
    async def replay(
        raw_id: RawId,
        actor: Annotated[Actor, require(Role.OPERATOR)],
        source: SourceName = None,
        account: Account = None,
    ) -> ReplayResult:
        """Yields a revision of the same lead, or nothing when it says nothing new."""
        raw_key = await _the_one(database, actor, raw_id, source, account)
        return await replayed(quarantining.replay_raw(raw_key, actor))

    return api


async def raw_body(database: Database, actor: Actor, raw_key: UUID) -> Response:
    """The kept bytes, as a download that no browser interprets; audited."""
    async with database.transaction() as conn:
        kept = (await raws.by_key(conn, [raw_key])).get(raw_key)
        if kept is None:
            raise Problem("not-found")
        if kept.pruned:
            raise Problem(PRUNED)
        await web.audit(conn, actor, "raw.read_body", f"raw/{raw_key}")
    return web.download(kept.body, f"{raw_key}.raw")


async def _find(
    database: Database, actor: Actor, raw_id: str, source: str | None, account: str | None
) -> tuple[Any, Sequence[UUID]]:
    async with database.session() as session:
        rows = [
            row
            for row in await queries.raws(session, raw_id, source, account)
            if actor.may_see(row.dealer_id)
        ]
    if not rows:
        raise Problem("not-found")
    exact = next((row for row in rows if str(row.raw_key) == raw_id.lower()), rows[0])
    return exact, [row.raw_key for row in rows if row is not exact]


async def _the_one(
    database: Database, actor: Actor, raw_id: str, source: str | None, account: str | None
) -> UUID:
    """Its key, for what is done to one message alone. Raises Problem not-found, raw-ambiguous."""
    found, others = await _find(database, actor, raw_id, source, account)
    raw_key: UUID = found.raw_key
    if others and str(raw_key) != raw_id.lower():
        raise Problem(AMBIGUOUS, raw_keys=[str(key) for key in (raw_key, *others)])
    return raw_key
