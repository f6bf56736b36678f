"""What operators do to destinations: pause, resume, limit. Everything is audited."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from leadbus.db import Connection
from leadbus.delivery.limits import Limits
from leadbus.web.audit import record as audit


class NoSuchDestination(LookupError):  # noqa: N818 -- it names a condition
    """No delivery was ever planned for this destination."""


_PAUSE = """
UPDATE destination SET paused_at = coalesce(paused_at, $2), pause_reason = $3 WHERE name = $1
"""
_RESUME = """
UPDATE destination SET paused_at = NULL, pause_reason = NULL,
    next_probe_at = CASE WHEN breaker = 'open' THEN $2 ELSE next_probe_at END
WHERE name = $1
"""
_LIMIT = """
UPDATE destination SET max_in_flight = $2, per_minute = $3,
    next_start_at = CASE WHEN $3::int IS NULL THEN NULL ELSE next_start_at END
WHERE name = $1
"""


async def pause(
    conn: Connection, destination: str, *, actor: str, reason: str, now: datetime | None = None
) -> bool:
    """Send nothing there until resumed; what is in flight ends. False when it was paused already.

    Raises NoSuchDestination.
    """
    before = await _lock(conn, destination)
    await conn.execute(_PAUSE, destination, now or datetime.now(UTC), reason)
    detail = {"was": before["health"], "reason": reason}
    await audit(conn, actor, "destination.pause", f"destination/{destination}", detail)
    return before["paused_at"] is None


async def resume(conn: Connection, destination: str, *, actor: str, now: datetime | None = None) -> bool:
    """Lift a pause, and probe at once what is failing or suspended. False when there was no pause.

    A suspension is not lifted by decree: the probe, made at once, does it. Raises NoSuchDestination.
    """
    before = await _lock(conn, destination)
    await conn.execute(_RESUME, destination, now or datetime.now(UTC))
    detail = {"was": before["health"]}
    await audit(conn, actor, "destination.resume", f"destination/{destination}", detail)
    return before["paused_at"] is not None


async def lock_limits(conn: Connection, destination: str) -> Limits:
    """The limits as they are, held until the end of the transaction. Raises NoSuchDestination."""
    row = await _lock(conn, destination)
    return Limits(row["max_in_flight"], row["per_minute"], row["next_start_at"])


async def limit(conn: Connection, destination: str, limits: Limits, *, actor: str) -> None:
    """Every claim from now on keeps to them, in all replicas; what is in flight ends.

    Raises NoSuchDestination.
    """
    before = await lock_limits(conn, destination)
    await conn.execute(_LIMIT, destination, limits.max_in_flight, limits.per_minute)
    detail = {"from": _said(before), "to": _said(limits)}
    await audit(conn, actor, "destination.limit", f"destination/{destination}", detail)


def _said(limits: Limits) -> dict[str, int | None]:
    return {"max_in_flight": limits.max_in_flight, "per_minute": limits.per_minute}


async def _lock(conn: Connection, destination: str) -> Any:
    row = await conn.fetchrow(
        "SELECT health, paused_at, max_in_flight, per_minute, next_start_at FROM destination"
        " WHERE name = $1 FOR UPDATE",
        destination,
    )
    if row is None:
        raise NoSuchDestination(destination)
    return row
