"""How each connection is, looked at now and then: gauges that only the database knows, and events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from leadbus.clock import Clock
from leadbus.db import Connection, Database
from leadbus.outbox import Outgoing

from ingest.bdk import measures
from ingest.bdk.setting import KIND
from ingest.bdk.standing import Standing, standings_of
from ingest.store import bdk_connections
from ingest.telling import Telling

INTERVAL_SECONDS = 15.0
_STATES = ("due", "held", "given_up")


class Measuring:
    """A supervised task: how each connection is."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        outgoing: Outgoing,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._telling = Telling(database, clock, KIND, self._needing, outgoing=outgoing)
        self._interval_seconds = interval_seconds
        self._shown: set[str] = set()

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            await self.measure()
            await asyncio.sleep(self._interval_seconds)

    async def measure(self) -> None:
        async with self._database.acquire() as conn:
            standings = await self._standings(conn)
        now = self._clock.now()
        for standing in standings:
            _show(standing.name, standing, now)
        for gone in self._shown - {standing.name for standing in standings}:
            _show(gone, None, now)
        self._shown = {standing.name for standing in standings}
        await self._telling.tell(_needing(standings))

    async def _standings(self, conn: Connection) -> list[Standing]:
        return await standings_of(conn, await bdk_connections.in_force(conn), self._clock.now())

    async def _needing(self, conn: Connection) -> dict[str, Sequence[str]]:
        return _needing(await self._standings(conn))


def _needing(standings: Sequence[Standing]) -> dict[str, Sequence[str]]:
    return {one.name: one.reasons_in_force for one in standings if one.reasons_in_force}


def _show(name: str, standing: Standing | None, now: datetime) -> None:
    numbers = standing.waiting if standing else {}
    for state in _STATES:
        measures.WAITING.labels(connection=name, state=state).set(numbers.get(state, 0))
    oldest = standing.oldest_due if standing else None
    known = standing.listed_until if standing else None
    measures.OLDEST.labels(connection=name).set(_age(oldest, now))
    measures.LISTED_AGE.labels(connection=name).set(_age(known, now))
    measures.NEEDS_PERSON.labels(connection=name).set(bool(standing and standing.reasons_in_force))


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0
