"""All SQL about deliveries. Rows in, rows out; what they mean is decided in ``machine``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

from leadbus import checkpoint
from leadbus.db import Connection
from leadbus.delivery.machine import Announcement, Phase, State


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as stored."""

    id: UUID
    key: str
    subject_id: str
    destination: str
    route: str
    ordering_key: str | None
    planned_at: datetime
    deadline: datetime | None
    lease_token: UUID | None
    state: State
    test: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A due delivery that may be claimed.

    ``probing``: its destination's breaker is not closed. ``limited``: its destination has limits.
    """

    id: UUID
    destination: str
    priority: int
    not_before: datetime
    probing: bool
    limited: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A delivery's new state. None for ``outcome`` and ``not_before`` leaves them as they are."""

    id: UUID
    state: State
    outcome: str | None
    reason: str | None
    not_before: datetime | None
    finished_at: datetime | None
    forget_deadline: bool = False


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How one try ended."""

    delivery_id: UUID
    n: int
    finished_at: datetime
    duration_ms: int | None
    outcome: str
    reason: str | None
    answer: str
    ambiguous: bool


Lease: TypeAlias = tuple[UUID, UUID]
"""Delivery id and lease token."""

_COLUMNS = """id, key, subject_id, destination, route, ordering_key, planned_at, deadline, lease_token,
    phase, attempts, failures, doubts, repeat_number, announced, announcements, test"""

_MAY_GO = """
    not_before <= $1 AND (deadline IS NULL OR deadline > $1)
    AND (ordering_key IS NULL OR NOT EXISTS (
        SELECT FROM delivery AS other
        WHERE other.ordering_key = delivery.ordering_key AND other.id <> delivery.id
            AND other.phase IN ('queued', 'waiting', 'sending')
            AND (other.seq < delivery.seq OR other.phase = 'sending')))
"""


# Without a lock, so that a destination that has no room takes no one's turn; the claim counts again.
_HAS_ROOM = """
    (per_minute IS NULL OR next_start_at IS NULL OR next_start_at <= $1)
    AND (max_in_flight IS NULL OR max_in_flight > (
        SELECT count(*) FROM delivery AS sent WHERE sent.phase = 'sending' AND sent.destination = name))
"""

_MANY = 500


def _candidates(phase: Phase) -> str:
    """Nothing is locked here. Few due deliveries name their destinations themselves; of many, the
    destinations are found by skipping through the index, so that one with a long queue hides no other.
    Those after ``$2`` come first: claims go round. The phase is spelled out, because a plan with a parameter
    could not use the partial indexes.
    """
    here = f"phase = '{phase.value}'"
    return f"""
WITH RECURSIVE early AS (
    SELECT destination FROM delivery WHERE {here} AND not_before <= $1 ORDER BY not_before LIMIT {_MANY}
), skipping (name) AS (
    (SELECT destination FROM delivery WHERE {here} AND (SELECT count(*) FROM early) = {_MANY}
     ORDER BY destination LIMIT 1)
    UNION ALL
    SELECT (SELECT destination FROM delivery WHERE {here} AND destination > skipping.name
            ORDER BY destination LIMIT 1)
    FROM skipping WHERE skipping.name IS NOT NULL
), active (name) AS (
    SELECT destination FROM early UNION SELECT name FROM skipping WHERE name IS NOT NULL
), turn AS (
    SELECT name, breaker <> 'closed' AS probing, max_in_flight, per_minute
    FROM active JOIN destination USING (name)
    WHERE paused_at IS NULL AND (breaker = 'closed' OR next_probe_at <= $1) AND name <> ALL($3::text[])
        AND {_HAS_ROOM}
        AND EXISTS (SELECT FROM delivery WHERE {here} AND destination = active.name AND {_MAY_GO})
    ORDER BY name <= $2, name LIMIT $4::int
)
SELECT due.id, turn.name AS destination, due.priority, due.not_before, probing,
    (max_in_flight IS NOT NULL OR per_minute IS NOT NULL) AS limited
