"""Telling the outside what became of a delivery: events in the transaction of the outcome."""

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
from leadbus.db import Connection
from leadbus.delivery.machine import Announcement, State
from leadbus.envelope import Envelope
from leadbus.messages import OutgoingMessage, event_message

if TYPE_CHECKING:
    from leadbus.delivery.store import Row

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
    await outbox.add(conn, [_event(sink, one) for one in told])


def _event(sink: str, told: Told) -> OutgoingMessage:
    event_type = f"delivery.{told.announcement.value}.v1"
    data = _MODELS[told.announcement](
        delivery_id=told.row.id,
        sink=sink,
        subject_id=told.row.subject_id,
        route=told.row.route,
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
            data=data.to_json(),
        )
    )
