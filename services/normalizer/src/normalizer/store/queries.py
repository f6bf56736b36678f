"""What operators ask: leads, their story, raw messages, the quarantine."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, inspect, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from normalizer.store.tables import (
    KnowledgeRow,
    LeadRevisionRow,
    LeadRow,
    LeadTermRow,
    LedgerRow,
    QuarantineRow,
    RawRow,
)

DeliveryState = Literal["waiting", "delivered", "failed", "unrouted"]
"""What the sinks made of a lead so far; `unrouted`: every one that spoke skipped it. Copies, notices and
warnings say nothing of it."""


def leads(dealers: Collection[str] | None) -> Select[Any]:
    """Leads; `dealers` limits to those."""
    return _of_dealers(select(LeadRow), dealers)


def leads_found(dealers: Collection[str] | None, terms: Sequence[Collection[str]]) -> Select[Any]:
    """Leads in the lists of all `terms`, each given in one or more writings (keys), as rows of LeadTermRow.

    The list of the first is walked in its own order; to be sorted and cut by the columns of LeadTermRow.
    """
    first, *others = terms
    statement: Any = select(LeadRow).join(LeadTermRow, col(LeadTermRow.lead_id) == col(LeadRow.lead_id))
    statement = statement.where(col(LeadTermRow.term).in_(first))
    for other in others:
        also = aliased(LeadTermRow)
        listed = exists().where(
            col(also.term).in_(other),
            col(also.received_at) == col(LeadTermRow.received_at),
            col(also.lead_id) == col(LeadTermRow.lead_id),
        )
        statement = statement.where(listed)
    return _of_dealers(statement, dealers)


def _of_dealers(statement: Any, dealers: Collection[str] | None) -> Select[Any]:
    if dealers is not None:
        statement = statement.where(col(LeadRow.dealer_id).in_(dealers))
    return statement  # type: ignore[no-any-return]


async def lead(session: AsyncSession, lead_id: UUID) -> tuple[LeadRow, dict[str, Any]] | None:
    """A lead, and the document of its last revision."""
    statement = (
        select(LeadRow, col(LeadRevisionRow.document))
        .join(
            LeadRevisionRow,
            (col(LeadRevisionRow.lead_id) == col(LeadRow.lead_id))
            & (col(LeadRevisionRow.revision) == col(LeadRow.revision)),
        )
        .where(col(LeadRow.lead_id) == lead_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def revisions(session: AsyncSession, lead_id: UUID) -> Sequence[Any]:
    """(revision without its document, raw message without its body) in order.

    Of a raw message that told of a linked lead only the key is left once that lead was forgotten.
    """
    statement = (
        select(
            col(LeadRevisionRow.revision),
            col(LeadRevisionRow.event_type),
            col(LeadRevisionRow.changed),
            col(LeadRevisionRow.at),
            col(LeadRevisionRow.raw_key),
            col(LeadRevisionRow.act_id),
            col(RawRow.wire_id),
            col(RawRow.source),
        )
        .join(RawRow, col(RawRow.raw_key) == col(LeadRevisionRow.raw_key), isouter=True)
        .where(col(LeadRevisionRow.lead_id) == lead_id)
        .order_by(col(LeadRevisionRow.revision))
    )
    return (await session.execute(statement)).all()


async def ledger(session: AsyncSession, lead_id: UUID) -> Sequence[LedgerRow]:
    """What each sink did with a lead, by sink, route and target."""
    statement = (
        select(LedgerRow)
        .where(col(LedgerRow.lead_id) == lead_id)
        .order_by(col(LedgerRow.sink), col(LedgerRow.route), col(LedgerRow.target))
    )
    return (await session.execute(statement)).scalars().all()


async def knowledge(session: AsyncSession, lead_id: UUID) -> Sequence[KnowledgeRow]:
    """What was told beside a lead, in the order of its processing."""
    statement = (
        select(KnowledgeRow).where(col(KnowledgeRow.lead_id) == lead_id).order_by(col(KnowledgeRow.place))
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


def trials() -> Select[Any]:
    """Raw messages of trials, which have no lead ever; with the verdict on those that would be none."""
    entry = (col(QuarantineRow.reason), col(QuarantineRow.field), col(QuarantineRow.detail))
    return (
        select(*_RAW_COLUMNS, *entry)
        .join(QuarantineRow, col(QuarantineRow.raw_key) == col(RawRow.raw_key), isouter=True)
        .where(col(RawRow.lead_id).is_(None), col(RawRow.trial))
    )


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
