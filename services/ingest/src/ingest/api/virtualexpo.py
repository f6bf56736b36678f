"""What is fetched from VirtualExpo: how subscriptions stand, what attempts came to, one more wanted now."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from leadbus.settings.documents.kind import NAME_PATTERN
from leadbus.settings.tables import Setting
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Problem, Role, problem_responses, require
from leadbus.web.problems import NOT_FOUND
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import and_, select
from sqlmodel import col

from ingest.fetching.due import allowed_at
from ingest.fetching.ending import Outcome
from ingest.fetching.subscriptions import Subscriptions
from ingest.sources.virtualexpo import KIND
from ingest.store.virtualexpo_tables import AttemptRow, SubscriptionRow

Viewer = Annotated[Actor, require(Role.VIEWER)]
Name = Annotated[str, Path(description="Name of a VirtualExpoSubscription.", pattern=NAME_PATTERN)]
Code = Annotated[str, Field(description="Why, as a word: docs/runbooks/virtualexpo.md has them.")]

SUBSCRIPTIONS = Listing(
    key=SubscriptionRow.name,
    sorts={"name": SubscriptionRow.name, "due_at": SubscriptionRow.due_at},
    default_sort="name",
)
ATTEMPTS = Listing(
    key=AttemptRow.attempt_id,
    sorts={"started_at": AttemptRow.started_at},
    default_sort="-started_at",
    filters={
        "subscription": Filter(str, AttemptRow.subscription),
        "outcome": Filter(Outcome, AttemptRow.outcome),
        "code": Filter(str, AttemptRow.code),
        "trial": Filter(bool, AttemptRow.trial),
        "since": Filter(AwareDatetime, AttemptRow.started_at, ">="),
        "until": Filter(AwareDatetime, AttemptRow.started_at, "<"),
    },
)


class Standing(BaseModel):
    """How a subscription stands."""

    name: str
    set_up: bool = Field(description="False: its setting is gone; when it was tried last stays known.")
    enabled: bool = Field(description="Whether it is fetched.")
    trial: bool
    since: datetime = Field(description="Since when it is set up.")
    due_at: datetime = Field(description="When it is fetched next, where it is enabled.")
    allowed_at: datetime | None = Field(description="Before it nothing is asked, whoever wants it.")
    last_attempt_at: datetime | None
    last_success_at: datetime | None = Field(description="When its document was last fetched whole.")
    last_outcome: Outcome | None = Field(description="What the last attempt came to.")
    last_code: Code | None

    @classmethod
    def of(cls, found: Any) -> "Standing":
        """From a row of `_STANDINGS`."""
        row, spec = found[0], found[1] or {}
        return cls(
            name=row.name,
            set_up=row.target is not None,
            enabled=bool(spec.get("enabled", False)),
            trial=bool(spec.get("trial", False)),
            since=row.since,
            due_at=row.due_at,
            allowed_at=allowed_at(row.last_attempt_at),
            last_attempt_at=row.last_attempt_at,
            last_success_at=row.last_success_at,
            last_outcome=found[2],
            last_code=found[3],
        )


def _of_last_attempt(column: Any) -> Any:
    return (
        select(column)
        .where(col(AttemptRow.subscription) == col(SubscriptionRow.name))
        .order_by(col(AttemptRow.started_at).desc())
        .limit(1)
        .correlate(SubscriptionRow)
        .scalar_subquery()
    )


_STANDINGS: Any = select(
    SubscriptionRow,
    col(Setting.spec),
    _of_last_attempt(col(AttemptRow.outcome)).label("last_outcome"),
    _of_last_attempt(col(AttemptRow.code)).label("last_code"),
).join(
    Setting,
    and_(col(Setting.kind) == KIND, col(Setting.name) == col(SubscriptionRow.name)),
    isouter=True,
)


class Attempt(BaseModel):
    """One attempt to fetch a subscription."""

    attempt_id: UUID = Field(description="Also the correlation id of the raw messages that it brought.")
    subscription: str
    trial: bool
    started_at: datetime = Field(description="When it was written down, before anything was asked.")
    ended_at: datetime | None
    outcome: Outcome
    code: Code | None
    http_status: int | None
    size_bytes: int = Field(description="Of the document, as far as it came.")
    leads: int = Field(description="Whole leads in it.")
    new_leads: int = Field(description="Of those, the ones that were not fetched before as they are now.")
    quarantine_id: UUID | None = Field(
        description="Where the document is kept that could not be read: `/v1/quarantine/{id}`."
    )

    @classmethod
    def of(cls, row: AttemptRow) -> "Attempt":
        return cls(**row.model_dump(include=set(Attempt.model_fields)))


class DocumentFault(BaseModel):
    """What was the matter with the document."""

    code: Code
    line: int | None = Field(description="Line, from 1; null where it is the whole document.")


class LeadFault(BaseModel):
    """Where leads are not as the schema has them; none is refused for it."""

    rule: str = Field(description="The schema's rule.", examples=["cvc_enumeration_valid"])
    path: str = Field(description="The field. `*` is a name that the schema does not have.")
    leads: int


class TrialReport(BaseModel):
    """What came, in numbers of leads. What each would be: the normalizer's `GET /v1/trials`."""

    leads: int
    categories: dict[str, int]
    not_selected: int = Field(description="Of categories that the setting does not select.")
    types: dict[str, int] = Field(description="What they ask for.")
    fields: dict[str, int] = Field(description="Fields that are filled in.")
    faults: list[LeadFault]


