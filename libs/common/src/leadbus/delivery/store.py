"""SQL about deliveries beside the claims. Rows in, rows out; what they mean is decided in ``machine``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg

from leadbus.db import Connection, Part
from leadbus.delivery.machine import BOUNCED, Announcement, Phase, State


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
    target: str = ""
    aside: bool = False


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
    joins: bool = False
    """It is no try of its own: its row goes, and the one before lasts until now."""


Lease: TypeAlias = tuple[UUID, UUID]
"""Delivery id and lease token."""

NotOurs = asyncpg.DivisionByZeroError
"""A lease was lost, and nothing of the statement is written."""

COLUMNS = """id, key, subject_id, destination, route, ordering_key, planned_at, deadline, lease_token,
    phase, attempts, failures, doubts, repeat_number, announced, announcements, outcome, test, target, aside,
    downs, outcome = 'held' AS held"""

_IS_EXPIRED = "phase = 'sending' AND lease_expires_at < clock_timestamp() AND lease_token <> ALL($1::uuid[])"
_IS_TOO_LATE = "phase IN ('queued', 'waiting') AND deadline <= $1"
_EXPIRED = f"""
SELECT {COLUMNS} FROM delivery WHERE {_IS_EXPIRED} ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 -- made of constants
_TOO_LATE = f"""
SELECT {COLUMNS} FROM delivery WHERE {_IS_TOO_LATE} ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 -- made of constants
_OVERDUE = f"""
SELECT EXISTS (SELECT FROM delivery WHERE {_IS_EXPIRED}) AS expired,
    EXISTS (SELECT FROM delivery WHERE {_IS_TOO_LATE.replace("$1", "$2")}) AS too_late
"""  # noqa: S608 -- made of constants

_LOCKED = f"SELECT {COLUMNS} FROM delivery WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"  # noqa: S608 -- constants

_NEW_STATE = """
    phase = new.phase, attempts = new.attempts, failures = new.failures, doubts = new.doubts,
    repeat_number = new.repeat_number, announced = new.announced, announcements = new.announcements,
    downs = new.downs, outcome = coalesce(new.outcome, delivery.outcome),
    reason = CASE WHEN new.outcome IS NULL THEN delivery.reason ELSE new.reason END,
    not_before = coalesce(new.not_before, delivery.not_before),
    deadline = CASE WHEN new.forget_deadline THEN NULL ELSE delivery.deadline END,
    finished_at = new.finished_at, lease_token = NULL, lease_expires_at = NULL
"""
_STATES = """$1::uuid[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::text[], $8::int[],
    $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::boolean[], $14::int[]"""
_STATE_COLUMNS = """id, phase, attempts, failures, doubts, repeat_number, announced, announcements,
    outcome, reason, not_before, finished_at, forget_deadline, downs"""

_WRITE = f"""
UPDATE delivery SET {_NEW_STATE} FROM unnest({_STATES}) AS new ({_STATE_COLUMNS}) WHERE delivery.id = new.id
"""  # noqa: S608 -- made of constants

_WRITE_LEASED = f"""
ended AS (
    UPDATE delivery SET {_NEW_STATE}
    FROM unnest({_STATES}, $15::uuid[]) AS new ({_STATE_COLUMNS}, held)
    WHERE delivery.id = new.id AND delivery.lease_token = new.held
    RETURNING delivery.id, delivery.destination, delivery.ordering_key
)
"""  # noqa: S608 -- made of constants

# Where one row was not ours the division fails, and with it the statement: nothing of it is written.
_TELL_LEASED = """
1 / ((SELECT count(*) FROM ended) = cardinality($1::uuid[]))::int AS all_ours,
EXISTS (
    SELECT FROM ended JOIN delivery AS next USING (ordering_key) WHERE next.phase IN ('queued', 'waiting')
) OR EXISTS (
    SELECT FROM ended JOIN destination ON name = ended.destination WHERE max_in_flight IS NOT NULL
) AS makes_room
"""

_END_ATTEMPTS = """
UPDATE attempt SET finished_at = done.finished_at, duration_ms = done.duration_ms, outcome = done.outcome,
    reason = done.reason, answer = nullif(done.answer, ''), ambiguous = attempt.ambiguous OR done.ambiguous
FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::int[], $5::text[], $6::text[], $7::text[],
            $8::boolean[])
    AS done (delivery_id, n, finished_at, duration_ms, outcome, reason, answer, ambiguous)
