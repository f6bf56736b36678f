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
    target: str = ""
    """Which of the route's recipients; empty for the first or only one."""
    aside: bool = False
    """It says nothing of whether the lead arrived."""

    @property
    def key(self) -> tuple[UUID, str, str, str]:
        return self.lead_id, self.sink, self.route, self.target

    @property
    def weight(self) -> tuple[bool, datetime, datetime, int, UUID]:
        """The greatest stands, however the events arrive: of a target's deliveries the one planned later,
        whenever it ended, because it took the place of the other; of one delivery the later event. A skip
        that ended no try (an update nobody needs, a repeat nobody may have) unsays no earlier delivery."""
        tells = self.state != "skipped" or (self.attempts > 0 and not self.repeat)
        return tells, self.planned_at, self.finished_at, self.attempts, self.delivery_id


STANDS = """CASE WHEN bool_or(state = 'failed' AND NOT aside) THEN 'failed'
                         WHEN bool_or(state = 'delivered' AND NOT aside) THEN 'delivered'
                         WHEN bool_and(aside) THEN 'waiting' ELSE 'unrouted' END"""
"""SQL: where a lead stands, over `state` and `aside` of its ledger: the rule of a lead's state, in one place.

While only copies and notices were told of, nobody has said anything of the lead itself: it is `waiting`.
"""
# In id order, as everybody locks them. A statement of its own: what another transaction noted of these leads
# while we waited has to be seen when their states are told.
_LOCK = "SELECT lead_id FROM lead WHERE lead_id = ANY($1::uuid[]) ORDER BY lead_id FOR UPDATE"
# Deliveries of things that are no leads of ours (service requests) fall through the join. A statement does
# not see the rows it writes: a state is told from those, and from the ledger's others.
_NOTE = f"""
WITH noted AS (
    INSERT INTO ledger AS known (lead_id, sink, route, delivery_id, state, outcome, attempts, ambiguous,
                                 repeat, planned_at, finished_at, target, aside)
    SELECT m.lead_id, m.sink, m.route, m.delivery_id, m.state, m.outcome, m.attempts, m.ambiguous, m.repeat,
           m.planned_at, m.finished_at, m.target, m.aside
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::integer[],
                  $8::boolean[], $9::boolean[], $10::timestamptz[], $11::timestamptz[],
                  $12::text[], $13::boolean[])
           AS m (lead_id, sink, route, delivery_id, state, outcome, attempts, ambiguous, repeat, planned_at,
                 finished_at, target, aside)
      JOIN lead ON lead.lead_id = m.lead_id
     ORDER BY m.lead_id, m.sink COLLATE "C", m.route COLLATE "C", m.target COLLATE "C"
    ON CONFLICT (lead_id, sink, route, target) DO UPDATE
       SET delivery_id = excluded.delivery_id, state = excluded.state, outcome = excluded.outcome,
           attempts = excluded.attempts, ambiguous = excluded.ambiguous, repeat = excluded.repeat,
           planned_at = excluded.planned_at, finished_at = excluded.finished_at,
           aside = excluded.aside
     WHERE (excluded.state <> 'skipped' OR (excluded.attempts > 0 AND NOT excluded.repeat),
            excluded.planned_at, excluded.finished_at, excluded.attempts, excluded.delivery_id)
           > (known.state <> 'skipped' OR (known.attempts > 0 AND NOT known.repeat),
              known.planned_at, known.finished_at, known.attempts, known.delivery_id)
    RETURNING lead_id, sink, route, target, state, aside
), said AS (
    SELECT lead_id, state, aside FROM noted
    UNION ALL
    SELECT lead_id, state, aside FROM ledger
     WHERE lead_id IN (SELECT lead_id FROM noted)
       AND (lead_id, sink, route, target) NOT IN (SELECT lead_id, sink, route, target FROM noted)
), stands AS (
    SELECT lead_id, {STANDS} AS state
      FROM said GROUP BY lead_id
)
UPDATE lead SET state = stands.state FROM stands
 WHERE lead.lead_id = stands.lead_id AND lead.state <> stands.state
"""  # noqa: S608 -- constants only


async def note(conn: Connection, entries: Sequence[LedgerEntry]) -> None:
    """Keep the weightiest event of each lead, sink, route and target; say in the leads where they stand now.

    Lighter and repeated events change nothing. What is aside apart, a lead is `failed` when one recipient of
    one route did not get it, else `delivered` when one got it, else `unrouted`: all that spoke skipped it.
    """
    latest: dict[tuple[UUID, str, str, str], LedgerEntry] = {}
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
        [entry.target for entry in kept],
        [entry.aside for entry in kept],
    )


_UNROUTED = "SELECT count(*) FROM lead WHERE state = 'unrouted' AND received_at >= $1 AND NOT test"


async def unrouted(conn: Connection, since: datetime) -> int:
    """How many leads received since then every sink that spoke has skipped."""
    return int(await conn.fetchval(_UNROUTED, since))
