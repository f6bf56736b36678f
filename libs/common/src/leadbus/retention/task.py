"""The task that applies the rules."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from leadbus import metrics
from leadbus.clock import Clock
from leadbus.db import Database
from leadbus.log import logger
from leadbus.retention.rule import Pace, Rule

REMOVED = metrics.counter(
    "leadbus_retention_removed_rows_total",
    "Rows (of `…_bytes`: contents of rows) that left because they were old enough.",
    labels={"table": metrics.configured("tables of the service", 40)},
)
OLDEST_AGE = metrics.gauge(
    "leadbus_retention_oldest_age_seconds",
    "Age of the oldest thing a rule is about, 0 without any. Beyond its days: retention is behind, or the "
    "thing is not finished and stays.",
    labels={"rule": metrics.configured("retention rules of the service", 40)},
)

_log = logger("retention")


class Retention:
    """A supervised task. Age is counted by the service's clock; every batch is a transaction of its own."""

    def __init__(
        self,
        database: Database,
        rules: Sequence[Rule],
        *,
        clock: Clock,
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._rules = rules
        self._clock = clock
        self._pace = pace or Pace()

    async def run(self) -> None:
        """Apply the rules for ever."""
        while True:
            await self.prune()
            await asyncio.sleep(self._pace.interval_seconds)

    async def prune(self) -> Mapping[str, int]:
        """Let everything go that is old enough now; returns rows removed by table."""
        total = Counter[str]()
        for rule in self._rules:
            if rule.applies:
                total += await self._apply(rule)
            await self._measure(rule)
        return total

    async def _apply(self, rule: Rule) -> Counter[str]:
        """Batch after batch, until one finds nothing: what others hold is left for the next time."""
        before = self._clock.now() - timedelta(days=rule.days)
        total = Counter[str]()
        while batch := await self._batch(rule, before=before):
            total += batch
            await asyncio.sleep(self._pace.pause_seconds)
        if total:
            _log.info("retention.removed", rule=rule.name, days=rule.days, removed=dict(total))
        return total

    async def _batch(self, rule: Rule, *, before: datetime) -> Counter[str]:
        async with self._database.transaction() as conn:
            left = Counter(await rule.remove(conn, before, self._pace.batch_size))
        for table, rows in left.items():
            REMOVED.labels(table=table).inc(rows)
        return +left

    async def _measure(self, rule: Rule) -> None:
        async with self._database.acquire() as conn:
            oldest = await rule.oldest(conn)
        age = self._clock.now() - oldest if oldest else timedelta()
        OLDEST_AGE.labels(rule=rule.name).set(max(0.0, age.total_seconds()))
