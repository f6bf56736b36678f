"""The task that applies the rules."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from leadbus import metrics
from leadbus.clock import Clock
from leadbus.db import Database, is_unavailable
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
FAILED = metrics.counter(
    "leadbus_retention_failed_total",
    "Times a rule failed though the database answers; the other rules were applied.",
    labels={"rule": metrics.configured("retention rules of the service", 40)},
)

T = TypeVar("T")
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
        """Let everything go that is old enough now; returns rows removed by table.

        A rule that raises does not stop the others. Raises what says that the database is away.
        """
        total = Counter[str]()
        for rule in self._rules:
            now = self._clock.now()
            if rule.applies:
                total += await self._guarded(rule, self._apply(rule, now)) or Counter()
            await self._guarded(rule, self._measure(rule, now))
        return total

    async def _guarded(self, rule: Rule, act: Coroutine[None, None, T]) -> T | None:
        """None when the rule failed, which is on record then."""
        try:
            return await act
        except Exception as error:
            # A statement that takes too long, or a lock, says "away" too: the database itself is asked.
            if is_unavailable(error) and not await self._database.ping():
                raise
            FAILED.labels(rule=rule.name).inc()
            _log.error("retention.rule_failed", rule=rule.name, exc_info=error)
            return None

    async def _apply(self, rule: Rule, now: datetime) -> Counter[str]:
        """Batch after batch, until one finds nothing: what others hold is left for the next time."""
        before = now - timedelta(days=rule.days)
        total = Counter[str]()
        try:
            while batch := await self._batch(rule, before=before):
                total += batch
                await asyncio.sleep(self._pace.pause_seconds)
        finally:
            if total:
                _log.info("retention.removed", rule=rule.name, days=rule.days, removed=dict(total))
        return total

    async def _batch(self, rule: Rule, *, before: datetime) -> Counter[str]:
        async with self._database.transaction() as conn:
            left = Counter(await rule.remove(conn, before, self._pace.batch_size))
        for table, rows in left.items():
            REMOVED.labels(table=table).inc(rows)
        return +left

    async def _measure(self, rule: Rule, now: datetime) -> None:
        async with self._database.acquire() as conn:
            oldest = await rule.oldest(conn)
        age = now - oldest if oldest else timedelta()
        OLDEST_AGE.labels(rule=rule.name).set(max(0.0, age.total_seconds()))
