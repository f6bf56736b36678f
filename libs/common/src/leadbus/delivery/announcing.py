"""Telling what became of deliveries and destinations: events in the transaction of the outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import uuid5

from leadbus import outbox
from leadbus.contracts import EVENTS, NAMESPACE
from leadbus.contracts.delivery_events import (
    DeliveryEvent,
    DeliveryFailed,
    DeliveryRecovered,
    DeliverySkipped,
    DeliverySucceeded,
)
from leadbus.contracts.destination_events import DestinationResumed, DestinationSuspended
from leadbus.db import Connection
from leadbus.delivery import destinations
from leadbus.delivery.health import Change, Turn
from leadbus.delivery.machine import Announcement, State
from leadbus.envelope import Envelope
from leadbus.messages import OutgoingMessage, event_message

if TYPE_CHECKING:
    from leadbus.delivery.store import Row

GATHER_SECONDS = 0.25
"""How long news of deliveries waits for more of it; the normalizer's ledger then waits for longer still."""

_MODELS: Mapping[Announcement, type[DeliveryEvent]] = {
    Announcement.SUCCEEDED: DeliverySucceeded,
    Announcement.FAILED: DeliveryFailed,
    Announcement.SKIPPED: DeliverySkipped,
    Announcement.RECOVERED: DeliveryRecovered,
}


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to tell: the delivery with its new state and the outcome's code."""

    row: Row
    state: State
    announcement: Announcement
    outcome: str
    at: datetime


async def announce(conn: Connection, sink: str, told: Sequence[Told]) -> None:
    """Put the events into the outbox."""
    await outbox.add(conn, events(sink, told))


def events(sink: str, told: Sequence[Told]) -> list[OutgoingMessage]:
    """The messages that tell it."""
    return [_event(sink, one) for one in told]


def _event(sink: str, told: Told) -> OutgoingMessage:
    event_type = f"delivery.{told.announcement.value}.v1"
    data = _MODELS[told.announcement](
        delivery_id=told.row.id,
        sink=sink,
        subject_id=told.row.subject_id,
        route=told.row.route,
        target=told.row.target,
        aside=told.row.aside,
        outcome=told.outcome,
        attempts=told.state.attempts,
        ambiguous=told.state.doubts > 0,
        repeat=told.state.repeat_number > 0,
        planned_at=told.row.planned_at,
        finished_at=told.at,
    )
    assert type(data) is EVENTS[event_type].model
    return event_message(
        Envelope(
            # Counted by announcement, not by attempt: one delivery can fail twice without a try between
            # (cancelled, redriven, cancelled), and those are two events.
            id=str(uuid5(NAMESPACE, f"{told.row.id}/{told.state.announcements}/{event_type}")),
            source=f"/leadbus/{sink}",
            type=event_type,
            time=told.at,
            subject=told.row.subject_id,
            datacontenttype="application/json",
            extensions={"test": "true"} if told.row.test else {},
            data=data.to_json(),
        )
    )


async def announce_turns(conn: Connection, sink: str, turns: Sequence[Turn]) -> None:
    """Put the events of destinations that were suspended or resumed into the outbox."""
    told = [turn for turn in turns if turn.change in (Change.SUSPENDED, Change.RESUMED)]
    if not told:
        return
    held = await destinations.held(conn, {turn.destination for turn in told})
    await outbox.add(conn, [_turned(sink, turn, held.get(turn.destination, 0)) for turn in told])


def _turned(sink: str, turn: Turn, held: int) -> OutgoingMessage:
    assert turn.suspension is not None
    facts = {
        "sink": sink,
        "destination": turn.destination,
        "reason": turn.suspension.reason,
        "since": turn.suspension.since,
        "held": held,
    }
    data: DestinationSuspended | DestinationResumed
    if turn.change is Change.SUSPENDED:
        data = DestinationSuspended.model_validate(facts)
    else:
        data = DestinationResumed.model_validate({**facts, "resumed_at": turn.at})
    event_type = f"destination.{turn.change.value}.v1"
    assert type(data) is EVENTS[event_type].model
    return event_message(
        Envelope(
            id=str(uuid5(NAMESPACE, f"{sink}/{turn.destination}/{turn.number}/{event_type}")),
            source=f"/leadbus/{sink}",
            type=event_type,
            time=turn.at,
            subject=turn.destination,
            datacontenttype="application/json",
            data=data.to_json(),
        )
    )
