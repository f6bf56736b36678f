"""All SQL of jobs. Leases and plans end by the database's clock, the only one that replicas share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import asyncpg

from leadbus.db import Connection
from leadbus.jobs.machine import JobEvent, JobState, after

PLAN_SECONDS = 3600.0
"""How long a plan may be run: after that what was counted may be something else."""
PLAN_EXPIRED = "plan_expired"
"""As `end_reason`."""

_INSERT = """
INSERT INTO job (id, kind, state, subject, filter, dealers, reason, batch_size, rate_per_second, sample,
                 bound, planned_by, planned_at, expires_at, total, left_out)
VALUES ($1, $2, 'planned', $3, $4::text::jsonb, $5, $6, $7, $8, $9::text::jsonb, $10::text::jsonb,
        $11, clock_timestamp(), clock_timestamp() + make_interval(secs => $12), $13, $14)
"""
_LOCK = """
SELECT id, kind, state, subject, dealers, cancel_asked_at IS NOT NULL AS cancel_asked,
       expires_at <= clock_timestamp() AS expired, lease_token, end_reason,
       lease_expires_at > clock_timestamp() IS TRUE AS held
  FROM job WHERE id = $1 FOR UPDATE
"""
_RUNNING_ON = "SELECT id FROM job WHERE subject = $1 AND state = 'running'"
# What the plan would have left out is counted again by the run.
_START = """
UPDATE job SET state = 'running', run_by = $2, run_at = clock_timestamp(), left_out = 0 WHERE id = $1
"""
_ASK_TO_CANCEL = "UPDATE job SET cancel_by = $2, cancel_asked_at = clock_timestamp() WHERE id = $1"
# A bound may name thousands of things, and says nothing about a job that has ended.
_END = """
UPDATE job SET state = $2, ended_at = clock_timestamp(), end_reason = $3, lease_token = NULL,
               lease_expires_at = NULL, bound = '{}'
 WHERE id = $1
"""
_EXPIRE = """
UPDATE job SET state = 'cancelled', ended_at = clock_timestamp(), end_reason = $1, bound = '{}'
 WHERE state = 'planned' AND expires_at <= clock_timestamp()
"""
# No runner takes a job whose kind its release does not know.
_END_ABANDONED = """
UPDATE job SET state = 'cancelled', ended_at = clock_timestamp(), lease_token = NULL, lease_expires_at = NULL,
               bound = '{}'
 WHERE state = 'running' AND cancel_asked_at IS NOT NULL
   AND (lease_expires_at IS NULL OR lease_expires_at <= clock_timestamp())
"""
# The lease token is the fence: whoever finds another one in the row has lost the job and must undo.
_CLAIM = """
UPDATE job SET lease_token = $1, lease_expires_at = clock_timestamp() + make_interval(secs => $2)
 WHERE id = (SELECT id FROM job
              WHERE state = 'running' AND kind = ANY($3::text[]) AND id <> ALL($4::uuid[])
                AND (lease_expires_at IS NULL OR lease_expires_at <= clock_timestamp())
              ORDER BY seq LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, kind, filter::text AS filter, dealers, reason, run_by, batch_size, rate_per_second, total,
          bound::text AS bound, reached::text AS reached, done, failed, left_out
"""
_RENEW = """
UPDATE job SET lease_expires_at = clock_timestamp() + make_interval(secs => $3)
 WHERE id = $1 AND lease_token = $2 AND state = 'running'
RETURNING cancel_asked_at IS NOT NULL
"""
_RELEASE = "UPDATE job SET lease_token = NULL, lease_expires_at = NULL WHERE id = $1 AND lease_token = $2"
_ADVANCE = """
UPDATE job SET done = done + $3, failed = failed + $4, left_out = left_out + $5,
               last_error = coalesce($6, last_error), reached = coalesce($7::text::jsonb, reached)
 WHERE id = $1 AND lease_token = $2 AND state = 'running'
RETURNING id
"""
_ITEMS = "SELECT identity, outcome, code, walk FROM job_item WHERE job_id = $1 AND identity = ANY($2::text[])"
_REMEMBER = """
INSERT INTO job_item (job_id, identity, outcome, code, walk)
SELECT $1, identity, outcome, code, walk
  FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[]) AS new (identity, outcome, code, walk)
ON CONFLICT (job_id, identity) DO UPDATE
   SET outcome = excluded.outcome, code = excluded.code, walk = excluded.walk
"""
_COUNT = "SELECT kind, state, count(*) AS jobs FROM job GROUP BY kind, state"


class LeaseLost(Exception):  # noqa: N818 -- it names what happened
    """The job is another runner's by now, or has ended; nothing more may be written for it."""


class SubjectTaken(Exception):  # noqa: N818 -- it names a condition
    """Another running job works on the same things."""


@dataclass(frozen=True, slots=True)
class Counts:
    done: int = 0
    failed: int = 0
    left_out: int = 0

    @property
    def tried(self) -> int:
        return self.done + self.failed


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one thing, known by ``identity``, in the walk that met it."""

    identity: str
    outcome: Literal["done", "failed"]
    walk: UUID
    code: str | None = None


@dataclass(frozen=True, slots=True)
class NewJob:
    id: UUID
    kind: str
    filter: Mapping[str, Any]
    dealers: Sequence[str] | None
    reason: str | None
    batch_size: int
    rate_per_second: float
    planned_by: str
    total: int
    left_out: int
    sample: Sequence[Mapping[str, Any]]
    bound: Mapping[str, Any]
    subject: str | None


@dataclass(frozen=True, slots=True)
class Locked:
    """A job held by our transaction, as far as deciding about it needs."""

    id: UUID
    kind: str
    state: JobState
    subject: str | None
    dealers: Sequence[str] | None
    cancel_asked: bool
    expired: bool
    lease_token: UUID | None
    end_reason: str | None
    held: bool
    """By a runner whose lease has not ended."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A running job whose lease is ours."""

    id: UUID
    kind: str
    filter: Mapping[str, Any]
    dealers: frozenset[str] | None
    reason: str | None
    run_by: str
    batch_size: int
    rate_per_second: float
    total: int
    bound: Mapping[str, Any]
    reached: Mapping[str, Any] | None
    counts: Counts


