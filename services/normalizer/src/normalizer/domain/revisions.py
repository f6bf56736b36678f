"""Whether a reading makes a revision, and which. Cases R1.. in the README."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from leadbus.contracts.lead import Lead

from normalizer.domain.merge import fold, merge

EventType = Literal["lead.received.v1", "lead.updated.v1"]
RECEIVED: EventType = "lead.received.v1"
UPDATED: EventType = "lead.updated.v1"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one raw message says of a lead."""

    raw_key: UUID
    lead: Lead


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of a lead: `lead.revision` is its number, `changed` what differs from the one before."""

    lead: Lead
    raw_key: UUID
    event_type: EventType
    changed: tuple[str, ...] = ()


def advance(known: Lead | None, readings: Iterable[Reading]) -> list[Revision]:
    """The revisions that these readings add to `known`, oldest first; a reading may add none."""
    revisions: list[Revision] = []
    for reading in readings:
        told = reading.lead if known is None else merge(known, reading.lead)
        revision = revise(known, told, reading.raw_key)
        if revision is not None:
            revisions.append(revision)
            known = revision.lead
    return revisions


def refold(known: Lead | None, readings: Iterable[Reading], cause: UUID) -> list[Revision]:
    """The one revision, if any, that all readings of a lead told again in order make.

    For a raw message that came late or was replayed: what it says counts as if it had been read in
    its place.
    """
    leads = [reading.lead for reading in readings]
    revision = revise(known, fold(leads), cause) if leads else None
    return [revision] if revision else []


def fill(known: Lead, readings: Iterable[Reading], cause: UUID) -> list[Revision]:
    """The one revision, if any, in which these readings say what `known` leaves open.

    For a raw message that came late or was replayed when others of its lead cannot be read again: what is
    known stands, as if it had been said after.
    """
    leads = [reading.lead for reading in readings]
    told = fold([*leads, known])
    same: dict[str, object] = {"received_at": known.received_at, "ids": fold([known, *leads]).ids}
    if set(told.warnings) == set(known.warnings):
        same["warnings"] = known.warnings
    revision = revise(known, told.model_copy(update=same), cause)
    return [revision] if revision else []


def revise(known: Lead | None, told: Lead, cause: UUID) -> Revision | None:
    """`told` as the revision after `known`; None when the content is the same."""
    if known is None:
        first = told if told.revision == 1 else told.model_copy(update={"revision": 1})
        return Revision(first, cause, RECEIVED)
    changed = told.changed_since(known)
    if not changed:
        return None
    numbered = told.model_copy(update={"revision": known.revision + 1, "links": known.links})
    return Revision(numbered, cause, UPDATED, changed)
