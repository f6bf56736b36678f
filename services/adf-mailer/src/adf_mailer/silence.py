"""Dealers that usually have leads by now and have none today: asked for, and counted every now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from leadbus.clock import Clock
from leadbus.db import Database

from adf_mailer.domain.moment import zone
from adf_mailer.domain.silence import LOOKED_BACK_DAYS, Day, Standing, days, judge
from adf_mailer.metrics import SILENT_DEALERS
from adf_mailer.store import counting
from adf_mailer.store.counting import DealerSeen

_UTC = ZoneInfo("UTC")
# A day more than is looked back on: the dealer's midnight is not ours.
_SEEN_WITHIN = timedelta(days=LOOKED_BACK_DAYS + 1)
_DEALERS_AT_ONCE = 100
_FILLED_IN_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class DealerStanding:
    """A dealer that had leads in the last four weeks. `time_zone` is UTC where none is known."""

    dealer: str
    time_zone: str
    last_lead_at: datetime
    standing: Standing


class Silence:
    """Any replica may count, and all do: nothing is written but what older releases left out of leads."""

    def __init__(
        self, database: Database, clock: Clock, *, expected_leads: float, interval_seconds: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._expected_leads = expected_leads
        self._interval_seconds = interval_seconds

    async def run(self) -> None:
        """Count for ever."""
        while True:
            await self.count()
            await asyncio.sleep(self._interval_seconds)

    async def count(self) -> None:
        """Set the gauge."""
        await self._fill_in()
        found = await self.standings()
        SILENT_DEALERS.set(sum(one.standing.silent for one in found))

    async def standings(self, only: Sequence[str] | None = None) -> list[DealerStanding]:
        """Every dealer that had leads in the last four weeks, by name; of `only` those, where it is given."""
        now = self._clock.now()
        async with self._database.acquire() as conn:
            seen = await counting.dealers(conn, now - _SEEN_WITHIN, only)
        found = []
        for start in range(0, len(seen), _DEALERS_AT_ONCE):
            found += await self._judged(seen[start : start + _DEALERS_AT_ONCE], now)
        return found

    async def _judged(self, seen: Sequence[DealerSeen], now: datetime) -> list[DealerStanding]:
        zones = {dealer.name: zone(dealer.time_zone) or _UTC for dealer in seen}
        asked: Mapping[str, Sequence[Day]] = {
            dealer.name: days(dealer.first_lead_at, now, zones[dealer.name]) for dealer in seen
        }
        async with self._database.acquire() as conn:
            counted = await counting.counts(conn, asked)
        found = []
        for dealer in seen:
            *past, today = counted[dealer.name]
            standing = judge(past, today.date, today.whole, expected_leads=self._expected_leads)
            found.append(
                DealerStanding(
                    dealer.name, zones[dealer.name].key, dealer.last_lead_at.astimezone(UTC), standing
                )
            )
        return found

    async def _fill_in(self) -> None:
        """A release before this one may still be writing: so every time, and in small bites."""
        since = self._clock.now() - _SEEN_WITHIN
        filled = _FILLED_IN_AT_ONCE
        while filled == _FILLED_IN_AT_ONCE:
            async with self._database.acquire() as conn:
                filled = await counting.fill_in(conn, since, _FILLED_IN_AT_ONCE)
