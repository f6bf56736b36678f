"""All SQL about destinations. What a row means is decided in ``health`` and ``limits``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from leadbus.db import Connection, Part
from leadbus.delivery.breaker import Breaker, BreakerState
from leadbus.delivery.health import Failure, Health, Suspension
from leadbus.delivery.limits import Limits

SUCCESS_NOTED_EVERY = timedelta(seconds=10)
"""A destination that takes hundreds a second is not written each time."""

_CONCERNED = """
SELECT name FROM destination
WHERE name = ANY($1::text[]) AND (consecutive_failures > 0 OR breaker <> 'closed' OR suspended_at IS NOT NULL)
    OR name = ANY($2::text[]) AND (last_success_at IS NULL OR last_success_at < $3)
"""

_LOCK_HEALTH = """
SELECT name, breaker, consecutive_failures, probes, opened_at, next_probe_at, suspended_at, suspended_reason,
    announcements, failed_at, failed_outcome, failed_reason, last_success_at
FROM destination WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE
"""

_WRITE_HEALTH = """
UPDATE destination SET breaker = new.breaker, consecutive_failures = new.consecutive_failures,
    probes = new.probes, opened_at = new.opened_at, next_probe_at = new.next_probe_at,
    suspended_at = new.suspended_at, suspended_reason = new.suspended_reason,
    announcements = new.announcements, failed_at = new.failed_at, failed_outcome = new.failed_outcome,
    failed_reason = new.failed_reason, last_success_at = new.last_success_at
FROM unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::timestamptz[], $6::timestamptz[],
            $7::timestamptz[], $8::text[], $9::int[], $10::timestamptz[], $11::text[], $12::text[],
            $13::timestamptz[])
    AS new (name, breaker, consecutive_failures, probes, opened_at, next_probe_at, suspended_at,
            suspended_reason, announcements, failed_at, failed_outcome, failed_reason, last_success_at)
WHERE destination.name = new.name
"""

_HELD = """
SELECT destination, count(*) AS number FROM delivery
WHERE phase IN ('queued', 'waiting') AND destination = ANY($1::text[]) GROUP BY 1
"""

_LOCK_GATES = """
SELECT name, max_in_flight, per_minute, next_start_at,
    breaker <> 'closed' AND paused_at IS NULL AND next_probe_at <= $2 AS probe_due
FROM destination WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE
"""

_IN_FLIGHT = """
SELECT destination, count(*) AS number FROM delivery
WHERE phase = 'sending' AND destination = ANY($1::text[]) GROUP BY 1
"""

_TAKE_PROBES = """
UPDATE destination SET breaker = 'half_open', next_probe_at = $2 WHERE name = ANY($1::text[])
"""

_WRITE_PACES = """
UPDATE destination SET next_start_at = new.next_start_at
FROM unnest($1::text[], $2::timestamptz[]) AS new (name, next_start_at)
WHERE destination.name = new.name
"""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a claim has to pass: whether a probe is due, and the limits."""

    probe_due: bool
    limits: Limits


async def concerned(
    conn: Connection, names: Collection[str], *, delivered: Collection[str], now: datetime
) -> set[str]:
    """Of these destinations, those that an answer would change; read without a lock, as most are healthy."""
    rows = await conn.fetch(_CONCERNED, list(names), list(delivered), now - SUCCESS_NOTED_EVERY)
    return {row["name"] for row in rows}


def concerning(names: Collection[str], *, delivered: Collection[str], now: datetime) -> Part:
    """``concerned`` as a part of a larger statement, which tells the names as ``concerned``."""
    return Part(
        f"concerned AS ({_CONCERNED})",
        (list(names), list(delivered), now - SUCCESS_NOTED_EVERY),
        "ARRAY(SELECT name FROM concerned) AS concerned",
    )


async def lock_health(conn: Connection, names: Collection[str]) -> list[Health]:
    return [_health(row) for row in await conn.fetch(_LOCK_HEALTH, sorted(names))]


async def write_health(conn: Connection, healths: Sequence[Health]) -> None:
    await conn.execute(
        _WRITE_HEALTH,
        [health.name for health in healths],
        [health.breaker.state.value for health in healths],
        [health.breaker.consecutive_failures for health in healths],
        [health.breaker.probes for health in healths],
        [health.opened_at for health in healths],
        [health.next_probe_at for health in healths],
        [health.suspension.since if health.suspension else None for health in healths],
        [health.suspension.reason if health.suspension else None for health in healths],
        [health.announcements for health in healths],
        [health.failure.at if health.failure else None for health in healths],
        [health.failure.outcome if health.failure else None for health in healths],
        [health.failure.reason if health.failure else None for health in healths],
        [health.last_success_at for health in healths],
    )


async def held(conn: Connection, names: Collection[str]) -> dict[str, int]:
    """How many deliveries wait, by destination; those without any are left out."""
    return {row["destination"]: row["number"] for row in await conn.fetch(_HELD, list(names))}


async def lock_gates(conn: Connection, names: Collection[str], *, now: datetime) -> dict[str, Gate]:
    """Lock destinations that probe or have limits, all in one order, until the claim is committed."""
    rows = await conn.fetch(_LOCK_GATES, sorted(names), now)
    return {
        row["name"]: Gate(
            bool(row["probe_due"]), Limits(row["max_in_flight"], row["per_minute"], row["next_start_at"])
        )
        for row in rows
    }


async def in_flight(conn: Connection, names: Collection[str]) -> dict[str, int]:
    """Tries that are being made, by destination. To be asked after the lock, in a statement of its own:
    one that had waited for the lock would still count what it saw before."""
    return {row["destination"]: row["number"] for row in await conn.fetch(_IN_FLIGHT, list(names))}


async def take_probes(conn: Connection, names: Collection[str], *, again_at: datetime) -> None:
    """The single probe of these locked destinations is ours to make."""
    await conn.execute(_TAKE_PROBES, list(names), again_at)


async def write_paces(conn: Connection, paces: Mapping[str, datetime | None]) -> None:
    await conn.execute(_WRITE_PACES, list(paces), list(paces.values()))


def _health(row: asyncpg.Record) -> Health:
    suspended, failed = row["suspended_at"], row["failed_at"]
    return Health(
        name=row["name"],
        breaker=Breaker(
            BreakerState(row["breaker"]),
            row["consecutive_failures"],
            row["probes"],
            suspended=suspended is not None,
        ),
        opened_at=row["opened_at"],
        next_probe_at=row["next_probe_at"],
        suspension=Suspension(suspended, row["suspended_reason"]) if suspended else None,
        announcements=row["announcements"],
        failure=Failure(failed, row["failed_outcome"], row["failed_reason"]) if failed else None,
        last_success_at=row["last_success_at"],
    )
