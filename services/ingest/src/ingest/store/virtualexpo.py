"""VirtualExpo's subscriptions and attempts: claim, end, expire, look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from leadbus.db import Connection, in_turn
from leadbus.retention import Removed, first, removed

# A setting that is being changed is left for the next look. Held until the attempt is committed, it cannot be
# deleted and made anew meanwhile by somebody who would not see the attempt.
_DUE = """
SELECT s.name, s.target, d.spec::text AS spec
  FROM virtualexpo_subscription AS s JOIN setting AS d ON d.kind = $1 AND d.name = s.name
 WHERE s.due_at <= $2 AND s.target IS NOT NULL AND (d.spec ->> 'enabled')::boolean
   AND NOT EXISTS (SELECT FROM virtualexpo_attempt AS a WHERE a.subscription = s.name AND a.started_at > $3)
   AND NOT EXISTS (SELECT FROM virtualexpo_attempt AS a WHERE a.target = s.target AND a.started_at > $3)
 ORDER BY s.due_at, s.name LIMIT 1 FOR UPDATE OF s SKIP LOCKED FOR SHARE OF d SKIP LOCKED
"""
_BEGIN = """
WITH attempt AS (
    INSERT INTO virtualexpo_attempt (attempt_id, subscription, target, trial, started_at, lease_until,
                                     outcome, size_bytes, leads, new_leads, faults)
    VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6), 'running', 0, 0, 0, '[]')
)
UPDATE virtualexpo_subscription SET last_attempt_at = $5, due_at = $7 WHERE name = $2
"""
_END = """
UPDATE virtualexpo_attempt
   SET ended_at = $2, outcome = $3, code = $4, http_status = $5, size_bytes = $6, leads = $7, new_leads = $8,
       quarantine_id = $9, faults = $10::text::jsonb, report = $11::text::jsonb
 WHERE attempt_id = $1
"""
_SUCCEEDED = """
UPDATE virtualexpo_subscription SET last_success_at = $2
 WHERE name = $1 AND (last_success_at IS NULL OR last_success_at < $2)
"""
_LATER = "UPDATE virtualexpo_subscription SET due_at = greatest(due_at, $2) WHERE name = $1"
_EXPIRE = """
UPDATE virtualexpo_attempt SET ended_at = $1, outcome = 'interrupted', code = 'process_ended'
 WHERE ended_at IS NULL AND lease_until < clock_timestamp()
