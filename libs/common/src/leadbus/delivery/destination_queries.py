"""What operators ask about destinations: how each is, and what waits for it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from leadbus.delivery.breaker import BreakerState
from leadbus.delivery.destination_views import DestinationView, LimitsView, OpenWork, limits_of
from leadbus.delivery.health import Condition
from leadbus.delivery.machine import Phase
from leadbus.delivery.steering import NoSuchDestination
from leadbus.delivery.tables import Delivery, Destination
from leadbus.web.lists import Filter, Listing, ListQuery, Page

DESTINATIONS = Listing(
    key=Destination.name,
    sorts={"name": Destination.name, "created_at": Destination.created_at},
    default_sort="name",
    filters={
        "health": Filter(Condition, Destination.health),
        "breaker": Filter(BreakerState, Destination.breaker),
    },
)
_COUNTED = {Phase.QUEUED: "queued", Phase.WAITING: "waiting", Phase.SENDING: "in_flight"}


async def destinations(session: AsyncSession, query: ListQuery, *, now: datetime) -> Page[DestinationView]:
    page = await query.page(session, select(Destination), lambda row: row)
    work = await _work(session, [row.name for row in page.items], now)
    return Page(
        items=[DestinationView.of(row, work[row.name]) for row in page.items], next_cursor=page.next_cursor
    )


async def destination(session: AsyncSession, name: str, *, now: datetime) -> DestinationView:
    """Raises NoSuchDestination."""
    row = await _row(session, name)
    return DestinationView.of(row, (await _work(session, [name], now))[name])


async def limits(session: AsyncSession, name: str) -> LimitsView:
    """Raises NoSuchDestination."""
    return limits_of(await _row(session, name))


async def _row(session: AsyncSession, name: str) -> Destination:
    row = await session.get(Destination, name)
    if row is None:
        raise NoSuchDestination(name)
    return row


async def _work(session: AsyncSession, names: Sequence[str], now: datetime) -> dict[str, OpenWork]:
    """Phase by phase, because each has an index of its own and the ended ones are in none of them."""
    work = {name: OpenWork() for name in names}
    for phase, counted in _COUNTED.items():
        found = await session.execute(
            select(col(Delivery.destination), func.count(), func.min(col(Delivery.not_before)))
            .where(col(Delivery.phase) == phase.value, col(Delivery.destination).in_(names))
            .group_by(col(Delivery.destination))
        )
        for name, number, earliest in found:
            setattr(work[name], counted, number)
            if phase is not Phase.SENDING and earliest <= now:
                age = (now - earliest).total_seconds()
                work[name].oldest_due_age_seconds = max(age, work[name].oldest_due_age_seconds or 0.0)
    return work
