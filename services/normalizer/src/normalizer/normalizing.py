"""Raw messages become leads: read (pure), decide under the leads' locks, write.

Used alike by what comes off the queue, what a new mapping releases and what a person replays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import asyncpg
from leadbus import checkpoint, outbox
from leadbus.db import Connection, Part, at_once, in_turn
from leadbus.messages import OutgoingMessage

from normalizer import events
from normalizer.deciding import Decision, Told, decided, placed, to_refold
from normalizer.domain.raw import Raw
from normalizer.domain.revisions import Reading
from normalizer.domain.terms import Terms
from normalizer.lead_types import LeadTypesInForce
from normalizer.linking import Linking, last, unlinked
from normalizer.reading import Look, Read, read_raw
from normalizer.receiving import Limits, receive_again
from normalizer.store import acts, consents, directory, knowledge, leads, quarantine, raws
from normalizer.store.quarantine import How, Verdict
from normalizer.surroundings import look_around, nothing_around, with_refusals


class Normalizing:
    """Decides and writes; every method but `write_new` works inside the caller's transaction.

    Events go to ``outgoing``, and out once that transaction is committed.
    """

    def __init__(
        self,
        limits: Limits,
        terms: Terms | None = None,
        *,
        linking: Linking | None = None,
        outgoing: outbox.Outgoing | None = None,
        lead_types: LeadTypesInForce | None = None,
    ) -> None:
        self.limits = limits
        self._lead_types = lead_types or LeadTypesInForce()
        self._terms = terms or Terms()
        self._linking = linking or Linking()
        self._outgoing = outgoing or outbox.LeftToClaims()

    def read(self, raw: Raw) -> Read:
        """Run the source's adapter by the settings in force."""
        return read_raw(raw, self._lead_types.of(raw.account))

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
        told, verdicts = placed(reads, directory.found(seen))
        wanted = {telling.lead_id for raw, telling in told if not raw.trial}
        known = await leads.held(conn, seen, wanted) | await leads.lock(conn, wanted - look.lead_ids)
        kept = await knowledge.hold(conn, wanted & look.learning)
        # A lead may have come while what was told beside it was waited for.
        known |= await leads.lock(conn, kept.keys() - known.keys())
        before = await self._told_before(conn, to_refold(told, known, again=again))
        decision = decided(told, known, before, kept=kept)
        around = await look_around(conn, decision, self._linking)
        if around or any(one.told_consent for one in known.values()):
            decision = decided(told, known, before, around.settle, kept=kept)
        if around.akin:
            others = await leads.lock(conn, around.akin.keys() - known.keys())
            decision = await with_refusals(conn, self._linking.linked(decision, others, around.akin))
        return replace(decision, verdicts=verdicts)

    async def decide_new(
        self, conn: Connection, reads: Sequence[Read], seen: asyncpg.Record
    ) -> tuple[Decision, Sequence[Part]] | None:
        """Decide about `reads` as if nobody had told of their leads before; and on what condition that holds.

        None when it does not: one cannot be placed, or something stored bears on one. `seen` is the row of a
        statement with the dealers in it.
        """
        told, verdicts = placed(reads, directory.found(seen))
        if verdicts:
            return None
        decision = decided(told, {}, {})
        if decision.declared:
            return None
        conditions = await nothing_around(conn, decision, self._linking)
        return None if conditions is None else (decision, conditions)

    async def write(
        self, conn: Connection, decision: Decision, now: datetime, *, keep: Sequence[Raw] = ()
    ) -> set[UUID]:
        """Write raw messages to `keep`, leads, revisions and events; returns the keys of those kept before.

        Raises LeadAppearedError: roll back and do it all again.
        """
        kept_before = await self._write(conn, decision, now, keep)
        await consents.bind(conn, [one.lead for one in decision.revisions if one.told_consent is not None])
        await acts.record(conn, decision.declared, now)
        return kept_before

    async def _write(
        self, conn: Connection, decision: Decision, now: datetime, keep: Sequence[Raw]
    ) -> set[UUID]:
        known, revisions, last_raw_at = decision.known, decision.revisions, decision.last_raw_at
        if known:
            await leads.update(conn, known, revisions, last_raw_at, now, self._terms)
        parts: list[Part] = []
        writing: outbox.Writing | None = None
        if keep:
            parts.append(raws.keeping(keep, decision.pins, now))
        if revisions:
            documents = decision.documents()
            parts += leads.adding(known, revisions, documents, last_raw_at, now, self._terms)
            writing = self._outgoing.writing(_events(decision, documents, now))
            parts.append(writing.part)
        learned = decision.learned
        if learned.new:
            parts.append(knowledge.adding(learned.new))
        await knowledge.change(conn, learned.changed)
        await knowledge.end_wait(conn, learned.come)
        if not parts:
            return set()
        row = await at_once(conn, *parts)
        if learned.new:
            knowledge.check_added(row, learned.new)
        await leads.keep_told_consents(conn, known, revisions)
        if writing:
            leads.check_added(row, known, revisions)
            writing.written(conn, row)
            checkpoint.passed("outbox.added")
        return set(row["kept_before"]) if keep else set()

    async def write_new(
        self,
        conn: Connection,
        decision: Decision,
        conditions: Sequence[Part],
        now: datetime,
        *,
        claim: Part,
    ) -> None:
        """Write what `decide_new` decided, its raw messages and a `claim` on them, and commit it.

        It is one statement, and `conn` in no transaction. Where anything of it is there already, or a
        condition does not hold, nothing is written, and it raises one of LOST_RACES.
        """
        keep = [one.raw for one in decision.told]
        parts = [claim, raws.keeping_new(keep, decision.pins, now), *conditions]
        writing: outbox.Writing | None = None
        if decision.revisions:
            documents = decision.documents()
            parts += leads.adding_new(decision.revisions, documents, decision.last_raw_at, now, self._terms)
            writing = self._outgoing.writing(_events(decision, documents, now))
            parts.append(writing.part)
        if decision.learned.new:
            parts.append(knowledge.adding_new(decision.learned.new))
        row = await at_once(conn, *parts)
        if writing:
            writing.committed(row)

    @property
    def links(self) -> bool:
        """Whether leads are linked here."""
        return self._linking.finds

    async def left_unlinked(self, conn: Connection, decision: Decision) -> bool:
        """Whether somebody told of the same persons while this was decided and written.

        Neither sees the other's lead before both are committed; whoever looks after that sees it.
        """
        told = last(decision)
        search = self._linking.seek(told)
        return search is not None and unlinked(told, search.found(await at_once(conn, search.part)))

    async def link(self, conn: Connection, decision: Decision, now: datetime) -> Decision:
        """Link the leads that `decision` told of, as they are by now; returns what was written.

        One at a time of all replicas: of leads of one person each would wait for what another holds.
        """
        await in_turn(conn, "normalizer late links")
        told = await leads.lock(conn, (lead.lead_id for lead in last(decision)))
        now_known = Decision(
            told=decision.told,
            known=told,
            last_raw_at={key: one.last_raw_at for key, one in told.items()},
        )
        around = await look_around(conn, now_known, self._linking)
        others = await leads.lock(conn, around.akin.keys() - told.keys())
        linked = await with_refusals(conn, self._linking.linked(now_known, others, around.akin))
        await self.write(conn, linked, now)
        return linked

    async def quarantine(self, conn: Connection, verdicts: Sequence[Verdict], now: datetime) -> None:
        """Open entries for what was refused, and say so; of a trial nobody is told."""
        times = await quarantine.put(conn, verdicts, now)
        told = [verdict for verdict in verdicts if not verdict.raw.trial]
        await self.tell(conn, [events.quarantined(verdict, times[verdict.raw.key], now) for verdict in told])

    async def release(
        self, conn: Connection, told: Sequence[Told], how: How, now: datetime, *, by: str | None = None
    ) -> None:
        """Close the entries of those that were in quarantine, and say so; of a trial nobody is told."""
        by_key = {one.raw.key: one for one in told}
        closed = await quarantine.close(conn, list(by_key), how, now, by=by)
        ended = [(by_key[entry.raw_key], entry) for entry in closed]
        await self.tell(
            conn,
            [
                events.released(one.raw, entry, how, one.leads, now)
                for one, entry in ended
                if not one.raw.trial
            ],
        )

    async def tell(self, conn: Connection, messages: Sequence[OutgoingMessage]) -> None:
        """Have events published with this transaction."""
        if messages:
            await self._outgoing.writing(messages).write(conn)

    async def _told_before(
        self, conn: Connection, lead_ids: Sequence[UUID]
    ) -> dict[UUID, dict[UUID, tuple[Raw, Reading]]]:
        """Everything kept about these leads, read again; what cannot be read any more says nothing.

        Nothing of a lead of which the bytes of any message are gone: the rest would not make it again.
        """
        if not lead_ids:
            return {}
        told = await raws.of_leads(conn, lead_ids)
        partly = {raw.lead_id for raw in told if raw.pruned}
        kept = [receive_again(raw, self.limits) for raw in told if raw.lead_id not in partly]
        reads = [self.read(raw) for raw in kept]
        dealers = await directory.find(conn, (one.place for one in reads if one.place))
        before: dict[UUID, dict[UUID, tuple[Raw, Reading]]] = {lead_id: {} for lead_id in lead_ids}
        for raw, reading in placed(reads, dealers)[0]:
            if isinstance(reading, Reading):
                before[reading.lead_id][raw.key] = (raw, reading)
        return before


def _events(decision: Decision, documents: Sequence[str], now: datetime) -> list[OutgoingMessage]:
    causes: dict[UUID, events.Cause] = {**decision.learned.waited}
    causes |= {one.raw.key: one.raw for one in decision.told}
    return [
        events.lead_event(revision, document, causes[revision.raw_key], now)
        for revision, document in zip(decision.revisions, documents, strict=True)
    ]
