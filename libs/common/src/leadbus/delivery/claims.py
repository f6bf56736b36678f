"""SQL of claims: which deliveries are due, and taking them. Nothing here decides what is tried.

``start`` is for a transaction in which gates are passed. ``start_offered`` is for what was planned just now:
a transaction of its own, which sees for itself whether they may go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadbus.db import Connection
from leadbus.delivery.machine import Phase
from leadbus.delivery.store import COLUMNS, Lease, Row, row_of


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
class Room:
    """What there is room for in one phase: so many tries, and none of destinations that are ``full``.

    ``after`` is the destination served last. ``slots`` bounds how many destinations are looked at, and how
    many deliveries of each.
    """

    slots: int
    after: str = ""
    full: Sequence[str] = ()


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

MANY = 500
"""From so many due deliveries on, destinations are not found by reading them all."""


def _candidates(phase: Phase, *, after: str, full: str, slots: str) -> str:
    """Nothing is locked here. Few due deliveries name their destinations themselves; of many, the
    destinations are found by skipping through the index, so that one with a long queue hides no other.
    Those after ``after`` come first: claims go round. The phase is spelled out, because a plan with a
    parameter could not use the partial indexes.
    """
    here = f"phase = '{phase.value}'"
    return f"""
(WITH RECURSIVE early AS (
    SELECT destination FROM delivery WHERE {here} AND not_before <= $1 ORDER BY not_before LIMIT {MANY}
), skipping (name) AS (
    (SELECT destination FROM delivery WHERE {here} AND (SELECT count(*) FROM early) = {MANY}
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
    WHERE paused_at IS NULL AND (breaker = 'closed' OR next_probe_at <= $1) AND name <> ALL({full}::text[])
        AND {_HAS_ROOM}
        AND EXISTS (SELECT FROM delivery WHERE {here} AND destination = active.name AND {_MAY_GO})
    ORDER BY name <= {after}, name LIMIT {slots}::int
)
SELECT '{phase.value}' AS phase, due.id, turn.name AS destination, due.priority, due.not_before, probing,
    (max_in_flight IS NOT NULL OR per_minute IS NOT NULL) AS limited, place, turn.name <= {after} AS served
FROM turn CROSS JOIN LATERAL (
    SELECT id, priority, not_before, row_number() OVER (ORDER BY priority DESC, not_before, seq) AS place
    FROM delivery
    WHERE {here} AND destination = turn.name AND {_MAY_GO}
    ORDER BY priority DESC, not_before, seq
    LIMIT CASE WHEN turn.probing THEN 1 ELSE least({slots}::int, max_in_flight) END
) AS due)
"""  # noqa: S608 -- made of constants


_CANDIDATES = f"""
{_candidates(Phase.QUEUED, after="$2", full="$3", slots="$4")}
UNION ALL
{_candidates(Phase.WAITING, after="$5", full="$6", slots="$7")}
ORDER BY phase, place, served, destination
"""

_SENDING = """
    UPDATE delivery SET phase = 'sending', attempts = attempts + 1, lease_token = picked.token,
        lease_expires_at = clock_timestamp() + make_interval(secs => $4)
    FROM picked WHERE delivery.id = picked.id
    RETURNING delivery.*
), noted AS (
    INSERT INTO attempt (delivery_id, n, repeat_number, started_at)
    SELECT id, attempts, repeat_number, $1 FROM started
"""

_START = f"""
WITH picked AS (
    SELECT delivery.id, token FROM delivery
    JOIN unnest($2::uuid[], $3::uuid[]) AS lease (id, token) ON lease.id = delivery.id
    WHERE phase IN ('queued', 'waiting') AND not_before <= $1
    ORDER BY delivery.id FOR UPDATE OF delivery SKIP LOCKED
), started AS ({_SENDING})
SELECT {COLUMNS} FROM started
"""  # noqa: S608 -- made of constants

WITHOUT_GATES = "breaker = 'closed' AND paused_at IS NULL AND max_in_flight IS NULL AND per_minute IS NULL"
"""Of a destination: what is due goes, if there is a slot for it."""

# Just what a look would find and a claim would pass.
_START_OFFERED = f"""
WITH picked AS (
    SELECT delivery.id, token FROM delivery
    JOIN unnest($2::uuid[], $3::uuid[]) AS lease (id, token) ON lease.id = delivery.id
    JOIN destination ON destination.name = delivery.destination
    WHERE phase = 'queued' AND {_MAY_GO} AND {WITHOUT_GATES}
    ORDER BY delivery.id FOR UPDATE OF delivery SKIP LOCKED
), started AS ({_SENDING})
SELECT {COLUMNS} FROM started
"""  # noqa: S608 -- made of constants

# Only what has used up a quarter of its lease is written: a commit for each try, just before its deciding
# step, would be one more wait for the disk.
RENEWED_AFTER_PART = 0.25

_RENEW = f"""
WITH ours AS (
    SELECT delivery.id, token,
        lease_expires_at < statement_timestamp() + make_interval(secs => {1 - RENEWED_AFTER_PART} * $3) AS old
    FROM delivery JOIN unnest($1::uuid[], $2::uuid[]) AS lease (id, token)
        ON delivery.id = lease.id AND delivery.lease_token = lease.token
), extended AS (
    UPDATE delivery SET lease_expires_at = clock_timestamp() + make_interval(secs => $3)
    FROM ours WHERE old AND delivery.id = ours.id AND delivery.lease_token = ours.token
    RETURNING delivery.id
)
SELECT id FROM ours WHERE NOT old UNION ALL SELECT id FROM extended
"""  # noqa: S608 -- made of constants


async def candidates(
    conn: Connection, rooms: Mapping[Phase, Room], *, now: datetime
) -> dict[Phase, list[Candidate]]:
    """Due deliveries of each phase in the order of turns: every destination's first, then every one's
    second, …"""
    queued, waiting = rooms[Phase.QUEUED], rooms[Phase.WAITING]
    rows = await conn.fetch(
        _CANDIDATES,
        now,
        *(queued.after, list(queued.full), queued.slots),
        *(waiting.after, list(waiting.full), waiting.slots),
    )
    found: dict[Phase, list[Candidate]] = {phase: [] for phase in rooms}
    for row in rows:
        candidate = Candidate(
            row["id"],
            row["destination"],
            row["priority"],
            row["not_before"],
            row["probing"],
            row["limited"],
        )
        found[Phase(row["phase"])].append(candidate)
    return found


async def start(
    conn: Connection, leases: Sequence[Lease], *, now: datetime, lease_seconds: float
) -> list[Row]:
    """Claim: phase ``sending``, lease, attempt's row. Those taken by others meanwhile are left out."""
    return await _start(conn, _START, leases, now, lease_seconds)


async def start_offered(
    conn: Connection, leases: Sequence[Lease], *, now: datetime, lease_seconds: float
) -> list[Row]:
    """The same for deliveries that nobody has looked for: those that may not go now are left out, and all
    whose destination is paused, unhealthy or limited."""
    return await _start(conn, _START_OFFERED, leases, now, lease_seconds)


async def renew(conn: Connection, leases: Sequence[Lease], *, lease_seconds: float) -> set[UUID]:
    """Have leases last for three quarters of ``lease_seconds`` at least.

    Returns the deliveries whose lease is still ours.
    """
    ids, tokens = zip(*leases, strict=True)
    rows = await conn.fetch(_RENEW, list(ids), list(tokens), lease_seconds)
    return {row["id"] for row in rows}


async def _start(
    conn: Connection, statement: str, leases: Sequence[Lease], now: datetime, lease_seconds: float
) -> list[Row]:
    if not leases:
        return []
    ids, tokens = zip(*leases, strict=True)
    return [row_of(row) for row in await conn.fetch(statement, now, list(ids), list(tokens), lease_seconds)]
