"""What raw messages say of their leads, and the revisions that they make; without I/O."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from leadbus.contracts.lead import Dealer, Lead

from normalizer.domain.declarations import Declaration, all_declared
from normalizer.domain.linking import NewLink
from normalizer.domain.raw import Raw
from normalizer.domain.revisions import (
    ENRICHED,
    NO_PIECES,
    RECEIVED,
    Enrichment,
    Pieces,
    Reading,
    Revision,
    Telling,
    advance,
    fill,
    refold,
)
from normalizer.learning import Learned, beside, learned
from normalizer.reading import Read, reading_of
from normalizer.store.directory import Place
from normalizer.store.knowledge import Kept
from normalizer.store.leads import Known
from normalizer.store.quarantine import Verdict

Change = Literal["received", "updated", "enriched", "unchanged", "waiting", "trial"]
"""`waiting`: knowledge of a lead that is not here."""
Settle = Callable[[Sequence[Revision], Known | None], Sequence[Revision]]
"""What becomes of one lead's revisions, which say what its sources tell, after what it stood at."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a raw message did to a lead; `revision` is where the lead stands after it."""

    raw: Raw
    lead_id: UUID
    revision: int
    change: Change
    warnings: int = 0
    test: bool = False
    type_unknown: bool = False

    @property
    def leads(self) -> tuple[UUID, ...]:
        """The lead, unless it is not here or it was a mere trial."""
        return () if self.change in ("waiting", "trial") else (self.lead_id,)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write for some raw messages, decided while their leads are held."""

    told: Sequence[Told] = ()
    verdicts: Sequence[Verdict] = ()
    revisions: Sequence[Revision] = ()
    known: Mapping[UUID, Known] = field(default_factory=dict)
    linked: Sequence[NewLink] = ()
    last_raw_at: Mapping[UUID, datetime] = field(default_factory=dict)
    learned: Learned = field(default_factory=Learned)
    declared: Sequence[Declaration] = ()

    @property
    def pins(self) -> dict[UUID, UUID]:
        """The lead that each raw message made or told of: {raw key: lead id}."""
        return {one.raw.key: one.lead_id for one in self.told if not one.raw.trial}

    @property
    def leads(self) -> list[Lead]:
        """Those of `revisions`, as of their last."""
        return list({revision.lead.lead_id: revision.lead for revision in self.revisions}.values())

    def documents(self) -> list[str]:
        """The leads of `revisions` as JSON."""
        return [revision.lead.model_dump_json(exclude_none=True) for revision in self.revisions]


def placed(
    reads: Iterable[Read], dealers: Mapping[Place, Dealer]
) -> tuple[list[tuple[Raw, Telling]], list[Verdict]]:
    """What the reads say of leads, and why the others cannot be taken for one."""
    told: list[tuple[Raw, Telling]] = []
    verdicts: list[Verdict] = []
    for one in reads:
        reading = reading_of(one, dealers)
        if isinstance(reading, Verdict):
            verdicts.append(reading)
        else:
            told.append((one.raw, reading))
    return told, verdicts


def _by_lead(told: Iterable[tuple[Raw, Telling]]) -> dict[UUID, list[tuple[Raw, Telling]]]:
    """What is no trial, by its lead, oldest first."""
    grouped: dict[UUID, list[tuple[Raw, Telling]]] = {}
    for raw, telling in sorted(told, key=lambda pair: pair[0].order):
        if not raw.trial:
            grouped.setdefault(telling.lead_id, []).append((raw, telling))
    return grouped


def to_refold(told: Iterable[tuple[Raw, Telling]], known: Mapping[UUID, Known], *, again: bool) -> list[UUID]:
    """Known leads of which something is told that came before what they stand at.

    What is told beside a lead has an order of its own.
    """
    readings = [pair for pair in told if isinstance(pair[1], Reading)] if known else []
    return [
        lead_id
        for lead_id, pairs in _by_lead(readings).items()
        if lead_id in known and (again or pairs[0][0].received_at < known[lead_id].last_raw_at)
    ]


def decided(
    told: Sequence[tuple[Raw, Telling]],
    known: Mapping[UUID, Known],
    before: Mapping[UUID, Mapping[UUID, tuple[Raw, Reading]]],
    settle: Settle | None = None,
    *,
    kept: Mapping[UUID, Sequence[Kept]] | None = None,
) -> Decision:
    """The revisions that this makes.

    `before` is all that was told of the leads `to_refold`, `kept` all that was told beside any of them.
    """
    kept = kept or {}
    grouped = _by_lead(told)
    revisions: list[Revision] = []
    outcomes: list[Told] = []
    news: list[Learned] = []
    for lead_id, pairs in grouped.items():
        held, again, there = known.get(lead_id), before.get(lead_id), kept.get(lead_id, ())
        pieces: Pieces = {one.key: one.piece for one in there} | beside((again or {}).values())
        made = _made(pairs, held, again, pieces)
        if settle is not None:
            made = settle(made, held)
        revisions += made
        outcomes += _outcomes(pairs, made, held)
        if pieces or pairs[0][1].piece is not None:
            news.append(learned(pairs, pieces, there, here=bool(held or made)))
    outcomes += [
        Told(raw, telling.lead_id, 0, "trial", test=telling.test) for raw, telling in told if raw.trial
    ]
    return Decision(
        told=outcomes,
        revisions=revisions,
        known=known,
        last_raw_at={lead_id: pairs[-1][0].received_at for lead_id, pairs in grouped.items()},
        learned=Learned.of(news),
        declared=all_declared((raw, one.lead) for raw, one in told if isinstance(one, Reading)),
    )


def _made(
    pairs: Sequence[tuple[Raw, Telling]],
    held: Known | None,
    before: Mapping[UUID, tuple[Raw, Reading]] | None,
    pieces: Pieces = NO_PIECES,
) -> Sequence[Revision]:
    lead, cause = held.as_told if held else None, pairs[-1][0].key
    if before is None:
        return advance(lead, (telling for _, telling in pairs), pieces)
    pieces = {**pieces, **beside(pairs)}
    readings = {raw.key: (raw, telling) for raw, telling in pairs if isinstance(telling, Reading)}
    if lead is not None and not before:
        return fill(lead, (reading for _, reading in readings.values()), cause, pieces)
    in_order = sorted({**before, **readings}.values(), key=lambda pair: pair[0].order)
    return refold(lead, (reading for _, reading in in_order), cause, pieces)


def _outcomes(
    pairs: Sequence[tuple[Raw, Telling]], made: Sequence[Revision], held: Known | None
) -> list[Told]:
    by_raw = {revision.raw_key: revision for revision in made}
    reached = _reached([raw.key for raw, _ in pairs], made)
    stands_at = held.lead.revision if held else 0
    outcomes = []
    for raw, telling in pairs:
        stands_at = max(stands_at, reached.get(raw.key, 0))
        change = _change(by_raw.get(raw.key), telling, here=bool(held or made))
        unknown = isinstance(telling, Reading) and telling.type_unknown
        outcomes.append(
            Told(raw, telling.lead_id, stands_at, change, telling.warnings, telling.test, unknown)
        )
    return outcomes


def _reached(keys: Collection[UUID], made: Sequence[Revision]) -> dict[UUID, int]:
    """Which revision each of `keys` brought its lead to, with what waited for the lead that it told."""
    if len(made) < 2:  # as it nearly always is
        return {revision.raw_key: revision.lead.revision for revision in made}
    told = set(keys)
    reached: dict[UUID, int] = {}
    cause: UUID | None = None
    for revision in made:
        cause = revision.raw_key if cause is None or revision.raw_key in told else cause
        reached[cause] = revision.lead.revision
    return reached


def _change(revision: Revision | None, telling: Telling, *, here: bool) -> Change:
    if revision is None:
        return "waiting" if isinstance(telling, Enrichment) and not here else "unchanged"
    if revision.event_type == RECEIVED:
        return "received"
    return "enriched" if revision.event_type == ENRICHED else "updated"