async def insert(conn: Connection, job: NewJob) -> None:
    await conn.execute(
        _INSERT,
        job.id,
        job.kind,
        job.subject,
        json.dumps(job.filter),
        list(job.dealers) if job.dealers is not None else None,
        job.reason,
        job.batch_size,
        job.rate_per_second,
        json.dumps(list(job.sample)),
        json.dumps(job.bound),
        job.planned_by,
        PLAN_SECONDS,
        job.total,
        job.left_out,
    )


async def lock(conn: Connection, job_id: UUID) -> Locked | None:
    row = await conn.fetchrow(_LOCK, job_id)
    return Locked(**{**dict(row), "state": JobState(row["state"])}) if row else None


async def start(conn: Connection, job_id: UUID, actor: str) -> None:
    """Raises SubjectTaken; the transaction is of no use then."""
    try:
        await conn.execute(_START, job_id, actor)
    except asyncpg.UniqueViolationError:
        raise SubjectTaken from None


async def running_on(conn: Connection, subject: str | None) -> UUID | None:
    """The job that works on these things just now."""
    found: UUID | None = await conn.fetchval(_RUNNING_ON, subject)
    return found


async def ask_to_cancel(conn: Connection, job_id: UUID, actor: str) -> None:
    await conn.execute(_ASK_TO_CANCEL, job_id, actor)


async def end(conn: Connection, job_id: UUID, state: JobState, reason: str | None = None) -> None:
    await conn.execute(_END, job_id, state.value, reason)


async def expire(conn: Connection) -> None:
    """End plans that nobody ran in time (EXPIRED), all at once."""
    await conn.execute(_EXPIRE, PLAN_EXPIRED)


async def end_abandoned(conn: Connection) -> None:
    """End jobs that are to be cancelled and that nobody holds any more (HALTED), all at once."""
    await conn.execute(_END_ABANDONED)


async def claim(
    conn: Connection,
    token: UUID,
    *,
    lease_seconds: float,
    kinds: Sequence[str],
    but: Sequence[UUID] = (),
) -> Claimed | None:
    """A running job that nobody holds, the oldest first, held under ``token`` from now on."""
    row = await conn.fetchrow(_CLAIM, token, lease_seconds, list(kinds), list(but))
    if row is None:
        return None
    plain = ("id", "kind", "reason", "run_by", "batch_size", "rate_per_second", "total")
    return Claimed(
        **{name: row[name] for name in plain},
        filter=json.loads(row["filter"]),
        dealers=frozenset(row["dealers"]) if row["dealers"] is not None else None,
        bound=json.loads(row["bound"]),
        reached=json.loads(row["reached"]) if row["reached"] else None,
        counts=Counts(row["done"], row["failed"], row["left_out"]),
    )


async def renew(conn: Connection, job_id: UUID, token: UUID, *, lease_seconds: float) -> bool:
    """Hold it for longer; True when somebody asked to cancel it. Raises LeaseLost."""
    asked: bool | None = await conn.fetchval(_RENEW, job_id, token, lease_seconds)
    if asked is None:
        raise LeaseLost
    return asked


async def release(conn: Connection, job_id: UUID, token: UUID) -> None:
    """Let another runner have it at once."""
    await conn.execute(_RELEASE, job_id, token)


async def finish(
    conn: Connection, job_id: UUID, token: UUID, event: JobEvent, reason: str | None = None
) -> JobState:
    """End a job that is ours, as the event says. Raises LeaseLost."""
    job = await lock(conn, job_id)
    if job is None or job.lease_token != token:
        raise LeaseLost
    state = after(job.state, event, cancel_asked=job.cancel_asked)
    await end(conn, job_id, state, reason)
    return state


async def advance(
    conn: Connection,
    job_id: UUID,
    token: UUID,
    counts: Counts,
    last_error: str | None,
    reached: Mapping[str, Any] | None,
) -> None:
    """Raises LeaseLost."""
    ours = await conn.fetchval(
        _ADVANCE,
        job_id,
        token,
        counts.done,
        counts.failed,
        counts.left_out,
        last_error,
        json.dumps(reached) if reached is not None else None,
    )
    if ours is None:
        raise LeaseLost


async def items(conn: Connection, job_id: UUID, identities: Sequence[str]) -> dict[str, Item]:
    rows = await conn.fetch(_ITEMS, job_id, list(identities))
    return {row["identity"]: Item(row["identity"], row["outcome"], row["walk"], row["code"]) for row in rows}


async def remember(conn: Connection, job_id: UUID, found: Sequence[Item]) -> None:
    told = list({item.identity: item for item in found}.values())
    if told:
        await conn.execute(
            _REMEMBER,
            job_id,
            [item.identity for item in told],
            [item.outcome for item in told],
            [item.code for item in told],
            [item.walk for item in told],
        )


async def counted(conn: Connection) -> dict[tuple[str, str], int]:
    """Jobs by (kind, state)."""
    return {(row["kind"], row["state"]): row["jobs"] for row in await conn.fetch(_COUNT)}
