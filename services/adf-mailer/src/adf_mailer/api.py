"""What operators ask beside deliveries and settings: the exact mail, and messages that could not be read."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from leadbus.clock import Clock
from leadbus.db import Connection, Database
from leadbus.web import Actor, Filter, Listing, ListQuery, Page, Problem, audit, problem_responses, require
from leadbus.web.problems import CONFLICT, NOT_FOUND, problem_type
from pydantic import BaseModel, ConfigDict
from sqlmodel import col

from adf_mailer.consumers import LeadsConsumer
from adf_mailer.store import bounces, mails, poison, unrouted
from adf_mailer.store.tables import PoisonRow

Viewer = Annotated[Actor, require("viewer")]
Operator = Annotated[Actor, require("operator")]
PoisonId = Annotated[int, Path(ge=1, lt=2**63)]
# What cannot be read belongs to no dealer.
_UNSEEN = "sees no poison"

MAIL_GONE = problem_type(
    "mail-gone",
    410,
    "The mail is gone",
    "Its lead was erased, or `ADF_MAILER_RETENTION_MAILS_DAYS` went by since its delivery ended.",
    "It cannot be shown any more, nor sent again as it was.",
)

POISON = Listing(
    key=PoisonRow.id,
    sorts={"at": PoisonRow.at},
    default_sort="-at",
    filters={
        "reason": Filter(str, PoisonRow.reason),
        "open": Filter(bool, description="Only those that wait for a decision, or only the others."),
    },
)


class PoisonView(BaseModel):
    """A message that could not be read; its bytes are kept and not shown."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)

    id: int
    at: datetime
    reason: str
    detail: str
    """Fields and kinds of error, never values."""
    routing_key: str
    sha256: str
    settled_at: datetime | None
    settled_as: Literal["retried", "discarded"] | None


def details(database: Database) -> Callable[[UUID], Any]:
    """What the story of a delivery says about its mails, its own first, and about what came back.

    Of a lead that no route took also when its dealer's routes were looked at again, and when one took it.
    """

    async def of(delivery_id: UUID) -> Mapping[str, Any]:
        async with database.acquire() as conn:
            looked = await unrouted.of(conn, delivery_id)
            again = {name: at and at.isoformat() for name, at in looked.items()} if looked else {}
            return {
                "mails": await mails.described(conn, delivery_id),
                "bounces": await bounces.of_delivery(conn, delivery_id),
                **again,
            }

    return of


async def redrivable(conn: Connection, delivery_id: UUID) -> None:
    """Raises Problem mail-gone: what is tried again are the same bytes, and they are no more."""
    if await mails.is_gone(conn, delivery_id):
        raise Problem(MAIL_GONE)


def router(database: Database, consumer: LeadsConsumer, clock: Clock) -> APIRouter:
    """`/v1/deliveries/{id}/mail` and `/v1/poison`."""
    api = APIRouter()
    _add_mail(api, database)
    _add_poison(api, database, consumer, clock)
    return api


def _add_mail(api: APIRouter, database: Database) -> None:
    @api.get(
        "/v1/deliveries/{delivery_id}/mail",
        tags=["deliveries"],
        responses={200: {"content": {"message/rfc822": {}}}, **problem_responses(404, 410)},
        response_class=Response,
    )
    async def show_mail(
        delivery_id: UUID,
        actor: Operator,
        repeat: Annotated[int, Query(ge=0, lt=2**31, description="0: the delivery's own mail.")] = 0,
    ) -> Response:
        """The exact bytes that were, or will be, sent. Holds personal data; who asked is put on record."""
        async with database.transaction() as conn:
            found = await mails.raw(conn, delivery_id, repeat)
            if found is None:
                raise Problem(NOT_FOUND)
            actor.must_see(found.dealer)
            if found.raw is None:
                raise Problem(MAIL_GONE)
            await audit(conn, actor, "delivery.mail_shown", f"delivery/{delivery_id}", {"repeat": repeat})
        return Response(found.raw, media_type="message/rfc822", headers={"Cache-Control": "no-store"})


def _add_poison(api: APIRouter, database: Database, consumer: LeadsConsumer, clock: Clock) -> None:
    @api.get("/v1/poison", tags=["poison"])
    async def list_poison(query: Annotated[ListQuery, Depends(POISON)], actor: Viewer) -> Page[PoisonView]:
        """Messages of `adf-mailer.leads` that could not be read, the newest first."""
        actor.must_be_unlimited(_UNSEEN)
        statement = poison.described(waiting=query.filters.get("open"))
        async with database.session() as session:
            return await query.page(session, statement, PoisonView.model_validate)

    @api.post("/v1/poison/{poison_id}/retry", tags=["poison"], responses=problem_responses(404, 409))
    async def retry_poison(poison_id: PoisonId, actor: Operator) -> PoisonView:
        """Take it as if it came now, after a release that can read it. Refused while it still cannot."""
        actor.must_be_unlimited(_UNSEEN)
        async with database.transaction() as conn:
            message = await poison.lock(conn, poison_id)
            if message is None:
                raise Problem(NOT_FOUND, "there is none that waits for a decision")
            taken = await consumer.take(conn, [consumer.read(message)])
            if taken.poison:
                raise Problem(CONFLICT, f"it still cannot be read: {taken.poison[0].reason}")
            await _settle(conn, poison_id, "retried", actor, clock)
        consumer.wake(taken)
        return await _view(database, poison_id)

    @api.post("/v1/poison/{poison_id}/discard", tags=["poison"], responses=problem_responses(404))
    async def discard_poison(poison_id: PoisonId, actor: Operator) -> PoisonView:
        """Nothing is to be made of it."""
        actor.must_be_unlimited(_UNSEEN)
        async with database.transaction() as conn:
            if await poison.lock(conn, poison_id) is None:
                raise Problem(NOT_FOUND, "there is none that waits for a decision")
            await _settle(conn, poison_id, "discarded", actor, clock)
        return await _view(database, poison_id)


async def _settle(conn: Connection, poison_id: int, settled_as: str, actor: Actor, clock: Clock) -> None:
    await poison.settle(conn, poison_id, settled_as, now=clock.now())
    await audit(conn, actor, f"poison.{settled_as}", f"poison/{poison_id}")


async def _view(database: Database, poison_id: int) -> PoisonView:
    async with database.session() as session:
        found = await session.execute(poison.described().where(col(PoisonRow.id) == poison_id))
        return PoisonView.model_validate(found.scalar_one())
