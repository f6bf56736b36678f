"""The operators' API of destinations, the same for every sink."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Response

from leadbus.clock import Clock
from leadbus.db import Connection, Database
from leadbus.delivery import destination_queries as queries
from leadbus.delivery import measures, steering
from leadbus.delivery.destination_queries import DESTINATIONS
from leadbus.delivery.destination_views import DestinationView, LimitsView, Pause
from leadbus.delivery.health import Change, Turn
from leadbus.delivery.limits import Limits
from leadbus.delivery.steering import NoSuchDestination
from leadbus.web.etag import Condition, etag_of, if_match, set_etag
from leadbus.web.lists import ListQuery, Page
from leadbus.web.problems import NOT_FOUND, Problem, problem_responses
from leadbus.web.tokens import Actor, require

T = TypeVar("T")

# Postgres text holds no NUL; the pattern says so to clients too.
Name = Annotated[str, Path(max_length=500, pattern=r"^[^\x00]+$")]


# Destinations belong to no dealer: pausing one stops everybody's deliveries there.
_UNSEEN = "sees no destinations"


def _viewer(actor: Annotated[Actor, require("viewer")]) -> Actor:
    actor.must_be_unlimited(_UNSEEN)
    return actor


def _operator(actor: Annotated[Actor, require("operator")]) -> Actor:
    actor.must_be_unlimited(_UNSEEN)
    return actor


Viewer = Annotated[Actor, Depends(_viewer)]
Operator = Annotated[Actor, Depends(_operator)]


class DestinationDesk:
    """What the routes do, apart from HTTP. ``wake`` is the engine's."""

    def __init__(self, database: Database, sink: str, wake: Callable[[], None], clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self._sink = sink
        self._wake = wake

    async def show(self, name: str) -> DestinationView:
        async with self.database.session() as session:
            return await _found(queries.destination(session, name, now=self.clock.now()))

    async def limits(self, name: str) -> LimitsView:
        async with self.database.session() as session:
            return await _found(queries.limits(session, name))

    async def pause(self, name: str, reason: str, actor: Actor) -> DestinationView:
        async with self.database.transaction() as conn:
            act = steering.pause(conn, name, actor=actor.subject, reason=reason, now=self.clock.now())
            new = await _found(act)
        self._count(name, Change.PAUSED, new)
        return await self.show(name)

    async def resume(self, name: str, actor: Actor) -> DestinationView:
        async with self.database.transaction() as conn:
            act = steering.resume(conn, name, actor=actor.subject, now=self.clock.now())
            new = await _found(act)
        self._count(name, Change.UNPAUSED, new)
        self._wake()
        return await self.show(name)

    async def limit(self, name: str, wanted: LimitsView, seen: Condition, actor: Actor) -> LimitsView:
        async with self.database.transaction() as conn:
            await self._check(conn, name, seen)
            limits = Limits(wanted.max_in_flight, wanted.per_minute)
            await steering.limit(conn, name, limits, actor=actor.subject)
        self._wake()
        return wanted

    async def _check(self, conn: Connection, name: str, seen: Condition) -> None:
        now = await _found(steering.lock_limits(conn, name))
        seen.check(tag_of(LimitsView(max_in_flight=now.max_in_flight, per_minute=now.per_minute)))

    def _count(self, name: str, change: Change, new: bool) -> None:
        if new:
            measures.count_turn(self._sink, Turn(name, change, self.clock.now()))


def tag_of(limits: LimitsView) -> str:
    return etag_of(limits.model_dump())


def add_destinations(api: APIRouter, desk: DestinationDesk) -> None:
    """Routes under ``/v1/destinations``."""
    _add_health(api, desk)
    _add_limits(api, desk)


def _add_health(api: APIRouter, desk: DestinationDesk) -> None:
    @api.get("/v1/destinations", tags=["destinations"])
    async def list_destinations(
        query: Annotated[ListQuery, Depends(DESTINATIONS)], actor: Viewer
    ) -> Page[DestinationView]:
        """Destinations, how they are, and what waits for them."""
        async with desk.database.session() as session:
            return await queries.destinations(session, query, now=desk.clock.now())

    @api.get("/v1/destinations/{name}", tags=["destinations"], responses=problem_responses(404))
    async def show_destination(name: Name, actor: Viewer) -> DestinationView:
        """One destination."""
        return await desk.show(name)

    @api.post("/v1/destinations/{name}/pause", tags=["destinations"], responses=problem_responses(404))
    async def pause_destination(name: Name, body: Pause, actor: Operator) -> DestinationView:
        """Send nothing there until resumed. What is being sent ends first."""
        return await desk.pause(name, body.reason, actor)

    @api.post("/v1/destinations/{name}/resume", tags=["destinations"], responses=problem_responses(404))
    async def resume_destination(name: Name, actor: Operator) -> DestinationView:
        """Lift the pause; one that is failing or suspended is probed at once."""
        return await desk.resume(name, actor)


def _add_limits(api: APIRouter, desk: DestinationDesk) -> None:
    @api.get("/v1/destinations/{name}/limits", tags=["destinations"], responses=problem_responses(404))
    async def show_limits(name: Name, actor: Viewer, response: Response) -> LimitsView:
        """How much it may be asked to take; the `ETag` is wanted back by PUT."""
        limits = await desk.limits(name)
        set_etag(response, tag_of(limits))
        return limits

    @api.put(
        "/v1/destinations/{name}/limits",
        tags=["destinations"],
        responses=problem_responses(404, 412, 428),
    )
    async def put_limits(
        name: Name,
        body: LimitsView,
        actor: Operator,
        seen: Annotated[Condition, if_match],
        response: Response,
    ) -> LimitsView:
        """Limit it from the next try on, in all replicas. What is left out or null is not limited."""
        limits = await desk.limit(name, body, seen, actor)
        set_etag(response, tag_of(limits))
        return limits


async def _found(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except NoSuchDestination:
        raise Problem(NOT_FOUND) from None