WHERE attempt.delivery_id = done.delivery_id AND attempt.n = done.n
"""

_JOIN_ATTEMPTS = """
WITH gone AS (
    DELETE FROM attempt USING unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::text[])
        AS done (delivery_id, n, finished_at, reason)
    WHERE attempt.delivery_id = done.delivery_id AND attempt.n = done.n RETURNING done.*
)
UPDATE attempt SET finished_at = gone.finished_at, reason = coalesce(gone.reason, attempt.reason)
FROM gone WHERE attempt.delivery_id = gone.delivery_id AND attempt.n = gone.n - 1
"""


@dataclass(frozen=True, slots=True)
class Overdue:
    """Whether there is anything for ``lock_expired``, and for ``lock_too_late``."""

    expired: bool
    too_late: bool


async def overdue(conn: Connection, *, ours: Sequence[UUID], now: datetime) -> Overdue:
    """Asked first, because there hardly ever is."""
    row = await conn.fetchrow(_OVERDUE, list(ours), now)
    assert row is not None
    return Overdue(row["expired"], row["too_late"])


async def lock_expired(conn: Connection, *, ours: Sequence[UUID], limit: int) -> list[Row]:
    """Deliveries in ``sending`` whose lease has run out, those with the tokens ``ours`` excepted."""
    return [row_of(row) for row in await conn.fetch(_EXPIRED, list(ours), limit)]


async def lock_too_late(conn: Connection, *, now: datetime, limit: int) -> list[Row]:
    """Deliveries that may no longer be tried."""
    return [row_of(row) for row in await conn.fetch(_TOO_LATE, now, limit)]


async def lock(conn: Connection, ids: Sequence[UUID]) -> list[Row]:
    """Deliveries by id, locked in a common order."""
    return [row_of(row) for row in await conn.fetch(_LOCKED, list(ids))]


async def write(conn: Connection, changes: Sequence[Change]) -> None:
    """Write decided states; leases end with them."""
    if changes:
        await conn.execute(_WRITE, *_states(changes))


def writing_leased(changes: Sequence[Change], tokens: Sequence[UUID]) -> Part:
    """``write`` for rows that nobody holds locked, and whose leases are ``tokens``, as a part of a statement.

    The statement fails with ``NotOurs`` when one of the leases was lost. It tells ``makes_room``: others may
    go now, as they waited for the end of one with the same ordering key, or for their destination's limit.
    """
    return Part(_WRITE_LEASED, (*_states(changes), list(tokens)), _TELL_LEASED)


async def end_attempts(conn: Connection, ends: Sequence[AttemptEnd]) -> None:
    """Complete attempts' rows. An attempt once called ambiguous stays so, whatever is learnt later."""
    own = [end for end in ends if not end.joins]
    if own:
        await conn.execute(_END_ATTEMPTS, *_ends(own))
    joined = [end for end in ends if end.joins]
    if joined:
        await conn.execute(
            _JOIN_ATTEMPTS,
            [end.delivery_id for end in joined],
            [end.n for end in joined],
            [end.finished_at for end in joined],
            [end.reason for end in joined],
        )


def ending_attempts(ends: Sequence[AttemptEnd]) -> Part:
    """``end_attempts`` as a part of a larger statement."""
    return Part(
        f"attempts_ended AS ({_END_ATTEMPTS} RETURNING 1)",
        _ends(ends),
        "(SELECT count(*) FROM attempts_ended) AS attempts_ended",
    )


def _states(changes: Sequence[Change]) -> tuple[list[Any], ...]:
    states = [change.state for change in changes]
    return (
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
        [state.downs for state in states],
    )


def _ends(ends: Sequence[AttemptEnd]) -> tuple[list[Any], ...]:
    return (
        [end.delivery_id for end in ends],
        [end.n for end in ends],
        [end.finished_at for end in ends],
        [end.duration_ms for end in ends],
        [end.outcome for end in ends],
        [end.reason for end in ends],
        [end.answer for end in ends],
        [end.ambiguous for end in ends],
    )


def row_of(row: asyncpg.Record) -> Row:
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
            downs=row["downs"],
            held=bool(row["held"]),
            bounced=row["phase"] == Phase.FAILED and row["outcome"] == BOUNCED,
        ),
        test=row["test"],
        target=row["target"],
        aside=row["aside"],
    )
