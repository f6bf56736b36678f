"""One raw message read by its source's adapter, and the lead it tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from leadbus.contracts.lead import Dealer
from leadbus.db import Part
from leadbus.log import logger

from normalizer.domain.draft import Draft
from normalizer.domain.enriching import Piece, Proof, enriched
from normalizer.domain.knowledge import Knowledge
from normalizer.domain.placing import Origin, id_told, place
from normalizer.domain.raw import Raw
from normalizer.domain.rejection import Rejection
from normalizer.domain.revisions import Enrichment, Reading, Telling
from normalizer.receiving import failed
from normalizer.sources import read
from normalizer.sources.bdk_types import TYPES, LeadTypes
from normalizer.store import directory, knowledge, leads
from normalizer.store.directory import Place
from normalizer.store.quarantine import Verdict

_log = logger("normalizing")


@dataclass(frozen=True, slots=True)
class Read:
    """A raw message, what its adapter says of it, and the lead it tells of where that is known by now."""

    raw: Raw
    draft: Draft | Knowledge | Rejection
    lead_id: UUID | None = None

    @property
    def place(self) -> Place | None:
        """Where it says that the lead belongs."""
        if not isinstance(self.draft, Draft):
            return None
        return Place(self.raw.source, self.raw.account, self.draft.location)

    @property
    def piece(self) -> Piece | None:
        """What it tells beside a lead, if it is of a source that may learn more of its leads later on."""
        told = self.draft
        if isinstance(told, Rejection) or told.parameters is None:
            return None
        proof = Proof(self.raw.wire_id, self.raw.received_at)
        if isinstance(told, Knowledge):
            return Piece(proof, told.parameters, told.extras, told.warnings)
        return Piece(proof, told.parameters, told.extras, alone=False)


@dataclass(frozen=True, slots=True)
class Look:
    """The dealers to find and the leads to hold before it is decided about some reads, at one look."""

    places: frozenset[Place]
    lead_ids: frozenset[UUID]
    learning: frozenset[UUID]
    """Leads of sources that may have told of them before."""

    @classmethod
    def for_(cls, reads: Sequence[Read]) -> Look:
        places = (one.place for one in reads)
        return cls(
            frozenset(place for place in places if place),
            frozenset(one.lead_id for one in reads if one.lead_id),
            frozenset(one.lead_id for one in reads if one.lead_id and one.piece),
        )

    @property
    def parts(self) -> tuple[Part, Part]:
        """Of the statement that looks."""
        return directory.finding(self.places), leads.holding(self.lead_ids)

    @property
    def glance(self) -> tuple[Part, ...]:
        """Of a statement that only asks whether any of the leads is there or told of, and holds none."""
        parts = directory.finding(self.places), leads.looking_for(self.lead_ids)
        return (*parts, knowledge.looking_for(self.learning)) if self.learning else parts


def read_raw(raw: Raw, lead_types: LeadTypes = TYPES) -> Read:
    """Run the source's adapter, unless the message itself was rejected.

    An adapter's defect costs its own message, now and whenever it is read again, and no other.
    """
    if raw.rejection is not None:
        return Read(raw, raw.rejection)
    try:
        draft = read(raw.source, raw.data, raw.content_type, raw.way, lead_types)
        return Read(raw, draft, raw.lead_id or id_told(draft, _origin(raw)))
    except Rejection as rejection:
        return Read(raw, rejection)
    except Exception as error:  # noqa: BLE001 -- whatever a defect raises; the bytes are kept and replayable
        _log.error("adapter.failed", source=raw.source, raw_key=str(raw.key), exc_info=error)
        return Read(raw, failed(error))


def reading_of(one: Read, dealers: Mapping[Place, Dealer]) -> Telling | Verdict:
    """What it says of its lead, or why it cannot be taken for one."""
    raw, draft, piece = one.raw, one.draft, one.piece
    if isinstance(draft, Rejection):
        return Verdict(raw, draft.reason, draft.detail, draft.field, draft.kind)
    if isinstance(draft, Knowledge):
        assert piece is not None
        assert one.lead_id is not None, "knowledge names its lead"
        return Enrichment(raw.key, one.lead_id, piece, draft.test or raw.test)
    place_ = one.place
    dealer = dealers.get(place_) if place_ else None
    if dealer is None:
        return Verdict(
            raw,
            "location_unmapped",
            "no Location setting maps this reference to a dealer",
            draft.location_field,
            "string",
            location=draft.location,
        )
    lead = place(draft, _origin(raw), dealer, one.lead_id)
    return Reading(raw.key, enriched(lead, [piece] if piece else ()), piece)


def _origin(raw: Raw) -> Origin:
    return Origin(raw.source, raw.account, raw.received_at, raw.test)
