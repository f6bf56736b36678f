"""How knowledge joins a lead's attribution: by field, each value with its proof.

A field's newest `as_of` wins; of the same `as_of` the one that is there stays. So pieces may come twice, out
of order, before the lead or days after it, and make the same attribution.

A lead's content has values only, no proof: a revision may not show that a value was confirmed later.
Who takes pieces out of order folds them all (`attribution_of_all`) instead of joining each to a revision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from leadbus.contracts.attribution import Attributed, Attribution

from normalizer.domain.knowledge import PARAMETERS, Knowledge

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
    """What one raw message told about where the visitor came from."""

    knowledge: Knowledge
    proof: Proof


def attribution_of(piece: Piece, useful: Collection[str] = USEFUL) -> Attribution:
    """What one piece alone makes known.

    A value without `as_of`, or with one that lies after our door saw it, is of the moment of the door: a
    tracker's clock that runs ahead must not win for ever.
    """
    proof, parameters = piece.proof, piece.knowledge.parameters
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
    in_order = sorted(pieces, key=lambda piece: (piece.proof.received_at, piece.proof.raw_id))
    return reduce(merge, (attribution_of(piece, useful) for piece in in_order), Attribution())


def changed_parameters(before: Attribution, after: Attribution) -> tuple[str, ...]:
    """Keys whose value differs, in the tracker's order; a value that was only confirmed is none of them."""
    return tuple(key for key in PARAMETERS if _value(before, key) != _value(after, key))


def _newer(known: Attributed | None, later: Attributed | None) -> Attributed | None:
    if known is None or later is None:
        return known or later
    return later if later.as_of > known.as_of else known


def _value(attribution: Attribution, key: str) -> str | None:
    told: Attributed | None = getattr(attribution, key)
    return told.value if told else None
