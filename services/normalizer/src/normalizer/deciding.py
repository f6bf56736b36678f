"""What raw messages say of their leads, and the revisions that they make; without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from leadbus.contracts.lead import Dealer

from normalizer.domain.linking import NewLink
from normalizer.domain.raw import Raw
from normalizer.domain.revisions import RECEIVED, Reading, Revision, advance, fill, refold
from normalizer.reading import Read, reading_of
from normalizer.store.directory import Place
from normalizer.store.leads import Known
from normalizer.store.quarantine import Verdict

Change = Literal["received", "updated", "unchanged", "trial"]
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

    @property
    def leads(self) -> tuple[UUID, ...]:
        """The lead, unless it was a mere trial."""
        return () if self.change == "trial" else (self.lead_id,)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write for some raw messages, decided while their leads are held."""

    told: Sequence[Told] = ()
    verdicts: Sequence[Verdict] = ()
    revisions: Sequence[Revision] = ()
    known: Mapping[UUID, Known] = field(default_factory=dict)
    linked: Sequence[NewLink] = ()
    last_raw_at: Mapping[UUID, datetime] = field(default_factory=dict)

    @property
    def pins(self) -> dict[UUID, UUID]:
        """The lead that each raw message made: {raw key: lead id}."""
        return {one.raw.key: one.lead_id for one in self.told if not one.raw.trial}

    def documents(self) -> list[str]:
        """The leads of `revisions` as JSON."""
        return [revision.lead.model_dump_json(exclude_none=True) for revision in self.revisions]


def placed(
    reads: Iterable[Read], dealers: Mapping[Place, Dealer]
) -> tuple[list[tuple[Raw, Reading]], list[Verdict]]:
    """What the reads say of leads, and why the others cannot be taken for one."""
    told: list[tuple[Raw, Reading]] = []
    verdicts: list[Verdict] = []
    for one in reads:
        reading = reading_of(one, dealers)
        if isinstance(reading, Verdict):
            verdicts.append(reading)
        else:
            told.append((one.raw, reading))
    return told, verdicts


def _by_lead(told: Iterable[tuple[Raw, Reading]]) -> dict[UUID, list[tuple[Raw, Reading]]]:
    """What is no trial, by its lead, oldest first."""
    grouped: dict[UUID, list[tuple[Raw, Reading]]] = {}
    for raw, reading in sorted(told, key=lambda pair: pair[0].order):
        if not raw.trial:
            grouped.setdefault(reading.lead.lead_id, []).append((raw, reading))
    return grouped


def to_refold(told: Iterable[tuple[Raw, Reading]], known: Mapping[UUID, Known], *, again: bool) -> list[UUID]:
    """Known leads of which something is told that came before what they stand at."""
    return [
        lead_id
        for lead_id, pairs in (_by_lead(told) if known else {}).items()
        if lead_id in known and (again or pairs[0][0].received_at < known[lead_id].last_raw_at)
    ]


def decided(
    told: Sequence[tuple[Raw, Reading]],
    known: Mapping[UUID, Known],
    before: Mapping[UUID, Mapping[UUID, tuple[Raw, Reading]]],
    settle: Settle | None = None,
) -> Decision:
    """The revisions that this makes; `before` is all that was told of the leads `to_refold`."""
    grouped = _by_lead(told)
    revisions: list[Revision] = []
    outcomes: list[Told] = []
    for lead_id, pairs in grouped.items():
        made = _made(pairs, known.get(lead_id), before.get(lead_id))
        if settle is not None:
            made = settle(made, known.get(lead_id))
        revisions += made
        outcomes += _outcomes(pairs, made, known.get(lead_id))
    outcomes += [
        Told(raw, reading.lead.lead_id, 0, "trial", test=reading.lead.test)
        for raw, reading in told
        if raw.trial
    ]
    return Decision(
        told=outcomes,
        revisions=revisions,
        known=known,
        last_raw_at={lead_id: pairs[-1][0].received_at for lead_id, pairs in grouped.items()},
    )


def _made(
    pairs: Sequence[tuple[Raw, Reading]],
    held: Known | None,
    before: Mapping[UUID, tuple[Raw, Reading]] | None,
) -> Sequence[Revision]:
    lead, cause = held.as_told if held else None, pairs[-1][0].key
    if before is None:
        return advance(lead, (reading for _, reading in pairs))
    if lead is not None and not before:
        return fill(lead, (reading for _, reading in pairs), cause)
    everything = {**before, **{raw.key: (raw, reading) for raw, reading in pairs}}
    in_order = sorted(everything.values(), key=lambda pair: pair[0].order)
    return refold(lead, (reading for _, reading in in_order), cause)


def _outcomes(
    pairs: Iterable[tuple[Raw, Reading]], made: Sequence[Revision], held: Known | None
) -> list[Told]:
    by_raw = {revision.raw_key: revision for revision in made}
    stands_at = held.lead.revision if held else 0
    outcomes = []
    for raw, reading in pairs:
        revision = by_raw.get(raw.key)
        if revision is None:
            change: Change = "unchanged"
        else:
            change = "received" if revision.event_type == RECEIVED else "updated"
            stands_at = revision.lead.revision
        lead = reading.lead
        outcomes.append(Told(raw, lead.lead_id, stands_at, change, len(lead.warnings), lead.test))
    return outcomes
