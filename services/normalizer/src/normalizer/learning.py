"""What is told beside leads, by sources that learn more of their leads later on; without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from normalizer.domain.enriching import Piece
from normalizer.domain.raw import Raw
from normalizer.domain.revisions import Pieces, Telling
from normalizer.store.knowledge import Kept


@dataclass(frozen=True, slots=True)
class Learned:
    """What to write: pieces that are `new`, others that are read otherwise by now, and leads that came.

    `waited` were told before the lead that came, by the keys of their raw messages.
    """

    new: Sequence[Kept] = ()
    changed: Sequence[Kept] = ()
    waited: Mapping[UUID, Kept] = field(default_factory=dict)

    @property
    def come(self) -> set[UUID]:
        """Leads that something waited for."""
        return {kept.lead_id for kept in self.waited.values()}

    @classmethod
    def of(cls, each: Iterable[Learned]) -> Learned:
        told = list(each)
        return cls(
            [kept for one in told for kept in one.new],
            [kept for one in told for kept in one.changed],
            {key: kept for one in told for key, kept in one.waited.items()},
        )


def beside(tellings: Iterable[tuple[Raw, Telling]]) -> dict[UUID, Piece]:
    """What these tell beside their lead, by the keys of their raw messages."""
    return {raw.key: telling.piece for raw, telling in tellings if telling.piece is not None}


def learned(
    tellings: Sequence[tuple[Raw, Telling]], before: Pieces, kept: Sequence[Kept], *, here: bool
) -> Learned:
    """What `tellings` of one lead, and `before`, add to what is kept; `here`: the lead itself has come."""
    pieces = {**before, **beside(tellings)}
    known = {one.key for one in kept}
    (raw, telling), *_ = tellings
    news = [(key, piece) for key, piece in pieces.items() if key not in known]
    return Learned(
        new=[
            Kept(telling.lead_id, place, key, raw.source, piece, waiting=not here, test=telling.test)
            for place, (key, piece) in enumerate(news, start=len(kept) + 1)
        ],
        changed=[replace(one, piece=pieces[one.key]) for one in kept if pieces[one.key] != one.piece],
        waited={one.key: one for one in kept if one.waiting} if here else {},
    )
