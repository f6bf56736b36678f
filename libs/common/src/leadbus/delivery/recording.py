"""Writes what the machine decides: deliveries, attempts, destinations' health and events, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from leadbus import checkpoint
from leadbus.db import Connection
from leadbus.delivery import breaker, machine, store
from leadbus.delivery.announcing import Told, announce
from leadbus.delivery.breaker import BreakerSettings, BreakerState, Signal
from leadbus.delivery.machine import TERMINAL, Decision
from leadbus.delivery.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Rules:
    """What decisions depend on beside the delivery: the sink's settings."""

    sink: str
    schedule: Schedule
    breaker: BreakerSettings


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a locked delivery, and the try it ends if any."""

    row: store.Row
    event: machine.Event
    attempt: store.AttemptEnd | None = None


Decided: TypeAlias = tuple[Happening, Decision]


async def record(
    conn: Connection, rules: Rules, happenings: Sequence[Happening], *, now: datetime
) -> list[Decision]:
    """Decide and write, for rows that ``conn``'s transaction holds locked; at most one happening per row.

    Raises machine.NotAllowed before anything is written.
    """
    if not happenings:
        return []
    decided = [(it, machine.decide(it.row.state, it.event, rules.schedule)) for it in happenings]
    await store.write(conn, [_change(it.row, decision, it.event, now) for it, decision in decided])
    await store.end_attempts(conn, [it.attempt for it in happenings if it.attempt is not None])
    await _note_health(conn, decided, rules.breaker, now)
    told = [_told(it.row, decision, now) for it, decision in decided if decision.announce]
    checkpoint.passed("delivery.state_written")
    await announce(conn, rules.sink, told)
    checkpoint.passed("delivery.announced")
    return [decision for _, decision in decided]


def _change(row: store.Row, decision: Decision, event: machine.Event, now: datetime) -> store.Change:
    due = None if decision.wait_seconds is None else now + timedelta(seconds=decision.wait_seconds)
    return store.Change(
        id=row.id,
        state=decision.state,
        outcome=decision.outcome,
        reason=decision.reason,
        not_before=due,
        finished_at=now if decision.state.phase in TERMINAL else None,
        # An operator who redrives has decided that it is not too late.
        forget_deadline=isinstance(event, machine.RedriveAsked),
    )


def _told(row: store.Row, decision: Decision, now: datetime) -> Told:
    assert decision.announce is not None
    assert decision.outcome is not None
    skipped = decision.announce is machine.Announcement.SKIPPED
    outcome = decision.reason if skipped and decision.reason else decision.outcome
    return Told(row, decision.state, decision.announce, outcome, now)


async def _note_health(
    conn: Connection, decided: Sequence[Decided], settings: BreakerSettings, now: datetime
) -> None:
    signals: dict[str, list[Signal]] = {}
    for it, decision in decided:
        if isinstance(it.event, machine.Answered | machine.LeaseExpired | machine.AnsweredLate):
            signals.setdefault(it.row.destination, []).append(decision.signal)
    if not signals:
        return
    down = {name for name, heard in signals.items() if Signal.DOWN in heard}
    concerned = down | await store.unhealthy(conn, [name for name in signals if name not in down])
    if not concerned:
        return
    locked = await store.lock_health(conn, sorted(concerned))
    healths = [_health_after(health, signals[health.name], settings, now) for health in locked]
    await store.write_health(conn, healths)


def _health_after(
    health: store.Health, heard: Sequence[Signal], settings: BreakerSettings, now: datetime
) -> store.Health:
    for signal in heard:
        was_closed = health.breaker.state is BreakerState.CLOSED
        change = breaker.after(health.breaker, signal, settings)
        health = replace(health, breaker=change.breaker)
        if change.breaker.state is BreakerState.CLOSED:
            health = replace(health, opened_at=None, next_probe_at=None)
        elif was_closed:
            health = replace(health, opened_at=now)
        if change.probe_wait_seconds is not None:
            health = replace(health, next_probe_at=now + timedelta(seconds=change.probe_wait_seconds))
    return health
