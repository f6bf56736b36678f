"""Raw messages become leads: read (pure), decide under the leads' locks, write.

Used alike by what comes off the queue, what a new mapping releases and what a person replays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
from leadbus import checkpoint, outbox
from leadbus.db import Connection, Part, at_once
from leadbus.messages import OutgoingMessage

from normalizer import events
from normalizer.domain.raw import Raw
from normalizer.domain.revisions import RECEIVED, Reading, Revision, advance, fill, refold
from normalizer.domain.terms import Terms
from normalizer.reading import Look, Read, read_raw, reading_of
from normalizer.receiving import Limits, receive_again
from normalizer.store import directory, leads, quarantine, raws
from normalizer.store.leads import Known
from normalizer.store.quarantine import How, Verdict

Change = Literal["received", "updated", "unchanged", "trial"]


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
    last_raw_at: Mapping[UUID, datetime] = field(default_factory=dict)


class Normalizing:
    """Decides and writes; every method works inside the caller's transaction.

    Events go to ``outgoing``, and out once that transaction is committed.
    """

    def __init__(
        self, limits: Limits, terms: Terms | None = None, *, outgoing: outbox.Outgoing | None = None
    ) -> None:
        self.limits = limits
        self._terms = terms or Terms()
        self._outgoing = outgoing or outbox.LeftToClaims()

    async def decide(
        self,
        conn: Connection,
        reads: Sequence[Read],
        look: Look,
        seen: asyncpg.Record,
        *,
        again: bool = False,
    ) -> Decision:
        """Hold the leads that `reads` tell of and decide their revisions.

        `seen` is the row of the statement with `look` in it. With `again` the raw messages are told anew (a
        replay): their leads are folded from the start.
        """
        dealers = directory.found(seen)
        told: list[tuple[Raw, Reading]] = []
        verdicts: list[Verdict] = []
        for one in reads:
            reading = reading_of(one, dealers)
            if isinstance(reading, Verdict):
                verdicts.append(reading)
            else:
                told.append((one.raw, reading))
        trials = [
            Told(raw, reading.lead.lead_id, 0, "trial", test=reading.lead.test)
            for raw, reading in told
            if raw.trial
        ]
        to_revise = [pair for pair in told if not pair[0].trial]
        wanted = {reading.lead.lead_id for _, reading in to_revise}
        known = await leads.held(conn, seen, wanted) | await leads.lock(conn, wanted - look.lead_ids)
        decision = await self._revise(conn, to_revise, known, again=again)
        return Decision(
            told=[*decision.told, *trials],
            verdicts=verdicts,
            revisions=decision.revisions,
            known=decision.known,
            last_raw_at=decision.last_raw_at,
        )

    async def write(
        self, conn: Connection, decision: Decision, now: datetime, *, keep: Sequence[Raw] = ()
    ) -> set[UUID]:
        """Write raw messages to `keep`, leads, revisions and events; returns the keys of those kept before.

        Raises LeadAppearedError: roll back and do it all again.
        """
        known, revisions, last_raw_at = decision.known, decision.revisions, decision.last_raw_at
        if known:
            await leads.update(conn, known, revisions, last_raw_at, now, self._terms)
        parts: list[Part] = []
        writing: outbox.Writing | None = None
        if keep:
            pins = {one.raw.key: one.lead_id for one in decision.told if not one.raw.trial}
            parts.append(raws.keeping(keep, pins, now))
        if revisions:
            documents = [revision.lead.model_dump_json(exclude_none=True) for revision in revisions]
            parts += leads.adding(known, revisions, documents, last_raw_at, now, self._terms)
            writing = self._outgoing.writing(_events(decision, documents, now))
            parts.append(writing.part)
        if not parts:
            return set()
        row = await at_once(conn, *parts)
        if writing:
            leads.check_added(row, known, revisions)
            writing.written(conn, row)
            checkpoint.passed("outbox.added")
        return set(row["kept_before"]) if keep else set()

    async def quarantine(self, conn: Connection, verdicts: Sequence[Verdict], now: datetime) -> None:
        """Open entries for what was refused, and say so."""
        times = await quarantine.put(conn, verdicts, now)
        await self.tell(
            conn, [events.quarantined(verdict, times[verdict.raw.key], now) for verdict in verdicts]
        )

    async def release(
        self, conn: Connection, told: Sequence[Told], how: How, now: datetime, *, by: str | None = None
    ) -> None:
        """Close the entries of those that were in quarantine, and say so."""
        by_key = {one.raw.key: one for one in told}
        closed = await quarantine.close(conn, list(by_key), how, now, by=by)
        await self.tell(
            conn,
            [
                events.released(by_key[entry.raw_key].raw, entry, how, by_key[entry.raw_key].leads, now)
                for entry in closed
            ],
        )

    async def tell(self, conn: Connection, messages: Sequence[OutgoingMessage]) -> None:
        """Have events published with this transaction."""
        if messages:
            await self._outgoing.writing(messages).write(conn)

    async def _revise(
        self,
        conn: Connection,
        told: Sequence[tuple[Raw, Reading]],
        known: Mapping[UUID, Known],
        *,
        again: bool,
    ) -> Decision:
        grouped: dict[UUID, list[tuple[Raw, Reading]]] = {}
        for raw, reading in sorted(told, key=lambda pair: pair[0].order):
            grouped.setdefault(reading.lead.lead_id, []).append((raw, reading))
        out_of_order = [
            lead_id
            for lead_id, pairs in grouped.items()
            if lead_id in known and (again or pairs[0][0].received_at < known[lead_id].last_raw_at)
        ]
        before = await self._told_before(conn, out_of_order) if out_of_order else {}
        revisions: list[Revision] = []
        outcomes: list[Told] = []
        for lead_id, pairs in grouped.items():
            held = known.get(lead_id)
            if held and lead_id in before and not before[lead_id]:
                made = fill(held.lead, (reading for _, reading in pairs), pairs[-1][0].key)
            elif lead_id in before:
                everything = before[lead_id] | {raw.key: (raw, reading) for raw, reading in pairs}
                in_order = sorted(everything.values(), key=lambda pair: pair[0].order)
                made = refold(
                    held.lead if held else None, (reading for _, reading in in_order), pairs[-1][0].key
                )
            else:
                made = advance(held.lead if held else None, (reading for _, reading in pairs))
            revisions += made
            outcomes += _outcomes(pairs, made, held)
        return Decision(
            told=outcomes,
            revisions=revisions,
            known=known,
            last_raw_at={lead_id: pairs[-1][0].received_at for lead_id, pairs in grouped.items()},
        )

    async def _told_before(
        self, conn: Connection, lead_ids: Sequence[UUID]
    ) -> dict[UUID, dict[UUID, tuple[Raw, Reading]]]:
        """Everything kept about these leads, read again; what cannot be read any more says nothing.

        Nothing of a lead of which the bytes of any message are gone: the rest would not make it again.
        """
        told = await raws.of_leads(conn, lead_ids)
        partly = {raw.lead_id for raw in told if raw.pruned}
        kept = [receive_again(raw, self.limits) for raw in told if raw.lead_id not in partly]
        reads = [read_raw(raw) for raw in kept]
        dealers = await directory.find(conn, (one.place for one in reads if one.place))
        before: dict[UUID, dict[UUID, tuple[Raw, Reading]]] = {lead_id: {} for lead_id in lead_ids}
        for one in reads:
            reading = reading_of(one, dealers)
            if isinstance(reading, Reading):
                before[reading.lead.lead_id][one.raw.key] = (one.raw, reading)
        return before


def _events(decision: Decision, documents: Sequence[str], now: datetime) -> list[OutgoingMessage]:
    by_key = {one.raw.key: one.raw for one in decision.told}
    return [
        events.lead_event(revision, document, by_key[revision.raw_key], now)
        for revision, document in zip(decision.revisions, documents, strict=True)
    ]


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
