"""What each sink did with each lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from leadbus.db import Connection

LedgerState = Literal["delivered", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One event about one delivery of a lead."""

    lead_id: UUID
    sink: str
    route: str
    delivery_id: UUID
    state: LedgerState
    outcome: str
    attempts: int
    ambiguous: bool
    repeat: bool
    planned_at: datetime
    finished_at: datetime

    @property
    def key(self) -> tuple[UUID, str, str]:
        return self.lead_id, self.sink, self.route

    @property
    def weight(self) -> tuple[bool, datetime, datetime, int, UUID]:
        """The greatest stands, however the events arrive: of deliveries the one planned later, whenever it
        ended, because it took the place of the other; of one delivery the later event. A skip that ended no
        try (an update nobody needs, a repeat nobody may have) does not unsay what an earlier delivery did."""
        tells = self.state != "skipped" or (self.attempts > 0 and not self.repeat)
        return tells, self.planned_at, self.finished_at, self.attempts, self.delivery_id


STANDS = """CASE WHEN bool_or(state = 'failed') THEN 'failed'
                         WHEN bool_or(state = 'delivered') THEN 'delivered' ELSE 'unrouted' END"""
"""SQL: where a lead stands, over the states of its ledger: the rule of a lead's state, in one place."""
# In id order, as everybody locks them. A statement of its own: what another transaction noted of these leads
# while we waited has to be seen when their states are told.
_LOCK = "SELECT lead_id FROM lead WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id FOR UPDATE"
# Deliveries of things that are no leads of ours (service requests) fall through the join. A statement does
# not see the rows it writes: a state is told from those, and from the ledger's others.
_NOTE = f"""
WITH noted AS (
    INSERT INTO ledger AS known (lead_id, sink, route, delivery_id, state, outcome, attempts, ambiguous,
                                 repeat, planned_at, finished_at)
    SELECT m.lead_id, m.sink, m.route, m.delivery_id, m.state, m.outcome, m.attempts, m.ambiguous, m.repeat,
           m.planned_at, m.finished_at
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::integer[],
                  $8::boolean[], $9::boolean[], $10::timestamptz[], $11::timestamptz[])
           AS m (lead_id, sink, route, delivery_id, state, outcome, attempts, ambiguous, repeat, planned_at,
                 finished_at)
      JOIN lead ON lead.lead_id = m.lead_id
     ORDER BY m.lead_id, m.sink COLLATE "C", m.route COLLATE "C"
    ON CONFLICT (lead_id, sink, route) DO UPDATE
       SET delivery_id = excluded.delivery_id, state = excluded.state, outcome = excluded.outcome,
           attempts = excluded.attempts, ambiguous = excluded.ambiguous, repeat = excluded.repeat,
           planned_at = excluded.planned_at, finished_at = excluded.finished_at
     WHERE (excluded.state <> 'skipped' OR (excluded.attempts > 0 AND NOT excluded.repeat),
            excluded.planned_at, excluded.finished_at, excluded.attempts, excluded.delivery_id)
           > (known.state <> 'skipped' OR (known.attempts > 0 AND NOT known.repeat),
              known.planned_at, known.finished_at, known.attempts, known.delivery_id)
    RETURNING lead_id, sink, route, state
), said AS (
    SELECT lead_id, state FROM noted
    UNION ALL
    SELECT lead_id, state FROM ledger
     WHERE lead_id IN (SELECT lead_id FROM noted)
       AND (lead_id, sink, route) NOT IN (SELECT lead_id, sink, route FROM noted)
), stands AS (
    SELECT lead_id, {STANDS} AS state
      FROM said GROUP BY lead_id
)
UPDATE lead SET state = stands.state FROM stands
 WHERE lead.lead_id = stands.lead_id AND lead.state <> stands.state
"""  # noqa: S608 -- constants only


async def note(conn: Connection, entries: Sequence[LedgerEntry]) -> None:
    """Keep the weightiest event of each lead, sink and route, and say in the leads where they stand now.

    Lighter and repeated events change nothing. A lead is `failed` when it failed on one route, else
    `delivered` when it arrived on one, else `unrouted`: all that spoke skipped it.
    """
    latest: dict[tuple[UUID, str, str], LedgerEntry] = {}
    for entry in entries:
        known = latest.get(entry.key)
        if known is None or entry.weight > known.weight:
            latest[entry.key] = entry
    if not latest:
        return
    kept = list(latest.values())
    await conn.execute(_LOCK, [entry.lead_id for entry in kept])
    await conn.execute(
        _NOTE,
        [entry.lead_id for entry in kept],
        [entry.sink for entry in kept],
        [entry.route for entry in kept],
        [entry.delivery_id for entry in kept],
        [entry.state for entry in kept],
        [entry.outcome for entry in kept],
        [entry.attempts for entry in kept],
        [entry.ambiguous for entry in kept],
        [entry.repeat for entry in kept],
        [entry.planned_at for entry in kept],
        [entry.finished_at for entry in kept],
    )


_UNROUTED = "SELECT count(*) FROM lead WHERE state = 'unrouted' AND received_at >= $1 AND NOT test"


async def unrouted(conn: Connection, since: datetime) -> int:
    """How many leads received since then every sink that spoke has skipped."""
    return int(await conn.fetchval(_UNROUTED, since))
