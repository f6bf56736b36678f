"""The operators' API of deliveries, the same for every sink; that of destinations is added to it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends

from leadbus.clock import Clock, SystemClock
from leadbus.db import Connection, Database
from leadbus.delivery import operations, queries
from leadbus.delivery.destination_routes import DestinationDesk, add_destinations
from leadbus.delivery.operations import NoSuchDelivery, OperationRefused
from leadbus.delivery.queries import DELIVERIES
from leadbus.delivery.views import DeliveryStory, DeliveryView
from leadbus.web.lists import ListQuery, Page
from leadbus.web.problems import NOT_FOUND, Problem, problem_responses, problem_type
from leadbus.web.tokens import Actor, require

IN_FLIGHT = problem_type(
    "delivery-in-flight",
    409,
    "The delivery is being sent",
    "A try is under way, and its answer is not known yet.",
    "Wait for the answer and decide again.",
)
ENDED = problem_type(
    "delivery-ended",
    409,
    "The delivery has ended",
    "It was delivered, failed, skipped or cancelled before.",
    "Read it; redrive it if it is to be sent (again).",
)
NO_DESTINATION = problem_type(
    "delivery-without-destination",
    409,
    "The delivery has no destination",
    "It was skipped because no route was found, so there is nowhere to send it.",
    "Make the route, then replay the raw message.",
)
_REFUSALS = {"in_flight": IN_FLIGHT, "finished": ENDED, "no_destination": NO_DESTINATION}

Details = Callable[[UUID], Awaitable[Mapping[str, Any]]]
"""What a sink adds to the story of a delivery, such as Message-ID and size of its mail."""
Redrivable = Callable[[Connection, UUID], Awaitable[None]]
"""Raises Problem where what a sink would have to send (again) is no more. The delivery is held meanwhile."""

Viewer = Annotated[Actor, require("viewer")]
Operator = Annotated[Actor, require("operator")]


def router(
    database: Database,
    *,
    sink: str,
    wake: Callable[[], None] = lambda: None,
    clock: Clock | None = None,
    details: Details | None = None,
    redrivable: Redrivable | None = None,
) -> APIRouter:
    """Routes under ``/v1/deliveries`` and ``/v1/destinations``. ``wake`` is the engine's."""
    api = APIRouter()
    clock = clock or SystemClock()
    desk = _Desk(database, sink, wake, clock, details, redrivable)
    _add_deliveries(api, desk)
    add_destinations(api, DestinationDesk(database, sink, wake, clock))
    return api


class _Desk:
    """What the routes do, apart from HTTP."""

    def __init__(
        self,
        database: Database,
        sink: str,
        wake: Callable[[], None],
        clock: Clock,
        details: Details | None,
        redrivable: Redrivable | None,
    ) -> None:
        self.database = database
        self.wake = wake
        self.clock = clock
        self._sink = sink
        self._details = details
        self._redrivable = redrivable

    async def story(self, delivery_id: UUID, actor: Actor) -> DeliveryStory:
        details = dict(await self._details(delivery_id)) if self._details else {}
        async with self.database.session() as session:
            try:
                told = await queries.story(session, delivery_id, details)
            except NoSuchDelivery:
                raise Problem(NOT_FOUND) from None
        actor.must_see(told.dealer)
        return told

    async def redrive(self, conn: Connection, delivery_id: UUID, **by: Any) -> None:
        """In the transaction of `operate`, which a Problem undoes."""
        await operations.redrive(conn, delivery_id, **by)
        if self._redrivable is not None:
            await self._redrivable(conn, delivery_id)

    async def operate(
        self, operation: Callable[..., Awaitable[Any]], delivery_id: UUID, actor: Actor
    ) -> DeliveryView:
        await self._seen(delivery_id, actor)
        try:
            async with self.database.transaction() as conn:
                await operation(conn, delivery_id, actor=actor.subject, sink=self._sink, now=self.clock.now())
        except NoSuchDelivery:
            raise Problem(NOT_FOUND) from None
        except OperationRefused as refusal:
            raise Problem(_REFUSALS[refusal.code], str(refusal)) from None
        self.wake()
        return await self._seen(delivery_id, actor)

    async def _seen(self, delivery_id: UUID, actor: Actor) -> DeliveryView:
        async with self.database.session() as session:
            try:
                view = await queries.delivery(session, delivery_id)
            except NoSuchDelivery:
                raise Problem(NOT_FOUND) from None
        actor.must_see(view.dealer)
        return view


def _add_deliveries(api: APIRouter, desk: _Desk) -> None:
    @api.get("/v1/deliveries", tags=["deliveries"])
    async def list_deliveries(
        query: Annotated[ListQuery, Depends(DELIVERIES)], actor: Viewer
    ) -> Page[DeliveryView]:
        """Deliveries, the newest first."""
        async with desk.database.session() as session:
            return await queries.deliveries(session, query, actor)

    @api.get("/v1/deliveries/{delivery_id}", tags=["deliveries"], responses=problem_responses(404))
    async def show_delivery(delivery_id: UUID, actor: Viewer) -> DeliveryStory:
        """One delivery with its tries and what operators did to it."""
        return await desk.story(delivery_id, actor)

    @api.post(
        "/v1/deliveries/{delivery_id}/redrive",
        tags=["deliveries"],
        status_code=202,
        responses=problem_responses(404, 409, 410),
    )
    async def redrive_delivery(delivery_id: UUID, actor: Operator) -> DeliveryView:
        """Try now what was never accepted; repeat what was, and say in it that it is a repeat."""
        return await desk.operate(desk.redrive, delivery_id, actor)

    @api.post(
        "/v1/deliveries/{delivery_id}/cancel", tags=["deliveries"], responses=problem_responses(404, 409)
    )
    async def cancel_delivery(delivery_id: UUID, actor: Operator) -> DeliveryView:
        """Do not try it any more. Refused while it is being sent."""
        return await desk.operate(operations.cancel, delivery_id, actor)
