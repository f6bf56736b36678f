"""What consumers and operators do to deliveries. Everything an operator does is audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from leadbus.db import Connection, Part, at_once
from leadbus.delivery import machine, store
from leadbus.delivery.announcing import Told, announce
from leadbus.delivery.breaker import BreakerSettings
from leadbus.delivery.machine import Announcement, Phase, State
from leadbus.delivery.recording import Happening, Rules, record
from leadbus.delivery.schedule import Schedule
from leadbus.web.audit import record as audit
from leadbus.web.audit import record_all as audit_all


class OperationRefused(Exception):  # noqa: N818 -- it names what happened
    """The delivery is in no state for this. ``code``: ``in_flight``, ``finished``, ``no_destination``."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NoSuchDelivery(LookupError):  # noqa: N818 -- it names a condition
    """No delivery has this id."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A subject to be delivered on a route.

    ``key`` is the sink's natural key: planning the same key again does nothing. Higher ``priority`` goes
    first within a destination. Deliveries with the same ``ordering_key`` go one at a time and in the order
    of planning, each waiting for the end of the one before. After ``deadline`` it is not tried any more.
    ``dealer`` decides which limited tokens may see it. ``test``: no real customer stands behind it.
    ``target`` and ``aside`` are what its events tell: which of the route's recipients it is for, and that
    whether the subject arrived does not depend on it.
    """

    key: str
    subject_id: str
    destination: str
    route: str
    priority: int = 0
    ordering_key: str | None = None
    not_before: datetime | None = None
    deadline: datetime | None = None
    dealer: str | None = None
    test: bool = False
    target: str = ""
    aside: bool = False


_INSERT = """
planned AS (
    INSERT INTO delivery (
        id, key, subject_id, destination, route, dealer, priority, ordering_key, phase,
        planned_at, not_before, deadline, outcome, reason, finished_at, announced, announcements, test,
        target, aside)
    SELECT id, key, subject_id, destination, route, dealer, priority, ordering_key, $1::text, $2,
           greatest($2, coalesce(not_before, $2)), deadline, $3, $4, $5, $6, $7, test,
           target, aside
    FROM unnest($8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::smallint[],
                $15::text[], $16::timestamptz[], $17::timestamptz[], $18::boolean[], $19::text[],
                $20::boolean[]) WITH ORDINALITY
        AS new (id, key, subject_id, destination, route, dealer, priority, ordering_key, not_before, deadline,
                test, target, aside, n)
    ORDER BY n
    ON CONFLICT (key) DO NOTHING
    RETURNING id
)
"""

# Sorted, so that two plans that introduce the same destinations wait for each other in the same order.
_INTRODUCE = """
INSERT INTO destination (name, created_at)
SELECT DISTINCT name, $2::timestamptz FROM unnest($1::text[]) AS new (name) ORDER BY name
ON CONFLICT DO NOTHING
"""
_INTRODUCED = f"introduced AS ({_INTRODUCE} RETURNING name)"


async def plan(
    conn: Connection, deliveries: Sequence[NewDelivery], *, now: datetime | None = None
) -> list[UUID | None]:
    """Plan deliveries in the caller's transaction: ids of the new ones in order, None where the key is known.

    ``now`` is the injected clock's time. Afterwards wake the engine; it finds them by itself within a second.
    """
    if not deliveries:
        return []
    planning = Planning(deliveries, now or datetime.now(UTC))
    return planning.answers(await at_once(conn, *planning.parts))


class Planning:
    """``plan`` as parts of a larger statement: have ``parts`` executed, then ask for the ``answers``.

    ``ids`` are what the deliveries get, in order. Another part that joins ``planned (id)`` writes what
    belongs to a delivery only where that is new. Raises ValueError for a delivery without a destination.
    """

    def __init__(self, deliveries: Sequence[NewDelivery], now: datetime) -> None:
        if not all(delivery.destination for delivery in deliveries):
            raise ValueError("a delivery needs a destination; without one, skip it")
        self.ids = [uuid4() for _ in deliveries]
        self.deliveries = deliveries
        self.now = now
        introducing = Part(
            _INTRODUCED,
            (list({delivery.destination for delivery in deliveries}), now),
            "(SELECT count(*) FROM introduced) AS destinations_introduced",
        )
        self.parts = (introducing, _inserting(self.ids, deliveries, Phase.QUEUED, now))

    def answers(self, row: asyncpg.Record) -> list[UUID | None]:
        """What ``plan`` returns, from the row of the statement."""
        return _planned(self.ids, row)


async def skip(
    conn: Connection, delivery: NewDelivery, reason: str, *, sink: str, now: datetime | None = None
) -> UUID | None:
    """Put on record that this will not be delivered and why (``no_route``), and tell the outside.

    ``delivery.destination`` and ``route`` may be empty when none is known. Returns None where the key is
    known already.
    """
    moment = now or datetime.now(UTC)
    ids = [uuid4()]
    inserted = await at_once(conn, _inserting(ids, [delivery], Phase.SKIPPED, moment, reason))
    (delivery_id,) = _planned(ids, inserted)
    if delivery_id is None:
        return None
    state = State(Phase.SKIPPED, announced=Announcement.SKIPPED, announcements=1)
    row = row_of_new(delivery_id, delivery, planned_at=moment, state=state)
    await announce(conn, sink, [Told(row, state, Announcement.SKIPPED, reason, moment)])
    return delivery_id


