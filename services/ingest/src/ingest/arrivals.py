"""The one way by which ingest takes what it fetched or received itself, not over ``POST /v1/raw``.

The same arrival is stored once and published once, however often and by however many replicas it is brought.
What cannot be published is kept in ingest's own quarantine, and told as ``raw.quarantined.v1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from leadbus.db import Connection, on_commit
from leadbus.messages import DOORS_BODY_BYTES, raw_message
from leadbus.outbox import Outgoing

from ingest import events, metrics
from ingest.domain.arrival import Arrival, Faulty
from ingest.domain.raw import raw_envelope
from ingest.store import quarantine as quarantined
from ingest.store import raws

__all__ = ["Arrival", "Faulty", "quarantine", "store"]

_TOO_LARGE = f"larger than {DOORS_BODY_BYTES} bytes, which is the most that the normalizer reads"


async def store(
    conn: Connection, arrivals: Sequence[Arrival], now: datetime, outgoing: Outgoing
) -> list[bool]:
    """Store what is new, and have it published once ``conn``'s transaction commits; says what was new.

    Each body is a message of its own; one over 4 MiB is quarantined instead. ``conn`` is in a
    ``Database.transaction``. What was forgotten by retention is new again, under the id it had.
    """
    fitting = [arrival for arrival in arrivals if len(arrival.body) <= DOORS_BODY_BYTES]
    large = [
        Faulty(arrival, "too_large", _TOO_LARGE)
        for arrival in arrivals
        if len(arrival.body) > DOORS_BODY_BYTES
    ]
    new = await raws.insert_arrivals(conn, fitting, now)
    first = _first_of_each(fitting, new)
    messages = [
        raw_message(arrival.source, raw_envelope(arrival, arrival.raw_id, now, arrival.attributes))
        for arrival in first
    ]
    if messages:
        subjects = [str(arrival.raw_id) for arrival in first]
        await outgoing.writing(messages, subjects=subjects).write(conn)
    on_commit(conn, lambda: _count(fitting, first))
    kept = await quarantine(conn, large, now, outgoing)
    told = {id(one) for one in first} | {
        id(one.arrival) for one, is_new in zip(large, kept, strict=True) if is_new
    }
    return [id(arrival) in told for arrival in arrivals]


async def quarantine(
    conn: Connection, faulty: Sequence[Faulty], now: datetime, outgoing: Outgoing
) -> list[bool]:
    """Keep what is not published, tell of it once ``conn``'s transaction commits; says what was new."""
    new = await quarantined.put(conn, faulty, now)
    first = _first_of_each([one.arrival for one in faulty], new)
    wanted = {id(arrival) for arrival in first}
    told = [one for one in faulty if id(one.arrival) in wanted]
    if told:
        await outgoing.writing([events.quarantined(one, now) for one in told]).write(conn)
        on_commit(conn, lambda: _count_quarantined(told))
    return [id(one.arrival) in wanted for one in faulty]


def _first_of_each(arrivals: Sequence[Arrival], new: set[UUID]) -> list[Arrival]:
    """Those that are new, each once: what comes twice in one batch is the same thing too."""
    first = {arrival.raw_id: arrival for arrival in reversed(arrivals) if arrival.raw_id in new}
    return [arrival for arrival in arrivals if first.get(arrival.raw_id) is arrival]


def _count(arrivals: Sequence[Arrival], first: Sequence[Arrival]) -> None:
    new = {id(arrival) for arrival in first}
    for arrival in arrivals:
        outcome = "test" if arrival.test else "stored" if id(arrival) in new else "repeated"
        metrics.ARRIVED.labels(source=arrival.source, outcome=outcome).inc()


def _count_quarantined(faulty: Sequence[Faulty]) -> None:
    for one in faulty:
        metrics.QUARANTINED.labels(source=one.arrival.source, reason=one.reason).inc()
