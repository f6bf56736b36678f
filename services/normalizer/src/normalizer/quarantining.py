"""How a raw message leaves the quarantine: a mapping appeared, a person replayed or discarded it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from leadbus import checkpoint, web
from leadbus.clock import Clock
from leadbus.contracts.vocabulary import QuarantineReason
from leadbus.db import Connection, Database, at_once
from leadbus.web import Actor

from normalizer import events, reporting
from normalizer.deciding import Change, Decision
from normalizer.domain.raw import Raw
from normalizer.domain.revisions import Telling
from normalizer.normalizing import Normalizing
from normalizer.reading import Look, reading_of
from normalizer.receiving import receive_again
from normalizer.store import directory, quarantine, raws
from normalizer.store.quarantine import Entry, Verdict
from normalizer.transactions import in_transaction

MAPPING_CHANNEL = "normalizer_mapping"
"""NOTIFY channel that a change of `Location` or `Dealer` rings."""


class UnknownRawError(Exception):
    """There is no such raw message, or it is not in quarantine."""


class PrunedRawError(UnknownRawError):
    """There was such a raw message; its bytes have grown too old, and nothing can be read again."""


class ClosedEntryError(Exception):
    """The entry was released or discarded before; `state` says which."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: a lead, or the verdict that holds now."""

    lead_id: UUID | None = None
    revision: int | None = None
    change: Change | None = None
    verdict: Verdict | None = None


Beside = Callable[[Connection, Replayed], Awaitable[None]]


