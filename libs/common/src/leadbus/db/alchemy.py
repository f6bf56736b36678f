"""SQLAlchemy over the same driver and the same URL as everything else."""

from __future__ import annotations

from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def engine_for(url: str, *, connect: dict[str, Any], **options: Any) -> AsyncEngine:
    """An engine whose connections asyncpg opens by itself.

    SQLAlchemy would read the URL its own way and know neither ``sslmode`` nor several hosts. ``connect`` are
    arguments of ``asyncpg.connect``, ``options`` of ``create_async_engine``.
    """

    async def connected() -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(url, **connect)

    return create_async_engine("postgresql+asyncpg://", async_creator=connected, **options)
