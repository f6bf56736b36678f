"""Leads that cannot be found yet: stored by an earlier release, or under another key."""

from __future__ import annotations

import asyncio

from leadbus.db import Connection, Database

from normalizer import reporting
from normalizer.domain.terms import Terms
from normalizer.store import leads, terms
from normalizer.transactions import in_transaction

BATCH = 200


class Indexing:
    """Makes terms and states of leads anew, a batch per transaction, until all are of today's rules and key.

    Which ones is read from the leads themselves, so a kill, a second replica or a key changed half-way need
    no care. Two replicas with different keys would undo each other's work: a key is changed everywhere.
    """

    def __init__(
        self,
        database: Database,
        made_by: Terms,
        *,
        poll_seconds: float = 60.0,
        pause_seconds: float = 0.05,
    ) -> None:
        self._database = database
        self._terms = made_by
        self._poll_seconds = poll_seconds
        self._pause_seconds = pause_seconds

    async def run(self) -> None:
        """Look for such leads for ever."""
        while True:
            await self._count()
            if not await self._index_until_counted_again():
                await asyncio.sleep(self._poll_seconds)

    async def _index_until_counted_again(self) -> bool:
        """Batches until none is left or a poll has passed; was there any? A count reads all that are left."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._poll_seconds
        any_done = False
        while await self.index():
            any_done = True
            await asyncio.sleep(self._pause_seconds)
            if loop.time() > until:
                break
        return any_done

    async def index(self) -> int:
        """Do one batch; returns how many leads were in it."""
        return await in_transaction(self._database, self._index)

    async def _index(self, conn: Connection) -> int:
        found = await terms.outdated(conn, self._terms.mark, BATCH, keyed=self._terms.key is not None)
        held = await leads.lock(conn, found)
        if held:
            made = [(lead_id, self._terms.of(one.lead)) for lead_id, one in held.items()]
            await terms.remake(conn, made, self._terms.mark)
        return len(held)

    async def _count(self) -> None:
        async with self._database.acquire() as conn:
            reporting.UNINDEXED.set(await terms.left(conn, self._terms.mark))