FROM turn CROSS JOIN LATERAL (
    SELECT id, priority, not_before, row_number() OVER (ORDER BY priority DESC, not_before, seq) AS place
    FROM delivery
    WHERE {here} AND destination = turn.name AND {_MAY_GO}
    ORDER BY priority DESC, not_before, seq
    LIMIT CASE WHEN turn.probing THEN 1 ELSE least($4::int, max_in_flight) END
) AS due
ORDER BY place, turn.name <= $2, turn.name
"""  # noqa: S608 -- made of constants


_CANDIDATES = {phase: _candidates(phase) for phase in (Phase.QUEUED, Phase.WAITING)}

_START = f"""
WITH picked AS (
    SELECT delivery.id, token FROM delivery
    JOIN unnest($1::uuid[], $2::uuid[]) AS lease (id, token) ON lease.id = delivery.id
    WHERE phase IN ('queued', 'waiting') AND not_before <= $3
    ORDER BY delivery.id FOR UPDATE OF delivery SKIP LOCKED
), started AS (
    UPDATE delivery SET phase = 'sending', attempts = attempts + 1, lease_token = picked.token,
        lease_expires_at = clock_timestamp() + make_interval(secs => $4)
    FROM picked WHERE delivery.id = picked.id
    RETURNING delivery.*
), noted AS (
    INSERT INTO attempt (delivery_id, n, repeat_number, started_at)
    SELECT id, attempts, repeat_number, $3 FROM started
)
SELECT {_COLUMNS} FROM started
"""  # noqa: S608 -- made of constants

# Only what has used up a quarter of its lease is written: a commit for each try, just before its deciding
# step, would be one more wait for the disk.
_RENEW = """
WITH ours AS (
    SELECT delivery.id, token,
        lease_expires_at < statement_timestamp() + make_interval(secs => 0.75 * $3) AS old
    FROM delivery JOIN unnest($1::uuid[], $2::uuid[]) AS lease (id, token)
        ON delivery.id = lease.id AND delivery.lease_token = lease.token
), extended AS (
    UPDATE delivery SET lease_expires_at = clock_timestamp() + make_interval(secs => $3)
    FROM ours WHERE old AND delivery.id = ours.id AND delivery.lease_token = ours.token
    RETURNING delivery.id
)
SELECT id FROM ours WHERE NOT old UNION ALL SELECT id FROM extended
"""

_EXPIRED = f"""
SELECT {_COLUMNS} FROM delivery
WHERE phase = 'sending' AND lease_expires_at < clock_timestamp() AND lease_token <> ALL($1::uuid[])
ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 -- made of constants

_TOO_LATE = f"""
SELECT {_COLUMNS} FROM delivery
WHERE phase IN ('queued', 'waiting') AND deadline <= $1
ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 -- made of constants

_LOCKED = f"SELECT {_COLUMNS} FROM delivery WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"  # noqa: S608 -- constants

_WRITE = """
UPDATE delivery SET phase = new.phase, attempts = new.attempts, failures = new.failures, doubts = new.doubts,
    repeat_number = new.repeat_number, announced = new.announced, announcements = new.announcements,
    outcome = coalesce(new.outcome, delivery.outcome),
    reason = CASE WHEN new.outcome IS NULL THEN delivery.reason ELSE new.reason END,
    not_before = coalesce(new.not_before, delivery.not_before),
    deadline = CASE WHEN new.forget_deadline THEN NULL ELSE delivery.deadline END,
    finished_at = new.finished_at, lease_token = NULL, lease_expires_at = NULL
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::text[], $8::int[],
            $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::boolean[])
    AS new (id, phase, attempts, failures, doubts, repeat_number, announced, announcements,
            outcome, reason, not_before, finished_at, forget_deadline)
WHERE delivery.id = new.id
"""

_END_ATTEMPTS = """
UPDATE attempt SET finished_at = ended.finished_at, duration_ms = ended.duration_ms, outcome = ended.outcome,
    reason = ended.reason, answer = nullif(ended.answer, ''), ambiguous = attempt.ambiguous OR ended.ambiguous
FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::int[], $5::text[], $6::text[], $7::text[],
            $8::boolean[])
    AS ended (delivery_id, n, finished_at, duration_ms, outcome, reason, answer, ambiguous)