class Quarantining:
    """Processes kept raw messages again; each step is one transaction, so that a kill leaves it whole."""

    def __init__(
        self,
        database: Database,
        normalizing: Normalizing,
        clock: Clock,
        *,
        batch_size: int,
        poll_seconds: float,
    ) -> None:
        self._database = database
        self._normalizing = normalizing
        self._clock = clock
        self._batch_size = batch_size
        self._poll_seconds = poll_seconds
        self._rung = asyncio.Event()

    async def would_be(self, conn: Connection, raw: Raw) -> Telling | Verdict:
        """What a kept message comes to by today's adapters and directory; nothing of it is written."""
        one = self._normalizing.read(receive_again(raw, self._normalizing.limits))
        seen = await at_once(conn, directory.finding(Look.for_([one]).places))
        return reading_of(one, directory.found(seen))

    async def run(self) -> None:
        """Release what has become mapped, for ever. The ring is a hint, the poll the guarantee."""
        while True:
            self._rung.clear()
            if await self.release_mapped():
                continue
            try:
                await asyncio.wait_for(self._rung.wait(), self._poll_seconds)
            except TimeoutError:
                continue

    async def listen(self) -> None:
        """Be rung by changes of the directory, in whichever replica they are made."""
        await self._database.listen(MAPPING_CHANNEL, self._rung.set)

    async def release_mapped(self) -> int:
        """Process one bounded batch of what waits for a mapping that exists; returns how many left."""
        decision, news = await in_transaction(self._database, self._release_mapped)
        released = decision.told
        reporting.report_told(released, self._clock.now())
        reporting.report_linked(decision.linked)
        reporting.report_quarantined(news)
        for one in released:
            reporting.report_released(one.raw, "mapped")
        return len(released)

    async def replay(self, raw_key: UUID, actor: Actor, *, beside: Beside | None = None) -> Replayed:
        """Process an open entry again, as today's adapters and directory have it.

        Repeating it is harmless. `beside` is done in the same transaction, told what the replay came to.
        Raises UnknownRawError, ClosedEntryError, and what `beside` raises.
        """

        async def act(conn: Connection) -> tuple[Decision, Sequence[Verdict]]:
            replayed = await self._replay(conn, raw_key, actor)
            if beside is not None:
                await beside(conn, _replayed(replayed[0]))
            return replayed

        decision, news = await in_transaction(self._database, act)
        reporting.report_told(decision.told, self._clock.now())
        reporting.report_linked(decision.linked)
        reporting.report_quarantined(news)
        for one in decision.told:
            reporting.report_released(one.raw, "replayed")
        return _replayed(decision)

    async def replay_raw(self, raw_key: UUID, actor: Actor) -> Replayed:
        """Process any kept raw message again: a revision of the lead it made, if it says anything new.

        Raises UnknownRawError, PrunedRawError; ClosedEntryError for one whose quarantine ended by itself.
        """
        async with self._database.acquire() as conn:
            entry = await quarantine.state_of(conn, raw_key)
        if entry is not None and entry != "released":
            return await self.replay(raw_key, actor)
        decision = await in_transaction(self._database, lambda conn: self._tell_again(conn, raw_key, actor))
        reporting.report_told(decision.told, self._clock.now())
        reporting.report_linked(decision.linked)
        return _replayed(decision)

    async def discard(self, raw_key: UUID, actor: Actor, why: str) -> None:
        """Close an open entry for good; the bytes stay. Raises UnknownRawError, ClosedEntryError."""
        raw = await in_transaction(self._database, lambda conn: self._discard(conn, raw_key, actor, why))
        reporting.report_released(raw, "discarded")

    async def _release_mapped(self, conn: Connection) -> tuple[Decision, Sequence[Verdict]]:
        keys = await quarantine.mapped(conn, self._batch_size)
        if not keys:
            return Decision(), []
        kept = await raws.by_key(conn, keys)
        decision = await self._process(conn, [kept[key] for key in keys], again=False)
        await self._normalizing.release(conn, decision.told, "mapped", self._clock.now())
        checkpoint.passed("normalizer.released")
        return decision, await self._still(conn, decision.verdicts, "location_unmapped")

    async def _replay(
        self, conn: Connection, raw_key: UUID, actor: Actor
    ) -> tuple[Decision, Sequence[Verdict]]:
        entry = await self._open_entry(conn, raw_key)
        raw = (await raws.by_key(conn, [raw_key]))[raw_key]
        decision = await self._process(conn, [raw], again=True)
        await self._normalizing.release(conn, decision.told, "replayed", self._clock.now(), by=actor.subject)
        news = await self._still(conn, decision.verdicts, entry.reason)
        await self._audit(conn, actor, "quarantine.replay", raw_key, _replayed(decision))
        return decision, news

    async def _tell_again(self, conn: Connection, raw_key: UUID, actor: Actor) -> Decision:
        raw = (await raws.by_key(conn, [raw_key])).get(raw_key)
        if raw is None:
            raise UnknownRawError
        decision = await self._process(conn, [raw], again=True)
        await self._audit(conn, actor, "raw.replay", raw_key, _replayed(decision))
        return decision

    async def _discard(self, conn: Connection, raw_key: UUID, actor: Actor, why: str) -> Raw:
        await self._open_entry(conn, raw_key)
        now = self._clock.now()
        (entry,) = await quarantine.close(conn, [raw_key], "discarded", now, by=actor.subject, note=why)
        raw = (await raws.by_key(conn, [raw_key]))[raw_key]
        if not raw.trial:
            await self._normalizing.tell(conn, [events.released(raw, entry, "discarded", (), now)])
        await web.audit(conn, actor, "quarantine.discard", f"quarantine/{raw_key}", {"note": why})
        return raw

    async def _process(self, conn: Connection, kept: Sequence[Raw], *, again: bool) -> Decision:
        if any(raw.pruned for raw in kept):
            raise PrunedRawError
        reads = [self._normalizing.read(receive_again(raw, self._normalizing.limits)) for raw in kept]
        look = Look.for_(reads)
        seen = await at_once(conn, *look.parts)
        decision = await self._normalizing.decide(conn, reads, look, seen, again=again)
        await raws.pin(
            conn,
            {
                one.raw.key: one.lead_id
                for one in decision.told
                if one.raw.lead_id is None and not one.raw.trial
            },
        )
        await self._normalizing.write(conn, decision, self._clock.now())
        return decision

    async def _still(
        self, conn: Connection, verdicts: Sequence[Verdict], before: QuarantineReason
    ) -> Sequence[Verdict]:
        """Note today's verdicts; returns those that are news to anybody: another reason than `before`."""
        now = self._clock.now()
        same = [verdict for verdict in verdicts if verdict.reason == before]
        other = [verdict for verdict in verdicts if verdict.reason != before]
        await quarantine.put(conn, same, now)
        await self._normalizing.quarantine(conn, other, now)
        return other

    async def _open_entry(self, conn: Connection, raw_key: UUID) -> Entry:
        entry = await quarantine.lock(conn, raw_key)
        if entry is None:
            raise UnknownRawError
        if entry.state != "open":
            raise ClosedEntryError(entry.state)
        return entry

    async def _audit(
        self, conn: Connection, actor: Actor, action: str, raw_key: UUID, replayed: Replayed
    ) -> None:
        detail = {
            "change": replayed.change,
            "lead_id": str(replayed.lead_id) if replayed.lead_id else None,
            "reason": replayed.verdict.reason if replayed.verdict else None,
        }
        await web.audit(conn, actor, action, f"raw/{raw_key}", detail)


def _replayed(decision: Decision) -> Replayed:
    if decision.verdicts:
        return Replayed(verdict=decision.verdicts[0])
    (told,) = decision.told
    if told.change == "trial":
        return Replayed(change="trial")
    return Replayed(told.lead_id, told.revision or None, told.change)
