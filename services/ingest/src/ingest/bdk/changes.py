"""What a change of a ``BdkConnection`` setting does, in its own transaction."""

from __future__ import annotations

from datetime import timedelta

from leadbus.clock import Clock
from leadbus.db import Connection

from ingest.bdk.health import start_anew
from ingest.bdk.setting import BdkConnection, OnChange
from ingest.store import bdk_connections, bdk_cursors


def on_change(clock: Clock) -> OnChange:
    """A changed connection starts anew and lists what it has; a deleted one is forgotten but for how far its
    lists are known and what was fetched."""

    async def changed(conn: Connection, name: str, _old: object, new: BdkConnection | None) -> None:
        if new is None:
            await bdk_connections.remove(conn, name)
            return
        now = clock.now()
        await start_anew(conn, name, now)
        first = now - timedelta(hours=new.reconciliation.first_hours)
        await bdk_cursors.ensure(conn, name, new.listed, known_until=first, now=now)
        await bdk_cursors.due_at_once(conn, name, new.listed, now)

    return changed
