"""Row (f): what a lead costs the normalizer when many are stored already."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leadbus_devstack import databases

from tests.bench import leads, stored_leads
from tests.bench.drain import WARM_UP_MESSAGES, purge
from tests.bench.groups import Group, ratio_row, value_row
from tests.bench.normalizer_drain import QUEUES, TABLES, clean, drain, normalizer
from tests.bench.rig import NORMALIZER, Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row
from tests.bench.stored_leads import BASE

LEVELS = (1_000, 100_000, 1_000_000)
QUICK_LEVELS = (1_000, 100_000)
MESSAGES = 3000
_MEASURES, _UNIT = ("time", "cpu"), "µs"
_FIRST_NEW = leads.FIRST + 1_000_000


class StoredLeads:
    """The databases, each made when it is first needed. Numbers of leads are never used twice."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._made: dict[int, str] = {}
        self._next = _FIRST_NEW

    def numbers(self, count: int) -> int:
        """The first of `count` new ones."""
        first, self._next = self._next, self._next + count
        return first

    async def holding(self, level: int) -> str:
        """URL of a database with about `level` leads; what was drained into a large one stays there."""
        postgres_url = self._rig.servers.postgres_url
        if not self._made:
            await self._make_base()
        if level not in self._made or level == BASE:
            url = stored_leads.copy_of(postgres_url, self._rig.copies[0], self._new_name())
            if level > BASE:
                await stored_leads.multiply(url, level)
            # Else the next commits would wait behind what is on its way to the disk.
            await asyncio.to_thread(os.sync)
            self._made[level] = url
        return self._made[level]

    def _new_name(self) -> str:
        """Of a database of the normalizer, the first of them the base."""
        copies = self._rig.copies
        copies.append(f"{stored_leads.name_of(self._rig.database_url())}_{len(copies)}")
        return copies[-1]

    async def _make_base(self) -> None:
        rig = self._rig
        await clean(rig)
        await drain(rig, normalizer(rig), BASE - WARM_UP_MESSAGES)
        stored_leads.copy_of(
            rig.servers.postgres_url, stored_leads.name_of(rig.database_url()), self._new_name()
        )
        databases.execute(rig.database_url(), f"TRUNCATE {', '.join(TABLES)}")


@dataclass(frozen=True)
class GrowthCase:
    """µs per message, of the clock and of all CPUs together, with `level` leads stored."""

    rig: Rig
    stored: StoredLeads
    level: int
    messages: int

    @property
    def name(self) -> str:
        return f"stored_{self.level}"

    async def run(self) -> Mapping[str, float]:
        url = await self.stored.holding(self.level)
        await purge(self.rig.amqp_url, QUEUES)
        drained = await drain(
            self.rig,
            self.rig.service(NORMALIZER, {"DATABASE_URL": url}).process,
            self.messages,
            database_url=url,
            first=self.stored.numbers(WARM_UP_MESSAGES + self.messages),
        )
        used = {f"cpu_{role}": us for role, us in drained.cpu_us.items()}
        return {"time": 1e6 / drained.rate, "cpu": sum(used.values()), **used}


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    stored = StoredLeads(rig)
    messages = max(500, round(MESSAGES * scale))
    return [GrowthCase(rig, stored, level, messages) for level in (LEVELS if scale >= 1 else QUICK_LEVELS)]


def _rows(samples: Samples) -> list[Row]:
    cases = [name for name in samples if name.startswith("stored_")]
    ratios = [
        ratio_row(samples, f"growth_{measure}", cases[-1], cases[0], measure=measure, unit=f"{_UNIT}/message")
        for measure in _MEASURES
    ]
    return ratios + [
        value_row(samples, f"{name}_{measure}", name, measure, f"{_UNIT}/message")
        for name in cases
        for measure in _MEASURES
    ]


GROWTH = Group("growth", _cases, _rows)
