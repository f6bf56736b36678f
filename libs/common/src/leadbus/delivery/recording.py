"""Writes what the machine decides: deliveries, attempts, destinations' health and events, all at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from leadbus import checkpoint, outbox
from leadbus.db import Connection, at_once
from leadbus.delivery import destinations, machine, store
from leadbus.delivery.announcing import Told, announce, announce_turns, events
from leadbus.delivery.breaker import BreakerSettings, Signal
from leadbus.delivery.health import Health, Heard, Turn, noted
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
    """Something that happened to a delivery, and the try it ends if any."""

    row: store.Row
    event: machine.Event
    attempt: store.AttemptEnd | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was decided, in the order of the happenings, and how destinations turned."""

    decisions: Sequence[Decision] = ()
    turns: Sequence[Turn] = ()

    @property
    def told(self) -> bool:
        """Whether something was put into the outbox."""
        return any(decision.announce for decision in self.decisions) or any(
            turn.number for turn in self.turns
        )


Decided: TypeAlias = tuple[Happening, Decision]
ByDestination: TypeAlias = Mapping[str, Sequence[Heard]]
"""By destination, what its tries said in their order."""


async def record(
    conn: Connection, rules: Rules, happenings: Sequence[Happening], *, now: datetime
) -> Recorded:
    """Decide and write, for rows that ``conn``'s transaction holds locked; at most one happening per row.

    Raises machine.NotAllowed before anything is written.
    """
    if not happenings:
        return Recorded()
    decided = [(it, machine.decide(it.row.state, it.event, rules.schedule)) for it in happenings]
    await store.write(conn, [_change(it.row, decision, it.event, now) for it, decision in decided])
    ends = [(it.attempt, decision.joins) for it, decision in decided if it.attempt is not None]
    await store.end_attempts(conn, [replace(end, joins=joins) for end, joins in ends])
    turns = await _note_health(conn, rules, _heard(decided), now)
    told = _told(decided, now)
    checkpoint.passed("delivery.state_written")
    await announce(conn, rules.sink, told)
    checkpoint.passed("delivery.announced")
    return Recorded([decision for _, decision in decided], turns)


@dataclass(frozen=True, slots=True)
class RecordedLeased:
    """``makes_room``: others may go now. ``heard``: what is still to be noted of destinations."""

    makes_room: bool
    heard: ByDestination


async def record_leased(
    conn: Connection,
    rules: Rules,
    ended: Sequence[Happening],
    outgoing: outbox.Outgoing,
    *,
    now: datetime,
) -> RecordedLeased:
    """The same for tries that were taken, in one statement that commits itself, and without a lock.

    Nobody but the leaseholder changes a delivery that is being tried, so the rows are as they were claimed;
    the statement looks whether the leases are ours still. Raises store.NotOurs and has written nothing when
    one is not. What was heard of destinations is for ``hear`` to note, afterwards and seldom.
    """
    decided = [(it, machine.decide(it.row.state, it.event, rules.schedule)) for it in ended]
    heard = _heard(decided)
    writing = outgoing.writing(events(rules.sink, _told(decided, now)))
    row = await at_once(
        conn,
        store.writing_leased(
            [_change(it.row, decision, it.event, now) for it, decision in decided],
            [_token(it.row) for it in ended],
        ),
        store.ending_attempts([it.attempt for it in ended if it.attempt is not None]),
        destinations.concerning(heard.keys(), delivered=heard.keys(), now=now),
        writing.part,
    )
    writing.committed(row)
    return RecordedLeased(row["makes_room"], {name: heard[name] for name in row["concerned"]})


async def hear(conn: Connection, rules: Rules, heard: ByDestination, *, now: datetime) -> Sequence[Turn]:
    """Note in ``conn``'s transaction what tries said of their destinations; returns how those turned."""
    return await _change_health(conn, rules, heard, heard.keys(), now)


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


def _token(row: store.Row) -> UUID:
    assert row.lease_token is not None
    return row.lease_token


def _told(decided: Sequence[Decided], now: datetime) -> list[Told]:
    told = []
    for it, decision in decided:
        if decision.announce is None:
            continue
        assert decision.outcome is not None
        skipped = decision.announce is machine.Announcement.SKIPPED
        outcome = decision.reason if skipped and decision.reason else decision.outcome
        told.append(Told(it.row, decision.told or decision.state, decision.announce, outcome, now))
    return told


def _heard(decided: Sequence[Decided]) -> dict[str, list[Heard]]:
    heard: dict[str, list[Heard]] = {}
    for it, decision in decided:
        if isinstance(it.event, machine.Answered | machine.LeaseExpired | machine.AnsweredLate):
            said = Heard(decision.signal, decision.outcome or "", decision.reason)
            heard.setdefault(it.row.destination, []).append(said)
    return heard


async def _note_health(conn: Connection, rules: Rules, heard: ByDestination, now: datetime) -> list[Turn]:
    """What the tries said about their destinations; returns how those turned, and tells it."""
    against = {
        name
        for name, said in heard.items()
        if any(one.signal in (Signal.DOWN, Signal.SUSPEND) for one in said)
    }
    others = heard.keys() - against
    taken = {name for name in others if any(one.outcome == "delivered" for one in heard[name])}
    if others:
        against |= await destinations.concerned(conn, others, delivered=taken, now=now)
    return await _change_health(conn, rules, heard, against, now) if against else []


async def _change_health(
    conn: Connection, rules: Rules, heard: ByDestination, names: Collection[str], now: datetime
) -> list[Turn]:
    turns: list[Turn] = []
    healths: list[Health] = []
    for health in await destinations.lock_health(conn, names):
        after, turned = noted(health, heard[health.name], rules.breaker, now=now)
        healths.append(after)
        turns += turned
    await destinations.write_health(conn, healths)
    await announce_turns(conn, rules.sink, turns)
    return turns
