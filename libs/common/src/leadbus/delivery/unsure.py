"""Claims whose commit was not heard of: nobody acts on them, and only this process knows it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from leadbus.clock import Clock
from leadbus.db import Database
from leadbus.delivery import machine, store
from leadbus.delivery.recording import Happening, Rules, record

LOOK_EVERY_SECONDS = 1.0


class UnsureLeases:
    """Undoes such claims as never acted upon, as long as they may still come to be committed.

    A server that stood still may carry out a statement long after whoever sent it gave up waiting.
    """

    def __init__(self, database: Database, rules: Rules, clock: Clock, *, lease_seconds: float) -> None:
        self._database = database
        self._rules = rules
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._leases: dict[UUID, tuple[UUID, float]] = {}
        self._look_at = 0.0

    def add(self, leases: Sequence[store.Lease]) -> None:
        until = time.monotonic() + self._lease_seconds
        self._leases.update((token, (delivery_id, until)) for delivery_id, token in leases)
        self._look_at = 0.0

    async def give_back(self) -> bool:
        """Undo those that were committed; whether there were any, which are due again."""
        began = time.monotonic()
        if not self._leases or began < self._look_at:
            return False
        now = self._clock.now()
        async with self._database.transaction() as conn:
            locked = await store.lock(conn, [delivery_id for delivery_id, _ in self._leases.values()])
            unacted = [row for row in locked if row.lease_token in self._leases]
            undone = [Happening(row, machine.NotActed(), _not_acted(row, now)) for row in unacted]
            await record(conn, self._rules, undone, now=now)
        self._look_at = began + LOOK_EVERY_SECONDS
        tokens = {row.lease_token for row in unacted}
        self._leases = {
            token: (delivery_id, until)
            for token, (delivery_id, until) in self._leases.items()
            if token not in tokens and until > began
        }
        return bool(unacted)


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
