"""Deliveries planned and started by one statement that commits itself: plan and intent are one commit.

Just what a claim a moment later would start without a look is started, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from leadbus.db import Part
from leadbus.delivery import store
from leadbus.delivery.claims import WITHOUT_GATES
from leadbus.delivery.machine import Phase, State
from leadbus.delivery.operations import Planning, columns, row_of_new

_INSERT = f"""
planned AS (
    INSERT INTO delivery (
        id, key, subject_id, destination, route, dealer, priority, ordering_key, planned_at, not_before,
        deadline, test, target, aside, phase, attempts, lease_token, lease_expires_at)
    SELECT id, key, subject_id, destination, route, dealer, priority, ordering_key, $1,
        greatest($1, coalesce(new.not_before, $1)), deadline, test, target, aside,
        CASE WHEN goes THEN 'sending' ELSE 'queued' END, CASE WHEN goes THEN 1 ELSE 0 END,
        CASE WHEN goes THEN token END,
        CASE WHEN goes THEN clock_timestamp() + make_interval(secs => $2) END
    FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::smallint[],
                $10::text[], $11::timestamptz[], $12::timestamptz[], $13::boolean[], $14::text[],
                $15::boolean[], $16::uuid[])
            WITH ORDINALITY AS new (id, key, subject_id, destination, route, dealer, priority, ordering_key,
                not_before, deadline, test, target, aside, token, n)
        LEFT JOIN LATERAL (
            SELECT true AS goes FROM destination
            WHERE name = new.destination AND {WITHOUT_GATES} AND new.token IS NOT NULL
                AND (new.not_before IS NULL OR new.not_before <= $1)
                AND (new.deadline IS NULL OR new.deadline > $1)
                AND (new.ordering_key IS NULL OR NOT EXISTS (
                    SELECT FROM delivery AS other
                    WHERE other.ordering_key = new.ordering_key
                        AND other.phase IN ('queued', 'waiting', 'sending')))
        ) AS may ON true
    ORDER BY n
    ON CONFLICT (key) DO NOTHING
    RETURNING id, phase
), attempts_begun AS (
    INSERT INTO attempt (delivery_id, n, repeat_number, started_at)
    SELECT id, 1, 0, $1 FROM planned WHERE phase = 'sending'
    RETURNING 1
)
"""  # noqa: S608 -- made of constants
_TELL = """
ARRAY(SELECT id FROM planned) AS planned, ARRAY(SELECT id FROM planned WHERE phase = 'sending') AS started,
(SELECT count(*) FROM attempts_begun) AS attempts_begun
"""


class Starting:
    """What is to be planned, with ``leases`` for what may be started: have ``parts`` executed as, or in, a
    statement that commits itself, and say at once that it is ``committed``.

    Then ``rows`` are those that were started, and are to be tried; nobody else tries them.
    """

    def __init__(
        self, planning: Planning, leases: Sequence[store.Lease] = (), *, lease_seconds: float
    ) -> None:
        self.leases = leases
        self.rows: list[store.Row] = []
        self.started: frozenset[UUID] = frozenset()
        self._planning = planning
        introducing, planned = planning.parts
        if leases:
            planned = _starting(planning, dict(leases), lease_seconds)
        self.parts = (introducing, planned)

    def committed(self, row: asyncpg.Record) -> None:
        """``row`` is the answer of the statement with ``parts`` in it."""
        if not self.leases:
            return
        self.started = frozenset(row["started"])
        tokens = dict(self.leases)
        self.rows = [
            self._row(index, tokens[delivery_id])
            for index, delivery_id in enumerate(self._planning.ids)
            if delivery_id in self.started
        ]

    def _row(self, index: int, token: UUID) -> store.Row:
        """As it was written."""
        return row_of_new(
            self._planning.ids[index],
            self._planning.deliveries[index],
            planned_at=self._planning.now,
            state=State(Phase.SENDING, attempts=1),
            lease_token=token,
        )


def wanting(planning: Planning) -> list[tuple[UUID, str]]:
    """Ids and destinations of those that may be started together: of an ordering key only the first."""
    firsts: dict[str, UUID] = {}
    for delivery_id, delivery in zip(planning.ids, planning.deliveries, strict=True):
        firsts.setdefault(delivery.ordering_key or str(delivery_id), delivery_id)
    first = set(firsts.values())
    return [
        (delivery_id, delivery.destination)
        for delivery_id, delivery in zip(planning.ids, planning.deliveries, strict=True)
        if delivery_id in first
    ]


def _starting(planning: Planning, tokens: Mapping[UUID, UUID], lease_seconds: float) -> Part:
    deliveries = planning.deliveries
    arguments = (
        planning.now,
        lease_seconds,
        planning.ids,
        *columns(deliveries),
        [tokens.get(delivery_id) for delivery_id in planning.ids],
    )
    return Part(_INSERT, arguments, _TELL)
