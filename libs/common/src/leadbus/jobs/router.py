"""`/v1/jobs`: plan, look, run, cancel. The same in every service; the kinds differ."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, cast
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel
from sqlalchemy import select
from sqlalchemy.orm import defer
from sqlmodel import col

from leadbus.db import Database
from leadbus.jobs import store
from leadbus.jobs.machine import JobEvent, JobState, NotPossible, after
from leadbus.jobs.problems import (
    JOB_CANCELLING,
    JOB_ENDED,
    JOB_NEEDS_REASON,
    JOB_PLAN_EXPIRED,
    JOB_RUNNING,
    JOB_SUBJECT_BUSY,
    JOB_WITHOUT_DEALER,
)
from leadbus.jobs.table import Job, JobItem
from leadbus.jobs.views import Failure, JobAct, JobStory, JobView, Planned, request_of
from leadbus.jobs.work import Kind
from leadbus.web.audit import Audit
from leadbus.web.audit import record as audit
from leadbus.web.lists import Filter, Listing, ListQuery, Page
from leadbus.web.problems import FORBIDDEN, NOT_FOUND, Problem, problem_responses
from leadbus.web.tokens import Actor, require

Viewer = Annotated[Actor, require("viewer")]
Operator = Annotated[Actor, require("operator")]
_FAILURES_SHOWN = 20
# Nobody is shown it, and it may name thousands of things.
_NO_BOUND = defer(cast("Any", Job.bound))

JOBS = Listing(
    key=Job.id,
    # `seq` is the order of planning, and unique where planning times are not.
    sorts={"planned_at": Job.seq},
    default_sort="-planned_at",
    filters={
        "kind": Filter(str, Job.kind),
        "state": Filter(JobState, Job.state),
        "planned_by": Filter(str, Job.planned_by),
        "planned_after": Filter(AwareDatetime, Job.planned_at, ">="),
        "planned_before": Filter(AwareDatetime, Job.planned_at, "<"),
    },
)


def router(
    database: Database, kinds: Sequence[Kind], *, wake: Callable[[], None] = lambda: None
) -> APIRouter:
    """Routes under ``/v1/jobs``. ``wake`` is the runner's."""
    api = APIRouter()
    desk = _Desk(database, kinds, wake)
    _add_reading(api, desk)
    _add_acting(api, desk, request_of(kinds))
    return api


def _add_reading(api: APIRouter, desk: "_Desk") -> None:
    @api.get("/v1/jobs", tags=["jobs"])
    async def list_jobs(query: Annotated[ListQuery, Depends(JOBS)], actor: Viewer) -> Page[JobView]:
        """Long operator acts, the newest first."""
        statement = select(Job).options(_NO_BOUND)
        if actor.dealers is not None:
            statement = statement.where(col(Job.dealers).contained_by(sorted(actor.dealers)))  # type: ignore[attr-defined]
        async with desk.database.session() as session:
            return await query.page(session, statement, JobView.of)

    @api.get("/v1/jobs/{job_id}", tags=["jobs"], responses=problem_responses(404))
    async def show_job(job_id: UUID, actor: Viewer) -> JobStory:
        """One job, its progress, what failed in it and who did what."""
        return await desk.story(job_id, actor)


def _add_acting(api: APIRouter, desk: "_Desk", request: Any) -> None:
    @api.post(
        "/v1/jobs",
        tags=["jobs"],
        status_code=201,
        responses=problem_responses(403, 404, 409),
        response_model=JobView,
    )
    async def plan_job(body: request, actor: Operator, response: Response) -> JobView:
        """Count what would be touched and show some of it; nothing is touched before it is run."""
        planned = await desk.plan(body, actor)
        response.headers["Location"] = f"/v1/jobs/{planned.id}"
        return planned

    @api.post("/v1/jobs/{job_id}/run", tags=["jobs"], status_code=202, responses=problem_responses(404, 409))
    async def run_job(job_id: UUID, actor: Operator) -> JobView:
        """Begin. It goes on by itself, also when this service is restarted."""
        return await desk.run(job_id, actor)

    @api.post(
        "/v1/jobs/{job_id}/cancel", tags=["jobs"], status_code=202, responses=problem_responses(404, 409)
    )
    async def cancel_job(job_id: UUID, actor: Operator) -> JobView:
        """A plan and what no replica works on at once, else when the batch in hand is done.

        What was done stays done.
        """
        return await desk.cancel(job_id, actor)