async def redrive(
    conn: Connection, delivery_id: UUID, *, actor: str, sink: str, now: datetime | None = None
) -> State:
    """Try now what was never accepted; repeat, saying so, what was. Returns the new state.

    Raises NoSuchDelivery, and OperationRefused while it is in flight or when it has no destination.
    """
    row = await _lock(conn, delivery_id)
    if not row.destination:
        raise OperationRefused("no_destination", "it was skipped without a destination")
    await conn.execute(_INTRODUCE, [row.destination], now or datetime.now(UTC))
    return await _operate(conn, row, machine.RedriveAsked(), "delivery.redrive", actor, sink, now)


async def redrive_all(
    conn: Connection,
    rows: Sequence[store.Row],
    *,
    actor: str,
    sink: str,
    now: datetime,
    detail: Mapping[str, Any],
) -> None:
    """The same for many that the caller holds locked; none is in flight, and each has a destination.

    ``detail`` goes into each one's audit row. Raises machine.NotAllowed before anything is written.
    """
    if not rows:
        return
    await conn.execute(_INTRODUCE, [row.destination for row in rows], now)
    rules = Rules(sink, Schedule(), BreakerSettings())
    asked = [Happening(row, machine.RedriveAsked()) for row in rows]
    recorded = await record(conn, rules, asked, now=now)
    acts = {
        f"delivery/{row.id}": {**_changed(row.state, decision.state), **detail}
        for row, decision in zip(rows, recorded.decisions, strict=True)
    }
    await audit_all(conn, actor, "delivery.redrive", acts)


async def cancel(
    conn: Connection, delivery_id: UUID, *, actor: str, sink: str, now: datetime | None = None
) -> State:
    """End what has no end yet. Returns the new state; raises NoSuchDelivery, OperationRefused."""
    row = await _lock(conn, delivery_id)
    return await _operate(conn, row, machine.CancelAsked(), "delivery.cancel", actor, sink, now)


def columns(deliveries: Sequence[NewDelivery]) -> tuple[list[Any], ...]:
    """What is stored of new deliveries, key to aside, a list for each column."""
    return (
        [delivery.key for delivery in deliveries],
        [delivery.subject_id for delivery in deliveries],
        [delivery.destination for delivery in deliveries],
        [delivery.route for delivery in deliveries],
        [delivery.dealer for delivery in deliveries],
        [delivery.priority for delivery in deliveries],
        [delivery.ordering_key for delivery in deliveries],
        [delivery.not_before for delivery in deliveries],
        [delivery.deadline for delivery in deliveries],
        [delivery.test for delivery in deliveries],
        [delivery.target for delivery in deliveries],
        [delivery.aside for delivery in deliveries],
    )


def row_of_new(
    delivery_id: UUID,
    delivery: NewDelivery,
    *,
    planned_at: datetime,
    state: State,
    lease_token: UUID | None = None,
) -> store.Row:
    """A delivery as it stands once it was inserted in that state."""
    return store.Row(
        id=delivery_id,
        key=delivery.key,
        subject_id=delivery.subject_id,
        destination=delivery.destination,
        route=delivery.route,
        ordering_key=delivery.ordering_key,
        planned_at=planned_at,
        deadline=delivery.deadline,
        lease_token=lease_token,
        state=state,
        test=delivery.test,
        target=delivery.target,
        aside=delivery.aside,
    )


def _inserting(
    ids: Sequence[UUID],
    deliveries: Sequence[NewDelivery],
    phase: Phase,
    now: datetime,
    reason: str | None = None,
) -> Part:
    skipped = phase is Phase.SKIPPED
    arguments = (
        phase.value,
        now,
        "skipped" if skipped else None,
        reason,
        now if skipped else None,
        Announcement.SKIPPED.value if skipped else None,
        1 if skipped else 0,
        ids,
        *columns(deliveries),
    )
    return Part(_INSERT, arguments, "ARRAY(SELECT id FROM planned) AS planned")


def _planned(ids: Sequence[UUID], row: asyncpg.Record) -> list[UUID | None]:
    new = set(row["planned"])
    return [delivery_id if delivery_id in new else None for delivery_id in ids]


async def _lock(conn: Connection, delivery_id: UUID) -> store.Row:
    rows = await store.lock(conn, [delivery_id])
    if not rows:
        raise NoSuchDelivery(delivery_id)
    return rows[0]


async def _operate(
    conn: Connection,
    row: store.Row,
    event: machine.Event,
    action: str,
    actor: str,
    sink: str,
    now: datetime | None,
) -> State:
    # No operator's event depends on the schedule or the breaker.
    rules = Rules(sink, Schedule(), BreakerSettings())
    try:
        recorded = await record(conn, rules, [Happening(row, event)], now=now or datetime.now(UTC))
    except machine.NotAllowed as refusal:
        if refusal.phase is Phase.SENDING:
            raise OperationRefused("in_flight", "wait for its answer") from None
        raise OperationRefused("finished", f"its phase is {refusal.phase.value}") from None
    (decision,) = recorded.decisions
    await audit(conn, actor, action, f"delivery/{row.id}", _changed(row.state, decision.state))
    return decision.state


def _changed(before: State, after: State) -> dict[str, Any]:
    return {"from": before.phase.value, "to": after.phase.value, "repeat_number": after.repeat_number}
