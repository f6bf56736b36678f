"""What operators see and do; every act is audited in its own transaction."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from leadbus.clock import Clock
from leadbus.db import Database
from leadbus.web import Actor, audit

from ingest.bdk.health import start_anew
from ingest.bdk.reading import Wake
from ingest.bdk.standing import Standing, standings_of
from ingest.store import bdk_connections, bdk_cursors, bdk_reads


class Desk:
    """Everything answers None where there is no such connection or read."""

    def __init__(self, database: Database, *, clock: Clock, wake: Wake) -> None:
        self.database = database
        self._clock = clock
        self._wake = wake

    async def standings(self) -> list[Standing]:
        async with self.database.acquire() as conn:
            return await standings_of(conn, await bdk_connections.in_force(conn), self._clock.now())

    async def standing(self, name: str) -> Standing | None:
        async with self.database.acquire() as conn:
            connection = await bdk_connections.find(conn, name)
            if connection is None:
                return None
            (standing,) = await standings_of(conn, [connection], self._clock.now())
            return standing

    async def resume(self, name: str, actor: Actor) -> Standing | None:
        """Nothing is held any more, and lists are asked for at once."""
        async with self.database.transaction() as conn:
            connection = await bdk_connections.find(conn, name)
            if connection is None:
                return None
            now = self._clock.now()
            await start_anew(conn, name, now)
            await bdk_cursors.due_at_once(conn, name, connection.spec.listed, now)
            await audit(conn, actor, "bdk.resume", f"BdkConnection/{name}")
        self._wake()
        return await self.standing(name)

    async def reconcile(self, name: str, since: datetime | None, actor: Actor) -> Standing | None:
        async with self.database.transaction() as conn:
            connection = await bdk_connections.find(conn, name)
            if connection is None:
                return None
            listed = connection.spec.listed
            await bdk_cursors.due_at_once(conn, name, listed, self._clock.now(), since=since)
            detail = {"since": since.isoformat() if since else None}
            await audit(conn, actor, "bdk.reconcile", f"BdkConnection/{name}", detail)
        return await self.standing(name)

    async def retry(self, read_id: UUID, actor: Actor) -> str | None:
        """The read's connection."""
        async with self.database.transaction() as conn:
            name = await bdk_reads.retry(conn, read_id, self._clock.now())
            if name is not None:
                await audit(conn, actor, "bdk.retry", f"bdk_read/{read_id}", {"connection": name})
        self._wake()
        return name

    async def discard(self, read_id: UUID, actor: Actor) -> str | None:
        """The read's connection; None too where it is done or given up for good already."""
        async with self.database.transaction() as conn:
            name = await bdk_reads.discard(conn, read_id)
            if name is not None:
                await audit(conn, actor, "bdk.discard", f"bdk_read/{read_id}", {"connection": name})
        return name
