"""Gauges that only the database knows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from leadbus.clock import Clock
from leadbus.db import Database

from normalizer import reporting
from normalizer.store import knowledge, ledger, quarantine

_UNROUTED_WITHIN = timedelta(hours=24)


class Counting:
    """Counts what lies in quarantine, what no sink took, and leads that are told of and not here."""

    def __init__(self, database: Database, clock: Clock, *, interval_seconds: float = 15.0) -> None:
        self._database = database
        self._clock = clock
        self._interval_seconds = interval_seconds

    async def run(self) -> None:
        """Count for ever."""
        while True:
            await self.count()
            await asyncio.sleep(self._interval_seconds)

    async def count(self) -> None:
        async with self._database.acquire() as conn:
            reporting.report_open(await quarantine.open_counts(conn))
            since = self._clock.now() - _UNROUTED_WITHIN
            reporting.UNROUTED.set(await ledger.unrouted(conn, since))
            reporting.report_waiting(await knowledge.waiting(conn), self._clock.now())
