"""`/v1/parked` and `/v1/unrouted`: what lies there. What is done about it is a job."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from leadbus.db import Database
from leadbus.messages import IncomingMessage
from leadbus.parked.held import ID_LENGTH
from leadbus.parked.looking import MOST_MESSAGES, HeldMessage, Looker
from leadbus.parked.origin import Unproven, as_before, as_published
from leadbus.parked.problems import guarded
from leadbus.parked.reader import HoldingReader, NoQueue, NoQueueCode
from leadbus.topology.declaration import UNROUTED, parked
from leadbus.web.audit import record as audit
from leadbus.web.download import download
from leadbus.web.lists import DEFAULT_LIMIT, MAX_LIMIT, Page, of_cursor, to_cursor
from leadbus.web.problems import (
    INVALID_CURSOR,
    NOT_FOUND,
    UNKNOWN_PARAMETER,
    Problem,
    problem_responses,
)
from leadbus.web.tokens import Actor, require

Viewer = Annotated[Actor, require("viewer")]
Operator = Annotated[Actor, require("operator")]
Id = Annotated[str, Path(pattern=rf"^[0-9a-f]{{{ID_LENGTH}}}$")]
QueueName = Annotated[str, Path(max_length=200, pattern=r"^[a-z0-9.-]+$", description="As consumed from.")]
_GRAMMAR = frozenset({"limit", "cursor"})
_UNSEEN = "does not see messages that nobody could read"


class HoldingQueue(BaseModel):
    """A queue whose messages wait for a person."""

    queue: str = Field(description="The queue they were consumed from; or `leadbus.unrouted`.")
    messages: int | None = Field(description="null: the queue cannot be read.")
    unreadable: NoQueueCode | None = Field(
        None,
        description="Why it cannot be read. no_queue: it is not there; not_allowed: to this service.",
    )


class HoldingQueues(BaseModel):
    items: list[HoldingQueue]


class Part:
    """Which part of a queue is asked for; a FastAPI dependency. Refuses parameters it does not know."""

    def __init__(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
        cursor: Annotated[
            str | None, Query(max_length=100, description="`next_cursor` of the page before.")
        ] = None,
    ) -> None:
        if request.query_params.keys() - _GRAMMAR:
            raise Problem(UNKNOWN_PARAMETER, "known parameters: cursor, limit", parameters=sorted(_GRAMMAR))
        self.limit = limit
        self.skip = 0 if cursor is None else _position(cursor)


def parked_router(database: Database, reader: HoldingReader, queues: list[str]) -> APIRouter:
    """Routes under ``/v1/parked`` for the service's own queues."""
    api = APIRouter()
    lookers = {queue: Looker(reader, parked(queue), _refusal_of(queue)) for queue in queues}

    def looker(queue: str) -> Looker:
        if queue not in lookers:
            raise Problem(NOT_FOUND, f"queues of this service: {', '.join(sorted(lookers))}")
        return lookers[queue]

    @api.get("/v1/parked", tags=["parked"], responses=problem_responses(503))
    async def parked_queues(actor: Viewer) -> HoldingQueues:
        """How much lies in the parked queues."""
        return await _depths(lookers, actor)

    @api.get("/v1/parked/{queue}", tags=["parked"], responses=problem_responses(404, 503))
    async def list_parked(
        queue: QueueName, part: Annotated[Part, Depends()], actor: Viewer
    ) -> Page[HeldMessage]:
        """Parked messages, the oldest first, without their content. Only the first 5,000 are within reach."""
        return await _page(looker(queue), part, actor)

    @api.get("/v1/parked/{queue}/{held_id}", tags=["parked"], responses=problem_responses(404, 503))
    async def show_parked(queue: QueueName, held_id: Id, actor: Viewer) -> HeldMessage:
        """One parked message, without its content."""
        return await _one(looker(queue), held_id, actor)

    @api.get(
        "/v1/parked/{queue}/{held_id}/body",
        tags=["parked"],
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}, **problem_responses(404, 503)},
    )
    async def parked_body(queue: QueueName, held_id: Id, actor: Operator) -> Response:
        """Its bytes as they came. Holds personal data; who asked is put on record."""
        return await _body(database, looker(queue), f"parked/{parked(queue)}/{held_id}", held_id, actor)

    return api


