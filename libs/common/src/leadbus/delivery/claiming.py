"""Which due deliveries this process tries next: slots, turns, probes, and the committed intent."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import asyncpg

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import Connection, Database, is_unavailable
from leadbus.delivery import destinations, limits, machine, store
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
                allowed, gates = await self._pass_gates(conn, [candidate for candidate, _ in wanted])
                leases = [(candidate.id, uuid4()) for candidate in allowed]
                rows = await store.start(conn, leases, now=now, lease_seconds=self._lease_seconds)
                await _note_paces(conn, gates, rows, now)
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

    async def _pass_gates(
        self, conn: Connection, wanted: Sequence[store.Candidate]
    ) -> tuple[list[store.Candidate], Mapping[str, destinations.Gate]]:
        """Those that may go, in the order wanted: one to each destination that is ours to probe, to those
        with limits as many as there is room for, and all to the others."""
        probes = {one.destination: one.id for one in reversed(wanted) if one.probing}
        gated = {one.destination for one in wanted if one.probing or one.limited}
        if not gated:
            return list(wanted), {}
        now = self._clock.now()
        gates = await destinations.lock_gates(conn, gated, now=now)
        busy = await destinations.in_flight(conn, gated)
        rooms = {name: gate.limits.room(in_flight=busy.get(name, 0), now=now) for name, gate in gates.items()}
        open_ = [one for one in wanted if not one.probing or _probes(one, probes, gates)]
        allowed = {one.id for one in limits.within(open_, rooms)}
        passed = [one for one in open_ if one.id in allowed]
        ours = [one.destination for one in passed if one.probing]
        if ours:
            again_at = now + timedelta(seconds=self._lease_seconds)
            await destinations.take_probes(conn, ours, again_at=again_at)
            checkpoint.passed("delivery.probed")
        return passed, gates


def _probes(one: store.Candidate, probes: Mapping[str, UUID], gates: Mapping[str, destinations.Gate]) -> bool:
    """Others may have made the probe meanwhile, or ended the need for one."""
    gate = gates.get(one.destination)
    return probes[one.destination] == one.id and gate is not None and gate.probe_due


async def _note_paces(
    conn: Connection, gates: Mapping[str, destinations.Gate], rows: Sequence[store.Row], now: datetime
) -> None:
    started = Counter(row.destination for row in rows)
    paces = {
        name: gate.limits.after(started[name], now=now).next_start_at
        for name, gate in gates.items()
        if gate.limits.per_minute is not None and started[name]
    }
    if paces:
        await destinations.write_paces(conn, paces)


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
