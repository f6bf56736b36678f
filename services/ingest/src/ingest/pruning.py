"""Forgets raw messages that were published long enough ago."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from leadbus.clock import Clock
from leadbus.db import Database

from ingest import metrics
from ingest.store import raws

BATCH = 500


class Pruning:
    """A supervised task. Messages that are not published are never deleted, however old."""

    def __init__(
        self, database: Database, *, retention_days: float, interval_seconds: float, clock: Clock
    ) -> None:
        self._database = database
        self._retention = timedelta(days=retention_days)
        self._interval_seconds = interval_seconds
        self._clock = clock

    async def run(self) -> None:
        while True:
            await self.prune()
            await asyncio.sleep(self._interval_seconds)

    async def prune(self) -> int:
        """Delete what is due, a batch per transaction; returns how many."""
        before = self._clock.now() - self._retention
        total = 0
        while True:
            async with self._database.acquire() as conn:
                deleted = await raws.prune(conn, before, BATCH)
            metrics.PRUNED.inc(deleted)
            total += deleted
            if deleted < BATCH:
                return total
