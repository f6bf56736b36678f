"""Trying a route out over HTTP: previews of the exact bytes, and test leads."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from leadbus.contracts import Lead
from leadbus.db import Connection, Database
from leadbus.settings.documents import Notice
from leadbus.settings.documents.kind import NAME_PATTERN
from leadbus.web import Actor, Problem, audit, problem_responses, problem_type, require
from leadbus.web.problems import CONFLICT, NOT_FOUND

from adf_mailer import trying
from adf_mailer.domain.document import Status
from adf_mailer.domain.preview import Preview
from adf_mailer.domain.route import Route
from adf_mailer.planning import Planner
from adf_mailer.routes import ADF_ROUTE
from adf_mailer.store import leads, routes
from adf_mailer.trying_views import PreviewView, TestLeadView, TestOptions, Trial

Operator = Annotated[Actor, require("operator")]
RouteName = Annotated[str, Path(pattern=NAME_PATTERN, description="Name of an `AdfRoute`.")]
AskedRecipient = Annotated[
    str | None, Query(max_length=320, description="One of the route's addresses; without it the first.")
]
AskedStatus = Annotated[Status | None, Query(description="Without it: what the mail would say.")]

LEAD_ERASED = problem_type(
    "lead-erased",
    410,
    "The lead was erased",
    "What it said is gone for good, on request; that there was one stays.",
    "There is nothing left to show or to send.",
)
TEST_REFUSED = problem_type(
    "test-lead-refused",
    409,
    "The route sends no such test lead",
    "It is switched off, takes no tests, or takes no leads of this kind; `reason` is the code of the skip.",
    "Set `enabled` and `send_test_leads` of the route to true, or ask for a test of a kind that it takes.",
)
_WHY: Mapping[str, str] = {
    "test_lead": "the route takes no tests: set `send_test_leads: true`, and apply it",
    "route_disabled": "the route is switched off: set `enabled: true`, and apply it",
    "no_matching_route": "no such lead takes this route: test with a `vehicle` that its conditions name",
}
_MAIL = "message/rfc822"
_NO_STORE = {"Cache-Control": "no-store"}
_PREVIEW: dict[str, Any] = {
    "response_model": PreviewView,
    "responses": {
        200: {
            "description": f"The exact bytes as `{_MAIL}`; what is known of them to who accepts JSON.",
            "content": {_MAIL: {}},
        },
        **problem_responses(404, 410),
    },
    "tags": ["trying out"],
}


def router(database: Database, planner: Planner) -> APIRouter:
    """`/v1/leads/{id}/preview`, `/v1/preview` and `/v1/routes/{name}/test-lead`."""
    api = APIRouter()
    _add_previews(api, database, planner)
    _add_tests(api, database, planner)
    return api


def _add_previews(api: APIRouter, database: Database, planner: Planner) -> None:
    @api.get("/v1/leads/{lead_id}/preview", summary="What a route would send about a lead", **_PREVIEW)
    async def preview_lead(
        lead_id: UUID,
        request: Request,
        actor: Operator,
        route: Annotated[str, Query(pattern=NAME_PATTERN, description="Name of an `AdfRoute`.")],
        status: AskedStatus = None,
        to: AskedRecipient = None,
    ) -> Response:
        """Nothing is stored or sent. Holds personal data; who asked is put on record."""
        async with database.transaction() as conn:
            lead = await _lead(conn, actor, lead_id)
            stored = await _route(conn, actor, route)
            shown = await _shown(conn, planner, lead, stored, status, to)
            await _on_record(conn, actor, lead, stored, applied=True)
        return _answer(request, shown, stored, lead, [])

    @api.post("/v1/preview", summary="What a route that is not stored would send", **_PREVIEW)
    async def preview_route(trial: Trial, request: Request, actor: Operator) -> Response:
        """Of a lead, or of a test lead. The document is checked as PUT checks it, but for other routes."""
        spec = ADF_ROUTE.read(trial.spec)
        route = Route(trial.name, spec)
        actor.must_see(spec.dealer)
        async with database.transaction() as conn:
            if trial.lead_id is None:
                lead = await trying.example(conn, planner, route, trial.test.read())
            else:
                lead = await _lead(conn, actor, trial.lead_id)
            shown = await _shown(conn, planner, lead, route, trial.status, trial.to)
            await _on_record(conn, actor, lead, route, applied=False)
        return _answer(request, shown, route, lead, ADF_ROUTE.notices(trial.spec, spec))


def _add_tests(api: APIRouter, database: Database, planner: Planner) -> None:
    @api.post(
        "/v1/routes/{name}/test-lead",
        tags=["trying out"],
        status_code=202,
        summary="Send a test lead on a route",
        responses=problem_responses(404, 409),
    )
    async def send_test_lead(
        name: RouteName,
        actor: Operator,
        options: Annotated[TestOptions | None, Body()] = None,
        idempotency_key: Annotated[
            str | None,
            Header(
                min_length=1,
                max_length=255,
                pattern=r"^[!-~]+$",
                description="The same again is the same lead.",
            ),
        ] = None,
    ) -> TestLeadView:
        """Planned and sent as any lead, by this route alone, marked as a test and counted nowhere."""
        async with database.transaction() as conn:
            route = await _route(conn, actor, name)
            try:
                sent = await trying.send_test(
                    conn, planner, route, (options or TestOptions()).read(), idempotency_key
                )
            except trying.TestRefused as refusal:
                raise Problem(TEST_REFUSED, _WHY.get(refusal.code), reason=refusal.code) from None
            except trying.KeyReused:
                raise Problem(CONFLICT, "the Idempotency-Key stands for another test lead") from None
            await audit(conn, actor, "route.test_lead", f"AdfRoute/{name}", {"lead_id": str(sent.lead_id)})
        return TestLeadView(lead_id=sent.lead_id, route=name, delivery_ids=list(sent.delivery_ids))


async def _lead(conn: Connection, actor: Actor, lead_id: UUID) -> Lead:
    found = await leads.stored(conn, lead_id)
    if found is None:
        raise Problem(NOT_FOUND, "there is no such lead here")
    actor.must_see(found.lead.dealer.dealer_id if found.lead else found.counted_for)
    if found.lead is None:
        raise Problem(LEAD_ERASED)
    return found.lead


async def _route(conn: Connection, actor: Actor, name: str) -> Route:
    route = await routes.by_name(conn, name)
    if route is None:
        raise Problem(NOT_FOUND, "there is no such route")
    actor.must_see(route.spec.dealer)
    return route


async def _shown(
    conn: Connection, planner: Planner, lead: Lead, route: Route, status: Status | None, to: str | None
) -> Preview:
    try:
        return await trying.show(conn, planner, lead, route, status, to)
    except trying.NoSuchRecipient:
        raise Problem(NOT_FOUND, "the route writes to no such address") from None


async def _on_record(conn: Connection, actor: Actor, lead: Lead, route: Route, *, applied: bool) -> None:
    seen = {"route": route.name, "revision": lead.revision, "applied": applied, "test": lead.test}
    await audit(conn, actor, "lead.previewed", f"lead/{lead.lead_id}", seen)


def _answer(request: Request, shown: Preview, route: Route, lead: Lead, notices: list[Notice]) -> Response:
    if "application/json" in request.headers.get("accept", ""):
        view = PreviewView.of(shown, route, lead, notices)
        return JSONResponse(view.model_dump(mode="json"), headers=_NO_STORE)
    return Response(shown.written.mail.raw, media_type=_MAIL, headers=_NO_STORE)
