"""BDK Leadservice: its notifications, and for operators how each connection is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from leadbus.db import is_out_of_reach
from leadbus.log import Wide, wide
from leadbus.web import (
    Actor,
    FieldError,
    Filter,
    Listing,
    ListQuery,
    Page,
    Problem,
    Role,
    problem_responses,
    problem_type,
    require,
)
from leadbus.web.problems import CONFLICT, INVALID, NOT_FOUND
from sqlalchemy import select

from ingest.api import bdk_documentation as doc
from ingest.api import body as request_body
from ingest.api.bdk_models import NotificationTaken, Read, Resumption, Standing
from ingest.api.problems import problem_of
from ingest.bdk import measures
from ingest.bdk.desk import Desk
from ingest.bdk.door import Brought, NotificationDoor, NotTaken, NotTakenError
from ingest.domain import json_body, media_type
from ingest.domain.media_type import Form
from ingest.domain.refusal import Reason, Refusal
from ingest.settings import IngestSettings
from ingest.store.bdk_tables import BdkReadRow

PROOF_NEEDED = problem_type(
    "bdk-proof-needed",
    401,
    "The notification proves nothing",
    "The header that the connection's setting names holds neither its secret nor the body's HMAC under it, "
    "or there is no such connection. Nothing was stored.",
    "Send the secret, or sign the bytes of the body as they are sent.",
)
CONNECTION_DISABLED = problem_type(
    "bdk-connection-disabled",
    403,
    "The connection is switched off",
    "The operator switched this connection off. Nothing was stored.",
    "Notify again when it is on, or leave it: what changed meanwhile is listed then.",
)
CONNECTION_AMBIGUOUS = problem_type(
    "bdk-connection-ambiguous",
    409,
    "Several connections have this secret",
    "The address names no connection, and the secret is that of several. Nothing was stored.",
    "Notify `/v1/bdk/notifications/{connection}`.",
)
_PROBLEMS = {
    NotTaken.PROOF_INVALID: PROOF_NEEDED,
    NotTaken.DISABLED: CONNECTION_DISABLED,
    NotTaken.AMBIGUOUS: CONNECTION_AMBIGUOUS,
}

ConnectionName = Annotated[str, Path(max_length=128, description="Name of a `BdkConnection`.")]
ReadId = Annotated[UUID, Path(description="As the list of reads says it.")]
Viewer = Annotated[Actor, require(Role.VIEWER)]
Operator = Annotated[Actor, require(Role.OPERATOR)]

READS = Listing(
    key=BdkReadRow.read_id,
    sorts={"noticed_at": BdkReadRow.noticed_at},
    default_sort="-noticed_at",
    filters={
        "connection": Filter(str, BdkReadRow.connection),
        "state": Filter(str, BdkReadRow.state, description="due, held, done, given_up or discarded."),
        "outcome": Filter(str, BdkReadRow.outcome, description="What came of the last try."),
        "lead_id": Filter(str, BdkReadRow.lead_id, description="The bank's id of the lead."),
    },
)


def notifications(door: NotificationDoor, settings: IngestSettings) -> APIRouter:
    """`/v1/bdk/notifications`."""
    router = APIRouter(prefix="/v1/bdk", tags=["BDK Leadservice"])
    answers: dict[int | str, dict[str, Any]] = {
        202: doc.TAKEN,
        **problem_responses(400, 401, 403, 408, 409, 413, 415, 422),
    }

    @router.post(
        "/notifications/{connection}",
        status_code=202,
        summary="News of a lead, for a connection by its name",
        description=doc.NOTIFICATION,
        responses=answers,
        openapi_extra=doc.NOTIFICATION_EXTRA,
    )
    async def notify_named(request: Request, connection: ConnectionName) -> NotificationTaken:
        return await _notified(door, settings, request, connection)

    @router.post(
        "/notifications",
        status_code=202,
        summary="News of a lead, for the connection whose secret proves it",
        description=doc.NOTIFICATION,
        responses=answers,
        openapi_extra=doc.NOTIFICATION_EXTRA,
    )
    async def notify(request: Request) -> NotificationTaken:
        return await _notified(door, settings, request, None)

    return router


def operations(desk: Desk) -> APIRouter:
    """`/v1/bdk/connections` and `/v1/bdk/reads`. Tokens limited to dealers see nothing of them."""
    router = APIRouter(prefix="/v1/bdk", tags=["BDK Leadservice"])

    @router.get("/connections", summary="How each connection is", description=doc.CONNECTIONS)
    async def connections(actor: Viewer) -> Page[Standing]:
        actor.must_see(None)
        return Page(items=[Standing.of(one) for one in await desk.standings()])

    @router.get("/connections/{connection}", summary="How a connection is", description=doc.CONNECTIONS)
    async def connection(connection: ConnectionName, actor: Viewer) -> Standing:
        actor.must_see(None)
        return Standing.of(_found(await desk.standing(connection)))

    @router.post(
        "/connections/{connection}/resume",
        summary="Say that what a connection needed a person for is mended",
        description=doc.RESUME,
    )
    async def resume(connection: ConnectionName, actor: Operator) -> Standing:
        actor.must_be_unlimited("does not resume connections")
        return Standing.of(_found(await desk.resume(connection, actor)))

    @router.post(
        "/connections/{connection}/reconcile",
        summary="Ask for a connection's lists now",
        description=doc.RECONCILE,
    )
    async def reconcile(connection: ConnectionName, wanted: Resumption, actor: Operator) -> Standing:
        actor.must_be_unlimited("does not reconcile connections")
        return Standing.of(_found(await desk.reconcile(connection, wanted.since, actor)))

    @router.get("/reads", summary="Leads that the bank told of", description=doc.READS)
    async def reads(query: Annotated[ListQuery, Depends(READS)], actor: Viewer) -> Page[Read]:
        actor.must_see(None)
        async with desk.database.session() as session:
            return await query.page(session, select(BdkReadRow), Read.of)

    @router.post(
        "/reads/{read_id}/retry", status_code=202, summary="Fetch a lead again", description=doc.RETRY
    )
    async def retry(read_id: ReadId, actor: Operator) -> None:
        actor.must_be_unlimited("does not fetch leads again")
        _found(await desk.retry(read_id, actor))

    @router.post(
        "/reads/{read_id}/discard",
        status_code=202,
        summary="Fetch a lead no more",
        description=doc.DISCARD,
        responses=problem_responses(409),
    )
    async def discard(read_id: ReadId, actor: Operator) -> None:
        actor.must_be_unlimited("does not give up leads")
        if await desk.discard(read_id, actor) is None:
            raise Problem(CONFLICT, "There is no such read, or nothing of it to give up.")

    return router


async def _notified(
    door: NotificationDoor, settings: IngestSettings, request: Request, name: str | None
) -> NotificationTaken:
    with _watched() as line:
        brought = await _brought(request, settings)
        line["size_bytes"] = len(brought.body)
        try:
            taken = await door.take(brought, name)
        except NotTakenError as error:
            line.outcome = error.why
            raise _problem(error, brought.body) from None
        line.outcome = "lead_repeated" if taken.came_to == "lead" and taken.repeated else taken.came_to
        line["connection"] = taken.connection
        return NotificationTaken.of(taken)


async def _brought(request: Request, settings: IngestSettings) -> Brought:
    """Raises Refusal for what is refused before anybody is asked who sends it."""
    headers = request.headers
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(Reason.UNSUPPORTED_TYPE, "Compressed bodies are not taken.")
    media = media_type.read(headers.get("content-type"))
    if media.form is not Form.JSON:
        raise Refusal(Reason.UNSUPPORTED_TYPE, "A notification is JSON.")
    body = await request_body.read(
        request,
        limit_bytes=settings.raw_body_limit_bytes,
        timeout_seconds=settings.raw_body_timeout_seconds,
    )
    return Brought(body, media.text, dict(headers), request.state.correlation_id)


@contextmanager
def _watched() -> Iterator[Wide]:
    """One line and the counter of a notification; a refusal leaves as the problem it becomes."""
    with wide("bdk.notified") as line:
        try:
            yield line
        except Refusal as refusal:
            line.outcome, line["reason"] = "refused", refusal.reason.value
            problem = problem_of(refusal)
        except Exception as error:
            if is_out_of_reach(error):
                line.outcome = "unavailable"
            raise
        else:
            return
        finally:
            measures.NOTIFICATIONS.labels(outcome=line.outcome or "other").inc()
    raise problem


def _problem(error: NotTakenError, body: bytes) -> Problem:
    if error.why in _PROBLEMS:
        headers = {"WWW-Authenticate": "Leadservice-Secret"} if error.why is NotTaken.PROOF_INVALID else {}
        return Problem(_PROBLEMS[error.why], error.detail, headers=headers, code=error.why.value)
    kept: dict[str, Any] = {"code": error.why.value, "raw_id": str(error.raw_id)}
    try:
        json_body.check(body)
    except Refusal as refusal:
        problem = problem_of(refusal)
        extensions: dict[str, Any] = {**problem.extensions, **kept}
        return Problem(problem.kind, problem.detail, **extensions)
    return Problem(INVALID, errors=[FieldError(error.detail, error.why.value, pointer="/leadId")], **kept)


def _found(standing: Any) -> Any:
    if standing is None:
        raise Problem(NOT_FOUND)
    return standing
