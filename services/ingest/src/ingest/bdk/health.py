"""What an answer, or none, says about its connection."""

from __future__ import annotations

from datetime import datetime, timedelta

from leadbus.db import Connection, on_commit
from leadbus.log import logger

from ingest.bdk.outcome import Trouble, pause
from ingest.store import bdk_connections, bdk_reads
from ingest.store.bdk_connections import InForce

_log = logger("bdk")


async def note_answer(conn: Connection, connection: InForce) -> None:
    """It answered as it should."""
    if (connection.failures or connection.stopped_for) and await bdk_connections.answered(
        conn, connection.name
    ):
        on_commit(conn, lambda: _log.info("bdk.connection_well", connection=connection.name))


async def note_trouble(
    conn: Connection, connection: InForce, trouble: Trouble, now: datetime, *, jitter: float
) -> None:
    """Leave it alone where the trouble is the connection's; tell once where it needs a person."""
    step = pause(trouble, failures=connection.failures, jitter=jitter)
    if not (step.failed or step.wait_seconds):
        await note_answer(conn, connection)
        return
    until = now + timedelta(seconds=step.wait_seconds) if step.wait_seconds else None
    stopped = await bdk_connections.paused(
        conn, connection.name, step, reason=trouble.outcome, now=now, until=until
    )
    if stopped:
        on_commit(conn, lambda: _tell(connection.name, trouble))


async def start_anew(conn: Connection, name: str, now: datetime) -> None:
    """A person mended something: nothing waits any more."""
    await bdk_connections.reset(conn, name)
    await bdk_reads.wake(conn, name, now)


def _tell(name: str, trouble: Trouble) -> None:
    _log.error(
        "bdk.connection_needs_person",
        connection=name,
        reason=trouble.outcome,
        status=trouble.status,
        detail=trouble.detail,
    )
