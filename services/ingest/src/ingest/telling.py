"""Saying on ``leadbus.events`` that a connection needs a person, and that it does not any more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from leadbus.clock import Clock
from leadbus.db import Connection, Database
from leadbus.messages import OutgoingMessage
from leadbus.outbox import Outgoing

from ingest import events
from ingest.store import connection_told
from ingest.store.connection_told import Told

WhyNeeded = Callable[[Connection], Awaitable[Mapping[str, Sequence[str]]]]
"""Reasons by the names of those connections that need a person now."""


class Telling:
    """Compares how the connections of one kind stand with what was told; of all replicas one tells."""

    def __init__(
        self, database: Database, clock: Clock, kind: str, why: WhyNeeded, *, outgoing: Outgoing
    ) -> None:
        self._database = database
        self._clock = clock
        self._kind = kind
        self._why = why
        self._outgoing = outgoing

    async def tell(self, needed: Mapping[str, Sequence[str]]) -> None:
        """Whatever is news; `needed` is what `why` says, as seen just now."""
        async with self._database.acquire() as conn:
            told = await connection_told.told(conn, self._kind)
        for name in sorted(needed.keys() | told.keys()):
            if set(needed.get(name, ())) != set(told[name].reasons if name in told else ()):
                async with self._database.transaction() as conn:
                    await self._tell(conn, name)

    async def _tell(self, conn: Connection, name: str) -> None:
        before = await connection_told.hold(conn, self._kind, name)
        reasons = tuple((await self._why(conn)).get(name, ()))
        now = self._clock.now()
        connection = f"{self._kind}/{name}"
        told = Told(reasons, before.since if before else now) if reasons else None
        if told and not set(reasons) <= set(before.reasons if before else ()):
            await self._send(conn, events.connection_needs_person(connection, told, now))
        elif before and not told:
            await self._send(conn, events.connection_mended(connection, before, now))
        await connection_told.note(conn, self._kind, name, told)

    async def _send(self, conn: Connection, message: OutgoingMessage) -> None:
        await self._outgoing.writing([message]).write(conn)