class AttemptDetail(Attempt):
    """An attempt with what was found in its document."""

    faults: list[DocumentFault]
    report: TrialReport | None = Field(description="Null unless it was a trial.")

    @classmethod
    def of(cls, row: AttemptRow) -> "AttemptDetail":
        return cls(**row.model_dump(include=set(cls.model_fields)))


class Soon(BaseModel):
    """When it is fetched."""

    due_at: datetime = Field(description="Now, or when two hours from the last attempt are over.")
    last_attempt_at: datetime | None


def router(subscriptions: Subscriptions) -> APIRouter:
    router = APIRouter(prefix="/v1/virtualexpo", tags=["VirtualExpo"])
    database = subscriptions.database

    @router.get("/subscriptions", summary="How subscriptions stand")
    async def standings(query: Annotated[ListQuery, Depends(SUBSCRIPTIONS)], actor: Viewer) -> Page[Standing]:
        actor.must_see(None)
        async with database.session() as session:
            return await query.page(session, _STANDINGS, Standing.of)

    @router.get("/subscriptions/{name}", summary="How one subscription stands")
    async def standing(name: Name, actor: Viewer) -> Standing:
        actor.must_see(None)
        async with database.session() as session:
            found = await session.execute(_STANDINGS.where(col(SubscriptionRow.name) == name))
            row = found.one_or_none()
        if row is None:
            raise Problem(NOT_FOUND)
        return Standing.of(row)

    @router.post(
        "/subscriptions/{name}/fetch",
        status_code=202,
        summary="Fetch it as soon as may be",
        description="At once, or when two hours from the last attempt are over: the vendor allows no more.",
        responses=problem_responses(409),
    )
    async def fetch(name: Name, actor: Annotated[Actor, require(Role.OPERATOR)]) -> Soon:
        actor.must_see(None)
        wanted = await subscriptions.fetch_soon(name, actor)
        return Soon(due_at=wanted.due_at, last_attempt_at=wanted.last_attempt_at)

    @router.get("/attempts", summary="Attempts to fetch")
    async def attempts(query: Annotated[ListQuery, Depends(ATTEMPTS)], actor: Viewer) -> Page[Attempt]:
        actor.must_see(None)
        async with database.session() as session:
            return await query.page(session, select(AttemptRow), Attempt.of)

    @router.get("/attempts/{attempt_id}", summary="One attempt, with its report where it was a trial")
    async def attempt(attempt_id: UUID, actor: Viewer) -> AttemptDetail:
        actor.must_see(None)
        async with database.session() as session:
            row = await session.get(AttemptRow, attempt_id)
        if row is None:
            raise Problem(NOT_FOUND)
        return AttemptDetail.of(row)

    @router.get(
        "/subscriptions/{name}/trial",
        summary="The last attempt that was a trial",
        description="Its report tells whether data lands in the right fields, without anybody's data.",
    )
    async def trial(name: Name, actor: Viewer) -> AttemptDetail:
        actor.must_see(None)
        last: Any = (
            select(AttemptRow)
            .where(col(AttemptRow.subscription) == name, col(AttemptRow.report).is_not(None))
            .order_by(col(AttemptRow.started_at).desc())
            .limit(1)
        )
        async with database.session() as session:
            row = (await session.execute(last)).scalar_one_or_none()
        if row is None:
            raise Problem(NOT_FOUND)
        return AttemptDetail.of(row)

    return router
