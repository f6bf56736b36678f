"""What operators ask: leads, their story, raw messages, the quarantine."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, exists, func, inspect, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from normalizer.store.tables import LeadRevisionRow, LeadRow, LedgerRow, QuarantineRow, RawRow

DeliveryState = Literal["waiting", "delivered", "failed", "unrouted"]


def delivery_state() -> ColumnElement[str]:
    """What the sinks made of a lead so far; `unrouted`: every one that spoke skipped it."""
    return case(
        (~_ledger_says(None), literal("waiting")),
        (_ledger_says("failed"), literal("failed")),
        (_ledger_says("delivered"), literal("delivered")),
        else_=literal("unrouted"),
    ).label("state")


def _ledger_says(state: str | None) -> Any:
    found = exists().where(col(LedgerRow.lead_id) == col(LeadRow.lead_id))
    return found if state is None else found.where(col(LedgerRow.state) == state)


def leads(dealers: Collection[str] | None, state: DeliveryState | None) -> Select[Any]:
    """Leads with their delivery state; `dealers` limits to those, `state` to leads in it."""
    statement: Any = select(LeadRow, delivery_state())
    if dealers is not None:
        statement = statement.where(col(LeadRow.dealer_id).in_(dealers))
    if state is not None:
        statement = statement.where(delivery_state() == state)
    return statement  # type: ignore[no-any-return]


async def lead(session: AsyncSession, lead_id: UUID) -> tuple[LeadRow, DeliveryState, dict[str, Any]] | None:
    """A lead, its delivery state, and the document of its last revision."""
    statement = (
        select(LeadRow, delivery_state(), col(LeadRevisionRow.document))
        .join(
            LeadRevisionRow,
            (col(LeadRevisionRow.lead_id) == col(LeadRow.lead_id))
            & (col(LeadRevisionRow.revision) == col(LeadRow.revision)),
        )
        .where(col(LeadRow.lead_id) == lead_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


async def revisions(session: AsyncSession, lead_id: UUID) -> Sequence[Any]:
    """(revision without its document, raw message without its body) in order."""
    statement = (
        select(
            col(LeadRevisionRow.revision),
            col(LeadRevisionRow.event_type),
            col(LeadRevisionRow.changed),
            col(LeadRevisionRow.at),
            col(LeadRevisionRow.raw_key),
            col(RawRow.wire_id),
            col(RawRow.source),
        )
        .join(RawRow, col(RawRow.raw_key) == col(LeadRevisionRow.raw_key))
        .where(col(LeadRevisionRow.lead_id) == lead_id)
        .order_by(col(LeadRevisionRow.revision))
    )
    return (await session.execute(statement)).all()


async def ledger(session: AsyncSession, lead_id: UUID) -> Sequence[LedgerRow]:
    """What each sink did with a lead, by sink and route."""
    statement = (
        select(LedgerRow)
        .where(col(LedgerRow.lead_id) == lead_id)
        .order_by(col(LedgerRow.sink), col(LedgerRow.route))
    )
    return (await session.execute(statement)).scalars().all()


_RAW_COLUMNS = [column for column in inspect(RawRow).columns if column.name not in {"body", "attributes"}]


async def raws(
    session: AsyncSession, raw_id: str, source: str | None = None, account: str | None = None
) -> Sequence[Any]:
    """Raw messages with this wire id, or the one with this key, first stored first; with lead's dealer.

    Rows have the columns of RawRow but `body` and `attributes`, and `dealer_id`.
    """
    named: ColumnElement[bool] = col(RawRow.wire_id) == raw_id
    with contextlib.suppress(ValueError):
        named = or_(col(RawRow.raw_key) == UUID(raw_id), named)
    statement = (
        select(*_RAW_COLUMNS, col(LeadRow.dealer_id))
        .join(LeadRow, col(LeadRow.lead_id) == col(RawRow.lead_id), isouter=True)
        .where(named)
        .order_by(col(RawRow.stored_at), col(RawRow.raw_key))
        .limit(100)
    )
    if source is not None:
        statement = statement.where(col(RawRow.source) == source)
    if account is not None:
        statement = statement.where(col(RawRow.account) == account)
    return (await session.execute(statement)).all()


async def quarantined(session: AsyncSession, raw_key: UUID) -> QuarantineRow | None:
    """The entry of a raw message."""
    return await session.get(QuarantineRow, raw_key)


async def open_counts(session: AsyncSession) -> Sequence[Any]:
    """Open entries by source and reason, most first."""
    entries = func.count().label("entries")
    statement = (
        select(col(QuarantineRow.source), col(QuarantineRow.reason), entries)
        .where(col(QuarantineRow.state) == "open")
        .group_by(col(QuarantineRow.source), col(QuarantineRow.reason))
        .order_by(entries.desc(), col(QuarantineRow.source), col(QuarantineRow.reason))
    )
    return (await session.execute(statement)).all()
