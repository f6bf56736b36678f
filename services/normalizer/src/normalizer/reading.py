"""One raw message read by its source's adapter, and the lead it tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from leadbus.contracts.lead import Dealer
from leadbus.db import Part
from leadbus.log import logger

from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, id_told, place
from normalizer.domain.raw import Raw
from normalizer.domain.rejection import Rejection
from normalizer.domain.revisions import Reading
from normalizer.receiving import failed
from normalizer.sources import read
from normalizer.store import directory, leads
from normalizer.store.directory import Place
from normalizer.store.quarantine import Verdict

_log = logger("normalizing")


@dataclass(frozen=True, slots=True)
class Read:
    """A raw message, what its adapter says of it, and the lead it tells of where that is known by now."""

    raw: Raw
    draft: Draft | Rejection
    lead_id: UUID | None = None

    @property
    def place(self) -> Place | None:
        """Where it says that the lead belongs."""
        if isinstance(self.draft, Rejection):
            return None
        return Place(self.raw.source, self.raw.account, self.draft.location)


@dataclass(frozen=True, slots=True)
class Look:
    """The dealers to find and the leads to hold before it is decided about some reads, at one look."""

    places: frozenset[Place]
    lead_ids: frozenset[UUID]

    @classmethod
    def for_(cls, reads: Sequence[Read]) -> Look:
        places = (one.place for one in reads)
        return cls(
            frozenset(place for place in places if place),
            frozenset(one.lead_id for one in reads if one.lead_id),
        )

    @property
    def parts(self) -> tuple[Part, Part]:
        """Of the statement that looks."""
        return directory.finding(self.places), leads.holding(self.lead_ids)

    @property
    def glance(self) -> tuple[Part, Part]:
        """Of a statement that only asks whether any of the leads is there, and holds none."""
        return directory.finding(self.places), leads.looking_for(self.lead_ids)


def read_raw(raw: Raw) -> Read:
    """Run the source's adapter, unless the message itself was rejected.

    An adapter's defect costs its own message, now and whenever it is read again, and no other.
    """
    if raw.rejection is not None:
        return Read(raw, raw.rejection)
    try:
        draft = read(raw.source, raw.data, raw.content_type, raw.way)
        return Read(raw, draft, raw.lead_id or id_told(draft, _origin(raw)))
    except Rejection as rejection:
        return Read(raw, rejection)
    except Exception as error:  # noqa: BLE001 -- whatever a defect raises; the bytes are kept and replayable
        _log.error("adapter.failed", source=raw.source, raw_key=str(raw.key), exc_info=error)
        return Read(raw, failed(error))


def reading_of(one: Read, dealers: Mapping[Place, Dealer]) -> Reading | Verdict:
    """What it says of its lead, or why it cannot be taken for one."""
    raw, draft = one.raw, one.draft
    if isinstance(draft, Rejection):
        return Verdict(raw, draft.reason, draft.detail, draft.field, draft.kind)
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
    return Reading(raw.key, place(draft, _origin(raw), dealer, one.lead_id))


def _origin(raw: Raw) -> Origin:
    return Origin(raw.source, raw.account, raw.received_at, raw.test)
