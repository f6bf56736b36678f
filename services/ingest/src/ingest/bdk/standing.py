"""How a connection is, of everything that is known about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from leadbus.db import Connection

from ingest.bdk.outcome import NEEDS_PERSON
from ingest.store import bdk_cursors, bdk_reads
from ingest.store.bdk_connections import InForce
from ingest.store.bdk_cursors import Cursor
from ingest.store.bdk_reads import Waiting


@dataclass(frozen=True, slots=True)
class Standing:
    """``needs_person`` says why, in words of Outcome; empty where nobody is needed."""

    name: str
    enabled: bool
    state: Literal["well", "needs_person", "paused", "off"]
    failures: int
    stopped_at: datetime | None
    not_before: datetime | None
    needs_person: Sequence[str]
    waiting: Mapping[str, int]
    oldest_due: datetime | None
    cursors: Sequence[Cursor]

    @property
    def reasons_in_force(self) -> Sequence[str]:
        """``needs_person`` of a connection that is on: nobody waits for one that is off."""
        return self.needs_person if self.enabled else ()

    @property
    def listed_until(self) -> datetime | None:
        """Until when the list is known that is known least; None where none is asked for."""
        return min((cursor.known_until for cursor in self.cursors), default=None)


async def standings_of(conn: Connection, known: Sequence[InForce], now: datetime) -> list[Standing]:
    """How each connection is now."""
    waiting = await bdk_reads.waiting(conn)
    cursors = await bdk_cursors.of(conn, [one.name for one in known])
    return [_standing(one, waiting, cursors, now) for one in known]


def _standing(
    connection: InForce, waiting: Sequence[Waiting], lists: Sequence[Cursor], now: datetime
) -> Standing:
    listed = connection.spec.listed
    # A list that is asked for no more stays known, and is nobody's trouble.
    cursors = [one for one in lists if one.connection == connection.name and one.partner_number in listed]
    mine = {one.state: one for one in waiting if one.connection == connection.name}
    reasons = {connection.stopped_for} if connection.stopped_for else set()
    if "held" in mine:
        reasons.add("forbidden")
    reasons |= {cursor.outcome for cursor in cursors if cursor.outcome in NEEDS_PERSON}
    return Standing(
        name=connection.name,
        enabled=connection.spec.enabled,
        state=_state(connection, bool(reasons), now),
        failures=connection.failures,
        stopped_at=connection.stopped_at,
        not_before=connection.not_before,
        needs_person=sorted(reason for reason in reasons if reason),
        waiting={state: one.number for state, one in mine.items()},
        oldest_due=mine["due"].oldest if "due" in mine else None,
        cursors=cursors,
    )


def _state(
    connection: InForce, needs_person: bool, now: datetime
) -> Literal["well", "needs_person", "paused", "off"]:
    if not connection.spec.enabled:
        return "off"
    if needs_person:
        return "needs_person"
    return "well" if connection.may_be_asked(now) else "paused"