RETURNING attempt_id, subscription
"""
# Of all names and addresses it has had: whoever renames a subscription does not get around the two hours.
_LAST_ATTEMPT = """
SELECT max(started_at) FROM (
    SELECT last_attempt_at AS started_at FROM virtualexpo_subscription WHERE name = $1
    UNION ALL (SELECT started_at FROM virtualexpo_attempt WHERE target = $2 ORDER BY started_at DESC LIMIT 1)
) AS attempts
"""
_OTHER_OF_TARGET = "SELECT name FROM virtualexpo_subscription WHERE target = $1 AND name <> $2"
_SET_UP = """
INSERT INTO virtualexpo_subscription (name, target, since, due_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET target = $2, due_at = $4,
   since = CASE WHEN virtualexpo_subscription.target IS NULL THEN $3 ELSE virtualexpo_subscription.since END,
   last_success_at = CASE WHEN virtualexpo_subscription.target IS NULL THEN NULL
                          ELSE virtualexpo_subscription.last_success_at END
"""
_TAKE_DOWN = "UPDATE virtualexpo_subscription SET target = NULL WHERE name = $1"
_HOLD = """
SELECT s.target, s.last_attempt_at, (d.spec ->> 'enabled')::boolean AS enabled
  FROM virtualexpo_subscription AS s JOIN setting AS d ON d.kind = $1 AND d.name = s.name
 WHERE s.name = $2 FOR UPDATE OF s
"""
_SET_DUE = "UPDATE virtualexpo_subscription SET due_at = $2 WHERE name = $1"
_AGES = """
SELECT s.name, coalesce(s.last_success_at, s.since) AS at
  FROM virtualexpo_subscription AS s JOIN setting AS d ON d.kind = $1 AND d.name = s.name
 WHERE (d.spec ->> 'enabled')::boolean
"""
_REFUSED = """
SELECT s.name, a.code
  FROM virtualexpo_subscription AS s JOIN setting AS d ON d.kind = $1 AND d.name = s.name
 CROSS JOIN LATERAL (
       SELECT outcome, code FROM virtualexpo_attempt
        WHERE subscription = s.name AND outcome NOT IN ('running', 'interrupted', 'throttled')
        ORDER BY started_at DESC LIMIT 1) AS a
 WHERE (d.spec ->> 'enabled')::boolean AND a.outcome = 'refused'
"""
_FORGET = """
DELETE FROM virtualexpo_attempt WHERE attempt_id = ANY (ARRAY(
    SELECT attempt_id FROM virtualexpo_attempt WHERE started_at < $1 AND ended_at IS NOT NULL
     ORDER BY started_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_OLDEST = "SELECT started_at FROM virtualexpo_attempt ORDER BY started_at LIMIT 1"


@dataclass(frozen=True, slots=True)
class Due:
    """A subscription whose time has come, held by our transaction; ``spec`` is its setting."""

    name: str
    target: bytes
    spec: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A subscription that is set up, held by our transaction."""

    target: bytes
    last_attempt_at: datetime | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What is written down of an attempt that ended."""

    outcome: str
    code: str
    http_status: int | None = None
    size_bytes: int = 0
    leads: int = 0
    new_leads: int = 0
    quarantine_id: UUID | None = None
    faults: Sequence[dict[str, Any]] = ()
    report: dict[str, Any] | None = None


async def due(conn: Connection, kind: str, now: datetime, not_since: datetime) -> Due | None:
    """One that is due and was not tried after ``not_since``, by whatever name; others hold other ones."""
    row = await conn.fetchrow(_DUE, kind, now, not_since)
    return Due(row["name"], row["target"], json.loads(row["spec"])) if row else None


async def begin(
    conn: Connection,
    attempt_id: UUID,
    of: Due,
    *,
    trial: bool,
    now: datetime,
    lease_seconds: float,
    due_at: datetime,
) -> None:
    """Write the attempt down, and when the next one is due."""
    await conn.execute(_BEGIN, attempt_id, of.name, of.target, trial, now, lease_seconds, due_at)


async def end(conn: Connection, attempt_id: UUID, subscription: str, result: Result, now: datetime) -> None:
    await conn.execute(
        _END,
        attempt_id,
        now,
        result.outcome,
        result.code,
        result.http_status,
        result.size_bytes,
        result.leads,
        result.new_leads,
        result.quarantine_id,
        json.dumps(list(result.faults)),
        None if result.report is None else json.dumps(result.report),
    )
    if result.outcome == "succeeded":
        await conn.execute(_SUCCEEDED, subscription, now)


async def not_before(conn: Connection, name: str, moment: datetime) -> None:
    """Put the next attempt off; it never comes sooner by this."""
    await conn.execute(_LATER, name, moment)


async def expire(conn: Connection, now: datetime) -> list[tuple[UUID, str]]:
    """End attempts whose process is gone; returns them with their subscriptions."""
    return [(row["attempt_id"], row["subscription"]) for row in await conn.fetch(_EXPIRE, now)]


async def last_attempt(conn: Connection, name: str, target: bytes) -> datetime | None:
    """When this subscription was tried last, under this name or with this address and key."""
    moment: datetime | None = await conn.fetchval(_LAST_ATTEMPT, name, target)
    return moment


async def other_of_target(conn: Connection, target: bytes, name: str) -> str | None:
    """Another subscription with the same address and key; no new one has them until the transaction ends."""
    await in_turn(conn, f"virtualexpo target {target.hex()}")
    other: str | None = await conn.fetchval(_OTHER_OF_TARGET, target, name)
    return other


async def set_up(conn: Connection, name: str, target: bytes, now: datetime, due_at: datetime) -> None:
    """The setting is there, or has changed."""
    await conn.execute(_SET_UP, name, target, now, due_at)


async def take_down(conn: Connection, name: str) -> None:
    """The setting is gone; when it was tried last stays known."""
    await conn.execute(_TAKE_DOWN, name)


async def hold(conn: Connection, kind: str, name: str) -> Held | None:
    row = await conn.fetchrow(_HOLD, kind, name)
    return Held(**dict(row)) if row else None


async def set_due(conn: Connection, name: str, due_at: datetime) -> None:
    await conn.execute(_SET_DUE, name, due_at)


async def refused(conn: Connection, kind: str) -> dict[str, str]:
    """Codes by the names of subscriptions that the vendor did not let in last, or we had no key for."""
    return {row["name"]: row["code"] for row in await conn.fetch(_REFUSED, kind)}


async def succeeded_at(conn: Connection, kind: str) -> dict[str, datetime]:
    """Of those that are switched on: when they succeeded last, or else since when they are set up."""
    return {row["name"]: row["at"] for row in await conn.fetch(_AGES, kind)}


async def forget(conn: Connection, before: datetime, limit: int) -> Removed:
    """Delete up to ``limit`` attempts begun before a moment, oldest first."""
    return {"virtualexpo_attempt": removed(await conn.execute(_FORGET, before, limit))}


async def oldest(conn: Connection) -> datetime | None:
    """When the oldest attempt began."""
    return await first(conn, _OLDEST)
