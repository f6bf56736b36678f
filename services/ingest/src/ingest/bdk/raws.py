"""The raw messages that leads of the bank are, and what is kept instead where there is no lead."""

from __future__ import annotations

from ingest.arrivals import Arrival, Faulty
from ingest.bdk import content
from ingest.bdk.content import Told
from ingest.bdk.outcome import Trouble

SOURCE = "bdk"
UNTYPED = "application/octet-stream"


def arrival_of(
    connection: str, told: Told, body: bytes, content_type: str, correlation_id: str | None
) -> Arrival:
    """A lead's bytes, whichever way they came: the same lead saying the same is the same message."""
    attributes = {"test": "true"} if told.test else {}
    if correlation_id is not None:
        attributes["correlationid"] = correlation_id
    return Arrival(SOURCE, connection, content.identity(told.lead_id, body), body, content_type, attributes)


def unread_notification(connection: str, body: bytes, content_type: str, why: str) -> Faulty:
    """What proved its sender and cannot be read."""
    arrival = _unread(connection, content.digest(body).hex(), body, content_type)
    return Faulty(arrival, "payload_invalid", f"notification: {why}")


def unread_answer(connection: str, asked_for: str, trouble: Trouble) -> Faulty | None:
    """What came instead of what was ``asked_for``; the same again is the same."""
    if trouble.body is None:
        return None
    arrival = _unread(
        connection, content.identity(asked_for, trouble.body), trouble.body, trouble.content_type
    )
    return Faulty(arrival, "undecodable", f"answer to a GET: {trouble.detail}")


def _unread(connection: str, what: str, body: bytes, content_type: str) -> Arrival:
    return Arrival(SOURCE, connection, f"unread {what}", body, content_type or UNTYPED)
