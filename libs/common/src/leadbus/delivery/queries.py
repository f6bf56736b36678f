"""What operators ask: lists, and the story of one delivery."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from leadbus.delivery.machine import Phase
from leadbus.delivery.operations import NoSuchDelivery
from leadbus.delivery.tables import Attempt, Delivery
from leadbus.delivery.views import (
    ActView,
    AttemptView,
    DeliveryStory,
    DeliveryView,
)
from leadbus.web.audit import Audit
from leadbus.web.lists import Filter, Listing, ListQuery, Page
from leadbus.web.tokens import Actor

DELIVERIES = Listing(
    key=Delivery.id,
    # `seq` is the order of planning, and unique where planning times are not.
    sorts={"planned_at": Delivery.seq, "due_at": Delivery.not_before},
    default_sort="-planned_at",
    filters={
        "phase": Filter(Phase, Delivery.phase),
        "subject_id": Filter(str, Delivery.subject_id),
        "destination": Filter(str, Delivery.destination),
        "route": Filter(str, Delivery.route),
        "dealer": Filter(str, Delivery.dealer),
        "outcome": Filter(str, Delivery.outcome),
        "reason": Filter(str, Delivery.reason),
        "test": Filter(bool, Delivery.test),
        "planned_after": Filter(AwareDatetime, Delivery.planned_at, ">="),
        "planned_before": Filter(AwareDatetime, Delivery.planned_at, "<"),
    },
)


async def deliveries(session: AsyncSession, query: ListQuery, actor: Actor) -> Page[DeliveryView]:
    """The deliveries that the actor may see."""
    statement = select(Delivery)
    if actor.dealers is not None:
        statement = statement.where(col(Delivery.dealer).in_(actor.dealers))
    return await query.page(session, statement, DeliveryView.of)


async def delivery(session: AsyncSession, delivery_id: UUID) -> DeliveryView:
    """Raises NoSuchDelivery."""
    row = await session.get(Delivery, delivery_id)
    if row is None:
        raise NoSuchDelivery(delivery_id)
    return DeliveryView.of(row)


async def story(session: AsyncSession, delivery_id: UUID, details: dict[str, Any]) -> DeliveryStory:
    """One delivery with its tries and what operators did to it. Raises NoSuchDelivery."""
    told = await delivery(session, delivery_id)
    tries = await session.scalars(
        select(Attempt).where(col(Attempt.delivery_id) == delivery_id).order_by(col(Attempt.n))
    )
    acts = await session.scalars(
        select(Audit).where(col(Audit.object) == f"delivery/{delivery_id}").order_by(col(Audit.at))
    )
    return DeliveryStory(
        **dict(told),
        tries=[AttemptView.of(row) for row in tries],
        acts=[ActView(at=row.at, actor=row.actor, action=row.action, detail=row.detail) for row in acts],
        details=details,
    )
