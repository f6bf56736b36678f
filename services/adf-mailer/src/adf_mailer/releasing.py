"""Leads that no route took get their mails when one appears: found by what is stored, not by who changed it.

Each batch is a transaction of its own, so a kill leaves it whole; what others hold is theirs, so of many
replicas one does it. Why the skip stays as it is: docs/adr/0132-a-lead-that-no-route-took-is-planned-anew.md.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.contracts import Lead
from leadbus.db import Connection, Database
from leadbus.delivery import operations, store
from leadbus.delivery.machine import Phase
from leadbus.log import logger

from adf_mailer.domain.letter import delivery_key
from adf_mailer.domain.route import Route
from adf_mailer.domain.routing import Deliver, decide
from adf_mailer.metrics import RELEASED
from adf_mailer.planning import SINK, Planner
from adf_mailer.store import mails, routes, unrouted
from adf_mailer.store.unrouted import Unrouted

ACTOR = "adf-mailer.releasing"
"""In the audit, where a delivery is taken up again."""
POLL_SECONDS = 5.0
BATCH_SIZE = 50

_log = logger("adf-mailer")


class Releasing:
    """A supervised task. `wake` says that deliveries are due again."""

    def __init__(
        self,
        database: Database,
        planner: Planner,
        clock: Clock,
        wake: Callable[[], None],
        *,
        window_seconds: float,
        batch_size: int = BATCH_SIZE,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Leads skipped longer ago than `window_seconds` stay for an operator; 0: all."""
        self._database = database
        self._planner = planner
        self._clock = clock
        self._wake = wake
        self._window = timedelta(seconds=window_seconds)
        self._batch_size = batch_size
        self._poll_seconds = poll_seconds

    async def run(self) -> None:
        """Release for ever, or never where there is no window."""
        while True:
            if self._window:
                await self.release()
            await asyncio.sleep(self._poll_seconds)

    async def release(self) -> int:
        """Look at everything that is due, batch after batch; returns how many leads were released."""
        total, after_seq = 0, 0
        while True:
            since = self._clock.now() - self._window
            async with self._database.acquire() as conn:
                found = await unrouted.due(conn, after_seq=after_seq, since=since, limit=self._batch_size)
            if not found:
                return total
            after_seq = found[-1].seq
            async with self._database.transaction() as conn:
                released = await self._release(conn, await unrouted.hold(conn, found, since=since))
                checkpoint.passed("mailer.released")
            total += self._tell(released)

    def _tell(self, released: Sequence[tuple[Unrouted, Lead]]) -> int:
        reasons = {lead.lead_id: one.reason for one, lead in released if not lead.test}
        for reason, number in Counter(reasons.values()).items():
            RELEASED.labels(reason=reason).inc(number)
        leads = {lead.lead_id for _, lead in released}
        if leads:
            self._wake()
            _log.info("adf.released", outcome="released", leads=len(leads))
        return len(leads)

    async def _release(
        self, conn: Connection, held: Sequence[tuple[Unrouted, Lead]]
    ) -> list[tuple[Unrouted, Lead]]:
        """Plan what today's routes want of leads that are held; returns what was released."""
        leads = {lead.lead_id: lead for _, lead in held}
        if not leads:
            return []
        found = await routes.of_dealers(conn, {lead.dealer.dealer_id for lead in leads.values()})
        told = await mails.told(conn, leads)
        wanted = {lead_id: _wanted(lead, found) for lead_id, lead in leads.items() if not told.get(lead_id)}
        await self._place(conn, leads, wanted)
        released = [(one, lead) for one, lead in held if wanted.get(lead.lead_id)]
        done = {one.delivery_id for one, _ in released}
        marks = [(one.delivery_id, one.delivery_id in done) for one, _ in held]
        await unrouted.looked(conn, marks, now=self._clock.now())
        return released

    async def _place(
        self, conn: Connection, leads: Mapping[UUID, Lead], wanted: Mapping[UUID, Sequence[Deliver]]
    ) -> None:
        """What was skipped under the same key is taken up again; all else is planned."""
        decided = [(leads[lead_id], one) for lead_id, each in wanted.items() for one in each]
        keys = [delivery_key(lead, one.route, one.recipient) for lead, one in decided]
        locked = await store.lock(conn, await unrouted.skipped(conn, keys)) if keys else []
        again = [row for row in locked if row.state.phase is Phase.SKIPPED]
        await operations.redrive_all(
            conn, again, actor=ACTOR, sink=SINK, now=self._clock.now(), detail={"why": "a route appeared"}
        )
        known = {row.key for row in again}
        rest = [one for key, one in zip(keys, decided, strict=True) if key not in known]
        if rest:
            await self._planner.carry_out(conn, rest)


def _wanted(lead: Lead, found: Sequence[Route]) -> list[Deliver]:
    return [one for one in decide(lead, None, found, frozenset()) if isinstance(one, Deliver)]
