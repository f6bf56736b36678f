"""What operators ask about consent: where contacts stand, and the acts that brought them there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from normalizer.store.tables import ConsentActRow, ConsentStandingRow

_MOST = 500


async def standings(session: AsyncSession, contacts: Sequence[str]) -> Sequence[Any]:
    """Rows of ConsentStandingRow of these contacts."""
    statement = (
        select(ConsentStandingRow)
        .where(col(ConsentStandingRow.contact).in_(contacts))
        .order_by(col(ConsentStandingRow.contact), col(ConsentStandingRow.purpose))
    )
    return (await session.execute(statement)).scalars().all()


async def acts(session: AsyncSession, contacts: Sequence[str]) -> Sequence[Any]:
    """Rows of ConsentActRow of these contacts, the latest first; of very many the latest."""
    statement = (
        select(ConsentActRow)
        .where(col(ConsentActRow.contact).in_(contacts))
        .order_by(col(ConsentActRow.act_no).desc())
        .limit(_MOST)
    )
    return (await session.execute(statement)).scalars().all()