def unrouted_router(database: Database, reader: HoldingReader) -> APIRouter:
    """Routes under ``/v1/unrouted``."""
    api = APIRouter()
    looker = Looker(reader, UNROUTED, _refusal(as_published))

    @api.get("/v1/unrouted", tags=["unrouted"], responses=problem_responses(503))
    async def list_unrouted(part: Annotated[Part, Depends()], actor: Viewer) -> Page[HeldMessage]:
        """Raw messages that no queue was bound for, the oldest first, without their content."""
        return await _page(looker, part, actor)

    @api.get("/v1/unrouted/{held_id}", tags=["unrouted"], responses=problem_responses(404, 503))
    async def show_unrouted(held_id: Id, actor: Viewer) -> HeldMessage:
        """One unrouted message, without its content."""
        return await _one(looker, held_id, actor)

    @api.get(
        "/v1/unrouted/{held_id}/body",
        tags=["unrouted"],
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}, **problem_responses(404, 503)},
    )
    async def unrouted_body(held_id: Id, actor: Operator) -> Response:
        """Its bytes as they came. Holds personal data; who asked is put on record."""
        return await _body(database, looker, f"parked/{UNROUTED}/{held_id}", held_id, actor)

    return api


async def _depths(lookers: Mapping[str, Looker], actor: Actor) -> HoldingQueues:
    actor.must_be_unlimited(_UNSEEN)
    with guarded():
        return HoldingQueues(items=[await _depth(queue, looker) for queue, looker in sorted(lookers.items())])


async def _depth(queue: str, looker: Looker) -> HoldingQueue:
    try:
        return HoldingQueue(queue=queue, messages=await looker.depth())
    except NoQueue as missing:
        return HoldingQueue(queue=queue, messages=None, unreadable=missing.code)


async def _page(looker: Looker, part: Part, actor: Actor) -> Page[HeldMessage]:
    actor.must_be_unlimited(_UNSEEN)
    with guarded():
        looked = await looker.look(skip=part.skip, limit=part.limit)
    end = part.skip + len(looked.messages)
    return Page(items=looked.messages, next_cursor=to_cursor(["position", end]) if looked.more else None)


async def _one(looker: Looker, held_id: str, actor: Actor) -> HeldMessage:
    actor.must_see(None)
    with guarded():
        found = await looker.find(frozenset({held_id}))
    if not found:
        raise Problem(NOT_FOUND)
    return found[0]


async def _body(database: Database, looker: Looker, object_: str, held_id: str, actor: Actor) -> Response:
    actor.must_see(None)
    with guarded():
        body = await looker.body(held_id)
    if body is None:
        raise Problem(NOT_FOUND)
    async with database.transaction() as conn:
        await audit(conn, actor, "parked.read_body", object_)
    return download(body, f"{held_id}.raw")


def _refusal_of(queue: str) -> Callable[[IncomingMessage], str | None]:
    return _refusal(lambda message: as_before(queue, message))


def _refusal(prove: Callable[[IncomingMessage], Any]) -> Callable[[IncomingMessage], str | None]:
    def refusal(message: IncomingMessage) -> str | None:
        try:
            prove(message)
        except Unproven as unproven:
            return unproven.code
        return None

    return refusal


def _position(cursor: str) -> int:
    """Raises Problem invalid-cursor for what ``_page`` did not say."""
    match of_cursor(cursor):
        case ["position", int(position)] if not isinstance(position, bool) and 0 <= position <= MOST_MESSAGES:
            return position
    raise Problem(INVALID_CURSOR)