WHERE attempt.delivery_id = ended.delivery_id AND attempt.n = ended.n
"""


async def candidates(
    conn: Connection,
    phase: Phase,
    *,
    now: datetime,
    after: str,
    full: Sequence[str],
    room: int,
) -> list[Candidate]:
    """Due deliveries in the order of turns: every destination's first, then every one's second, …

    ``after`` is the destination served last and ``full`` are those that may take no more. ``room`` bounds
    how many destinations are looked at, and how many deliveries of each.
    """
    rows = await conn.fetch(_CANDIDATES[phase], now, after, list(full), room)
    return [Candidate(**dict(row)) for row in rows]


async def start(
    conn: Connection, leases: Sequence[Lease], *, now: datetime, lease_seconds: float
) -> list[Row]:
    """Claim: phase ``sending``, lease, attempt's row. Those taken by others meanwhile are left out."""
    if not leases:
        return []
    ids, tokens = zip(*leases, strict=True)
    return [_row(row) for row in await conn.fetch(_START, list(ids), list(tokens), now, lease_seconds)]


async def renew(conn: Connection, leases: Sequence[Lease], *, lease_seconds: float) -> set[UUID]:
    """Have leases last for three quarters of ``lease_seconds`` at least.

    Returns the deliveries whose lease is still ours.
    """
    ids, tokens = zip(*leases, strict=True)
    rows = await conn.fetch(_RENEW, list(ids), list(tokens), lease_seconds)
    checkpoint.passed("delivery.lease_renewed")
    return {row["id"] for row in rows}


async def lock_expired(conn: Connection, *, ours: Sequence[UUID], limit: int) -> list[Row]:
    """Deliveries in ``sending`` whose lease has run out, those with the tokens ``ours`` excepted."""
    return [_row(row) for row in await conn.fetch(_EXPIRED, list(ours), limit)]


async def lock_too_late(conn: Connection, *, now: datetime, limit: int) -> list[Row]:
    """Deliveries that may no longer be tried."""
    return [_row(row) for row in await conn.fetch(_TOO_LATE, now, limit)]


async def lock(conn: Connection, ids: Sequence[UUID]) -> list[Row]:
    """Deliveries by id, locked in a common order."""
    return [_row(row) for row in await conn.fetch(_LOCKED, list(ids))]


async def write(conn: Connection, changes: Sequence[Change]) -> None:
    """Write decided states; leases end with them."""
    if not changes:
        return
    states = [change.state for change in changes]
    await conn.execute(
        _WRITE,
        [change.id for change in changes],
        [state.phase.value for state in states],
        [state.attempts for state in states],
        [state.failures for state in states],
        [state.doubts for state in states],
        [state.repeat_number for state in states],
        [state.announced.value if state.announced else None for state in states],
        [state.announcements for state in states],
        [change.outcome for change in changes],
        [change.reason for change in changes],
        [change.not_before for change in changes],
        [change.finished_at for change in changes],
        [change.forget_deadline for change in changes],
    )


async def end_attempts(conn: Connection, ends: Sequence[AttemptEnd]) -> None:
    """Complete attempts' rows. An attempt once called ambiguous stays so, whatever is learnt later."""
    if not ends:
        return
    await conn.execute(
        _END_ATTEMPTS,
        [end.delivery_id for end in ends],
        [end.n for end in ends],
        [end.finished_at for end in ends],
        [end.duration_ms for end in ends],
        [end.outcome for end in ends],
        [end.reason for end in ends],
        [end.answer for end in ends],
        [end.ambiguous for end in ends],
    )


def _row(row: asyncpg.Record) -> Row:
    return Row(
        id=row["id"],
        key=row["key"],
        subject_id=row["subject_id"],
        destination=row["destination"],
        route=row["route"],
        ordering_key=row["ordering_key"],
        planned_at=row["planned_at"],
        deadline=row["deadline"],
        lease_token=row["lease_token"],
        state=State(
            phase=Phase(row["phase"]),
            attempts=row["attempts"],
            failures=row["failures"],
            doubts=row["doubts"],
            repeat_number=row["repeat_number"],
            announced=Announcement(row["announced"]) if row["announced"] else None,
            announcements=row["announcements"],
        ),
        test=row["test"],
    )
