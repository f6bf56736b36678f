"""How knowledge joins a lead's attribution: by field, each value with its proof.

A field's newest `as_of` wins; of the same `as_of` the one that is there stays. So pieces may come twice, out
of order, before the lead or days after it, and make the same attribution.

A lead's content has values only, no proof: a revision may not show that a value was confirmed later. All
pieces of a lead are therefore kept and folded anew (`enriched`), instead of joining each to a revision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce

from leadbus.contracts.attribution import Attributed, Attribution
from leadbus.contracts.lead import Lead, Warning_

from normalizer.domain.knowledge import PARAMETERS, Told

USEFUL = frozenset(
    {
        *("source", "traffic_type", "campaign", "ad_content", "keyword", "social_network"),
        *("full_referral_path", "ga_client_id", "ym_client_id", "at_client_id"),
    }
)
"""Parameters that say where a visitor came from, or who it is to an analytics system. Date, place, browser,
device and mailbox are known of every lead and tell nothing of an advert: alone they start no enrichment."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Which raw message told, and when our door saw it."""

    raw_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Piece:
    """What one raw message told beside the lead; `alone` where it told no lead.

    `extras` are those of the message whatever it told, because a later one replaces an earlier. `warnings`
    of one that told a lead are the lead's own.
    """

    proof: Proof
    parameters: Mapping[str, Told]
    extras: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Warning_, ...] = ()
    alone: bool = True


def attribution_of(piece: Piece, useful: Collection[str] = USEFUL) -> Attribution:
    """What one piece alone makes known.

    A value without `as_of`, or with one that lies after our door saw it, is of the moment of the door: a
    tracker's clock that runs ahead must not win for ever.
    """
    proof, parameters = piece.proof, piece.parameters
    told = {
        key: Attributed(
            value=one.value,
            as_of=min(one.as_of or proof.received_at, proof.received_at),
            raw_id=proof.raw_id,
        )
        for key, one in parameters.items()
    }
    known_at = proof.received_at if parameters.keys() & set(useful) else None
    return Attribution(known_at=known_at, **told)


def merge(known: Attribution, later: Attribution) -> Attribution:
    """`known` with whatever of `later` is newer; useful since the first of the two was."""
    moments = [moment for moment in (known.known_at, later.known_at) if moment is not None]
    fields = {key: _newer(getattr(known, key), getattr(later, key)) for key in PARAMETERS}
    return Attribution(known_at=min(moments, default=None), **fields)


def attribution_of_all(pieces: Iterable[Piece], useful: Collection[str] = USEFUL) -> Attribution:
    """What all pieces make known, in whichever order they are given.

    Where two are of the same `as_of`, the one that came to our door first stays.
    """
    return reduce(merge, (attribution_of(piece, useful) for piece in _in_order(pieces)), Attribution())


def enriched(lead: Lead, pieces: Collection[Piece]) -> Lead:
    """`lead` with all that its pieces tell, in whichever order they are given; none change nothing."""
    if not pieces:
        return lead
    in_order = _in_order(pieces)
    extras = {path: text for piece in in_order for path, text in piece.extras.items()}
    warnings = (warning for piece in in_order for warning in piece.warnings)
    return lead.model_copy(
        update={
            "attribution": attribution_of_all(in_order),
            "extras": lead.extras | extras,
            "warnings": tuple(dict.fromkeys((*lead.warnings, *warnings))),
        }
    )


def _in_order(pieces: Iterable[Piece]) -> Sequence[Piece]:
    """As they came to our door."""
    return sorted(pieces, key=lambda piece: (piece.proof.received_at, piece.proof.raw_id))


def _newer(known: Attributed | None, later: Attributed | None) -> Attributed | None:
    if known is None or later is None:
        return known or later
    return later if later.as_of > known.as_of else known
