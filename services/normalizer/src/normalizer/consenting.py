"""Acts of consent reach every lead that they concern: rows first, then lead after lead.

An act is committed before any lead is touched, and where its walk has come is committed with what it changed.
So a kill, a second replica or an act that comes twice needs no care. Why:
docs/adr/0127-consent-is-acts-laid-over-leads.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadbus import outbox
from leadbus.clock import Clock
from leadbus.db import Connection, Database

from normalizer import events, reporting
from normalizer.domain.declarations import Declaration
from normalizer.domain.revisions import CONSENT_CHANGED, Revision
from normalizer.domain.terms import Terms
from normalizer.store import acts, consents, leads
from normalizer.store.acts import Waiting
from normalizer.store.leads import Known
from normalizer.surroundings import Surroundings, look_at_consents
from normalizer.transactions import in_transaction


@dataclass(frozen=True, slots=True)
class _Act:
    """An act of consent as the cause of events."""

    key: UUID
    test: bool = False

    @property
    def wire_id(self) -> str:
        return str(self.key)


class Consenting:
    """Records acts, lays them over leads; `keyed` are the terms that leads are found by, today's first."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keyed: Sequence[Terms] = (),
        *,
        outgoing: outbox.Outgoing | None = None,
        poll_seconds: float = 5.0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keyed = [terms for terms in keyed if terms.key is not None]
        self._outgoing = outgoing or outbox.LeftToClaims()
        self._poll_seconds = poll_seconds
        self._rung = asyncio.Event()

    async def declare(self, conn: Connection, declaration: Declaration) -> int:
        """Record what was declared, last in the caller's transaction; returns how many acts are new."""
        return await acts.record(conn, [declaration], self._clock.now())

    async def run(self) -> None:
        """Lay acts over leads for ever. The ring is a hint, the poll the guarantee."""
        while True:
            self._rung.clear()
            if await self.apply():
                continue
            await self._count()
            try:
                await asyncio.wait_for(self._rung.wait(), self._poll_seconds)
            except TimeoutError:
                continue

    async def listen(self) -> None:
        """Be rung by acts, wherever they are recorded."""
        await self._database.listen(acts.CHANNEL, self._rung.set)

    async def apply(self) -> bool:
        """Do one bounded batch of the oldest act that waits; was there any?"""
        done = await in_transaction(self._database, self._apply)
        if done is None:
            return False
        reporting.report_consents(*done)
        return True

    async def _apply(self, conn: Connection) -> tuple[Waiting, Sequence[Revision], bool] | None:
        """The act, what it changed, and whether that was the end of it."""
        act = await acts.next_waiting(conn)
        if act is None:
            return None
        now = self._clock.now()
        found = await acts.concerned(conn, act, self._keyed)
        held = await leads.lock(conn, found.lead_ids)
        around = await look_at_consents(conn, [one.as_told for one in held.values()])
        revisions = _revised(held, around, act.act_id)
        await self._write(conn, act.act_id, revisions, now)
        await consents.bind(conn, [one.lead for one in revisions if one.told_consent is not None])
        await acts.went_on(conn, act, found.reached, now)
        return act, revisions, act.again and found.reached is None

    async def _write(
        self, conn: Connection, act_id: UUID, revisions: Sequence[Revision], now: datetime
    ) -> None:
        if not revisions:
            return
        documents = [revision.lead.model_dump_json(exclude_none=True) for revision in revisions]
        await acts.revise(conn, act_id, revisions, documents, now)
        messages = [
            events.lead_event(revision, document, _Act(act_id), now)
            for revision, document in zip(revisions, documents, strict=True)
        ]
        await self._outgoing.writing(messages).write(conn)

    async def _count(self) -> None:
        async with self._database.acquire() as conn:
            reporting.report_oldest_act(await acts.oldest_waiting(conn), self._clock.now())


def _revised(held: Mapping[UUID, Known], around: Surroundings, act_id: UUID) -> list[Revision]:
    """A revision of each lead whose consent is another by now."""
    revisions = []
    for one in held.values():
        told = one.as_told
        holds = around.consent_of(told)
        if holds != one.lead.consent:
            lead = one.lead.model_copy(update={"consent": holds, "revision": one.lead.revision + 1})
            differs = told.consent if holds != told.consent else None
            revisions.append(Revision(lead, act_id, CONSENT_CHANGED, ("consent",), differs))
    return revisions