class _Desk:
    """What the routes do, apart from HTTP."""

    def __init__(self, database: Database, kinds: Sequence[Kind], wake: Callable[[], None]) -> None:
        self.database = database
        self._kinds = {kind.name: kind for kind in kinds}
        self._wake = wake

    async def plan(self, body: Any, actor: Actor) -> JobView:
        asked: Planned = body
        kind, filter_ = self._kinds[body.kind], body.filter
        _check(kind, asked, filter_, actor)
        dealers = actor.dealers if kind.per_dealer else None
        plan = await kind.plan(filter_, dealers)
        job = store.NewJob(
            id=uuid4(),
            kind=kind.name,
            filter=_told(filter_),
            dealers=sorted(dealers) if dealers is not None else None,
            reason=asked.reason,
            batch_size=asked.batch_size,
            rate_per_second=asked.rate_per_second,
            planned_by=actor.subject,
            total=plan.total,
            left_out=plan.left_out,
            sample=plan.sample,
            bound=plan.bound,
            subject=plan.subject,
        )
        detail = {"kind": kind.name, "filter": job.filter, "total": plan.total, "reason": asked.reason}
        async with self.database.transaction() as conn:
            await store.insert(conn, job)
            await audit(conn, actor, "job.plan", f"job/{job.id}", detail)
        return await self._view(job.id)

    async def run(self, job_id: UUID, actor: Actor) -> JobView:
        expired = False
        try:
            async with self.database.transaction() as conn:
                job = await self._locked(conn, job_id, actor)
                _possible(job, JobEvent.RUN_ASKED)
                expired = job.expired
                if expired:
                    await store.end(conn, job_id, _possible(job, JobEvent.EXPIRED), store.PLAN_EXPIRED)
                else:
                    await store.start(conn, job_id, actor.subject)
                    await audit(conn, actor, "job.run", f"job/{job_id}", {"kind": job.kind})
        except store.SubjectTaken:
            raise Problem(JOB_SUBJECT_BUSY, job_id=await self._other(job.subject)) from None
        if expired:
            raise Problem(JOB_PLAN_EXPIRED)
        self._wake()
        return await self._view(job_id)

    async def cancel(self, job_id: UUID, actor: Actor) -> JobView:
        async with self.database.transaction() as conn:
            job = await self._locked(conn, job_id, actor)
            state = _possible(job, JobEvent.CANCEL_ASKED)
            await store.ask_to_cancel(conn, job_id, actor.subject)
            if state is JobState.RUNNING and not job.held:
                # Nobody has a batch in hand, and nobody may ever take it: its kind may be of another release.
                state = after(state, JobEvent.HALTED, cancel_asked=True)
            if state is JobState.CANCELLED:
                await store.end(conn, job_id, state)
            await audit(conn, actor, "job.cancel", f"job/{job_id}", {"kind": job.kind})
        self._wake()
        return await self._view(job_id)

    async def story(self, job_id: UUID, actor: Actor) -> JobStory:
        async with self.database.session() as session:
            row = await session.get(Job, job_id, options=[_NO_BOUND])
            if row is None or not _visible(row.dealers, actor):
                raise Problem(NOT_FOUND)
            failures = await session.scalars(
                select(JobItem)
                .where(col(JobItem.job_id) == job_id, col(JobItem.outcome) == "failed")
                .order_by(col(JobItem.identity))
                .limit(_FAILURES_SHOWN)
            )
            acts = await session.scalars(
                select(Audit).where(col(Audit.object) == f"job/{job_id}").order_by(col(Audit.at))
            )
            return JobStory(
                **dict(JobView.of(row)),
                failures=[Failure(id=item.identity, code=item.code) for item in failures],
                acts=[
                    JobAct(at=act.at, actor=act.actor, action=act.action, detail=act.detail) for act in acts
                ],
            )

    async def _locked(self, conn: Any, job_id: UUID, actor: Actor) -> store.Locked:
        job = await store.lock(conn, job_id)
        if job is None or not _visible(job.dealers, actor):
            raise Problem(NOT_FOUND)
        return job

    async def _other(self, subject: str | None) -> str | None:
        async with self.database.acquire() as conn:
            found = await store.running_on(conn, subject)
        return str(found) if found else None

    async def _view(self, job_id: UUID) -> JobView:
        async with self.database.session() as session:
            row = await session.get(Job, job_id, options=[_NO_BOUND])
        assert row is not None
        return JobView.of(row)


def _check(kind: Kind, asked: Planned, filter_: BaseModel, actor: Actor) -> None:
    if actor.dealers is not None:
        if not kind.per_dealer:
            raise Problem(JOB_WITHOUT_DEALER)
        dealer = getattr(filter_, "dealer", None)
        if dealer is not None and dealer not in actor.dealers:
            raise Problem(FORBIDDEN, "the token's dealers do not include the one of the filter")
    if kind.needs_reason and asked.reason is None:
        raise Problem(JOB_NEEDS_REASON)


def _possible(job: store.Locked, event: JobEvent) -> JobState:
    """The state after the event. Raises Problem."""
    try:
        return after(job.state, event, cancel_asked=job.cancel_asked)
    except NotPossible:
        if event is JobEvent.RUN_ASKED and job.end_reason == store.PLAN_EXPIRED:
            raise Problem(JOB_PLAN_EXPIRED) from None
        if job.state is not JobState.RUNNING:
            raise Problem(JOB_ENDED, f"it is {job.state.value}", state=job.state.value) from None
        raise Problem(JOB_RUNNING if event is JobEvent.RUN_ASKED else JOB_CANCELLING) from None


def _visible(dealers: Sequence[str] | None, actor: Actor) -> bool:
    """A limited token sees the jobs whose dealers are among its own."""
    return actor.dealers is None or (dealers is not None and actor.dealers.issuperset(dealers))


def _told(filter_: BaseModel) -> dict[str, Any]:
    told: dict[str, Any] = filter_.model_dump(mode="json", exclude_none=True)
    return told
