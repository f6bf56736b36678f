"""Which due deliveries this process tries next: slots, turns, probes, and the committed intent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import Connection, Database, is_unavailable
from leadbus.delivery import machine, store
from leadbus.delivery.acting import Act
from leadbus.delivery.capacity import Pool
from leadbus.delivery.machine import Phase
from leadbus.delivery.recording import Happening, Rules, record


class Claiming:
    """``capacity`` tries at once, ``retry_share`` of them kept for retries. Raises ValueError."""

    def __init__(
        self,
        database: Database,
        rules: Rules,
        clock: Clock,
        *,
        capacity: int,
        retry_share: float,
        destination_share: float,
        lease_seconds: float,
    ) -> None:
        if capacity < 2 or not 0 < retry_share < 1:
            raise ValueError("first tries and retries need at least one slot each")
        for_retries = min(capacity - 1, max(1, round(capacity * retry_share)))
        self._database = database
        self._rules = rules
        self._clock = clock
        self._pools = {
            Phase.QUEUED: Pool(capacity - for_retries, destination_share=destination_share),
            Phase.WAITING: Pool(for_retries, destination_share=destination_share),
        }
        self._lease_seconds = lease_seconds
        self._unsure_leases: list[store.Lease] = []

    async def claim(self, begin: Callable[[Act], None]) -> int:
        """Claim what is due as far as there are slots, ``begin`` each try; how many there were.

        The slot of a try that began is given back by whoever records its end.
        """
        began = time.monotonic()
        now = self._clock.now()
        wanted: list[tuple[store.Candidate, Pool]] = []
        acts: list[Act] = []
        try:
            async with self._database.acquire() as conn:
                for phase, pool in self._pools.items():
                    if pool.free:
                        found = await store.candidates(
                            conn, phase, now=now, after=pool.served_last, full=pool.full(), room=pool.free
                        )
                        wanted += [(candidate, pool) for candidate in pool.take(found)]
                if wanted:
                    acts = await self._start(conn, wanted, began)
                for act in acts:
                    begin(act)
        finally:
            started = {act.row.id for act in acts}
            for candidate, pool in wanted:
                if candidate.id not in started:
                    pool.give_back(candidate.destination)
        return len(acts)

    async def give_back_unsure(self) -> None:
        """Claims whose commit was not heard of: if they happened, undo them as never acted upon."""
        if not self._unsure_leases:
            return
        tokens = {token for _, token in self._unsure_leases}
        now = self._clock.now()
        async with self._database.transaction() as conn:
            locked = await store.lock(conn, [delivery_id for delivery_id, _ in self._unsure_leases])
            unacted = [
                Happening(row, machine.NotActed(), _not_acted(row, now))
                for row in locked
                if row.lease_token in tokens
            ]
            await record(conn, self._rules, unacted, now=now)
        self._unsure_leases.clear()

    async def _start(
        self, conn: Connection, wanted: Sequence[tuple[store.Candidate, Pool]], began: float
    ) -> list[Act]:
        """Commit the intent: after this, whatever happens to this process, the try is known."""
        now = self._clock.now()
        pools = {candidate.id: pool for candidate, pool in wanted}
        leases: list[store.Lease] = []
        try:
            async with conn.transaction():
                allowed = await self._take_probes(conn, [candidate for candidate, _ in wanted])
                leases = [(delivery_id, uuid4()) for delivery_id in allowed]
                rows = await store.start(conn, leases, now=now, lease_seconds=self._lease_seconds)
                checkpoint.passed("delivery.intent_written")
        except asyncpg.UniqueViolationError:
            # Another replica has something with the same ordering key in flight.
            return []
        except Exception as error:
            if is_unavailable(error):
                # It may have been committed all the same. Nobody acts on it, and only we know that.
                self._unsure_leases += leases
            raise
        checkpoint.passed("delivery.intent_committed")
        turn = {delivery_id: place for place, (delivery_id, _) in enumerate(leases)}
        rows.sort(key=lambda row: turn[row.id])
        return [Act(row, _token(row), pools[row.id], began) for row in rows]

    async def _take_probes(self, conn: Connection, wanted: Sequence[store.Candidate]) -> list[UUID]:
        """Those that may go: all to healthy destinations, one to each destination that is ours to probe."""
        now = self._clock.now()
        probing = {one.destination: one.id for one in reversed(wanted) if one.probing}
        again_at = now + timedelta(seconds=self._lease_seconds)
        ours = (
            await store.take_probes(conn, sorted(probing), now=now, again_at=again_at) if probing else set()
        )
        if ours:
            checkpoint.passed("delivery.probed")
        probes = [probing[name] for name in ours]
        return [one.id for one in wanted if not one.probing] + probes


def _token(row: store.Row) -> UUID:
    assert row.lease_token is not None
    return row.lease_token


def _not_acted(row: store.Row, now: datetime) -> store.AttemptEnd:
    return store.AttemptEnd(
        delivery_id=row.id,
        n=row.state.attempts,
        finished_at=now,
        duration_ms=0,
        outcome="not_acted",
        reason=None,
        answer="",
        ambiguous=False,
    )
