"""Whether a reading makes a revision, and which. Cases R1.. in the README."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from leadbus.contracts.lead import Consent, Lead

from normalizer.domain.enriching import Piece, enriched
from normalizer.domain.merge import fold, merge

EventType = Literal["lead.received.v1", "lead.updated.v1", "lead.enriched.v1", "lead.consent_changed.v1"]
RECEIVED: EventType = "lead.received.v1"
UPDATED: EventType = "lead.updated.v1"
ENRICHED: EventType = "lead.enriched.v1"
CONSENT_CHANGED: EventType = "lead.consent_changed.v1"

Pieces = Mapping[UUID, Piece]
"""What was told beside one lead: {key of the raw message: piece}."""
NO_PIECES: Pieces = MappingProxyType({})
_ATTRIBUTION = ("attribution",)
_TYPE_UNKNOWN = frozenset({"lead_type_unknown", "type_unknown"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What one raw message says of a lead; `piece` of a source that may learn more of it later on."""

    raw_key: UUID
    lead: Lead
    piece: Piece | None = None

    @property
    def lead_id(self) -> UUID:
        return self.lead.lead_id

    @property
    def warnings(self) -> int:
        """How many."""
        return len(self.lead.warnings)

    @property
    def type_unknown(self) -> bool:
        """Whether the source named a type of lead that nobody knows here."""
        return any(warning.code in _TYPE_UNKNOWN for warning in self.lead.warnings)

    @property
    def test(self) -> bool:
        return self.lead.test


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What one raw message says beside a lead that may not be here yet."""

    raw_key: UUID
    lead_id: UUID
    piece: Piece
    test: bool = False

    @property
    def warnings(self) -> int:
        """How many."""
        return len(self.piece.warnings)


Telling = Reading | Enrichment


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of a lead: `lead.revision` is its number, `changed` what differs from the one before.

    `told_consent` is what the sources tell where acts made it another.
    """

    lead: Lead
    raw_key: UUID
    event_type: EventType
    changed: tuple[str, ...] = ()
    told_consent: Consent | None = None


def advance(known: Lead | None, tellings: Iterable[Telling], pieces: Pieces = NO_PIECES) -> list[Revision]:
    """The revisions that these add to `known`, oldest first; one may add none.

    `pieces` was told beside the lead before. What waited for the lead enriches it as soon as it is here.
    """
    revisions: list[Revision] = []
    gathered = dict(pieces)
    for telling in tellings:
        if telling.piece is not None:
            gathered[telling.raw_key] = telling.piece
        for revision in _added(known, telling, gathered):
            revisions.append(revision)
            known = revision.lead
    return revisions


def _added(known: Lead | None, telling: Telling, pieces: Pieces) -> list[Revision]:
    if isinstance(telling, Enrichment):
        enrichment = known and revise(known, enriched(known, pieces.values()), telling.raw_key, ENRICHED)
        return [enrichment] if enrichment else []
    if known is not None:
        told = enriched(merge(known, telling.lead), pieces.values())
        revision = revise(known, told, telling.raw_key)
        return [revision] if revision else []
    received = revise(None, telling.lead, telling.raw_key)
    assert received is not None
    return [received, *_waited(received.lead, pieces)]


def _waited(lead: Lead, pieces: Pieces) -> list[Revision]:
    """What was told before the lead came, as its next revision; the last piece of it is the cause."""
    waited = [(piece.proof.received_at, raw_key) for raw_key, piece in pieces.items() if piece.alone]
    if not waited:
        return []
    enrichment = revise(lead, enriched(lead, pieces.values()), max(waited)[1], ENRICHED)
    return [enrichment] if enrichment else []


def refold(
    known: Lead | None, readings: Iterable[Reading], cause: UUID, pieces: Pieces = NO_PIECES
) -> list[Revision]:
    """The one revision, if any, that all readings of a lead told again in order make.

    For a raw message that came late or was replayed: what it says counts as if it had been read in
    its place.
    """
    leads = [reading.lead for reading in readings]
    revision = revise(known, enriched(fold(leads), pieces.values()), cause) if leads else None
    return [revision] if revision else []


def fill(known: Lead, readings: Iterable[Reading], cause: UUID, pieces: Pieces = NO_PIECES) -> list[Revision]:
    """The one revision, if any, in which these readings say what `known` leaves open.

    For a raw message that came late or was replayed when others of its lead cannot be read again: what is
    known stands, as if it had been said after.
    """
    leads = [reading.lead for reading in readings]
    told = fold([*leads, known])
    same: dict[str, object] = {"received_at": known.received_at, "ids": fold([known, *leads]).ids}
    if set(told.warnings) == set(known.warnings):
        same["warnings"] = known.warnings
    revision = revise(known, enriched(told.model_copy(update=same), pieces.values()), cause)
    return [revision] if revision else []


def revise(known: Lead | None, told: Lead, cause: UUID, event_type: EventType = UPDATED) -> Revision | None:
    """`told` as the revision after `known`; None when the content is the same.

    An update that tells nothing but where the visitor came from is an enrichment, whoever told it.
    """
    if known is None:
        first = told if told.revision == 1 else told.model_copy(update={"revision": 1})
        return Revision(first, cause, RECEIVED)
    changed = told.changed_since(known)
    if not changed:
        return None
    numbered = told.model_copy(update={"revision": known.revision + 1, "links": known.links})
    if event_type == UPDATED and changed == _ATTRIBUTION:
        event_type = ENRICHED
    return Revision(numbered, cause, event_type, changed)
