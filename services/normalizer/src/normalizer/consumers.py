"""The consumed queues: parse, decide, store; the acknowledgement follows from not raising."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from leadbus import checkpoint, inbox
from leadbus.clock import Clock
from leadbus.contracts.events import EVENTS, DeliveryEvent
from leadbus.db import Connection, Database, at_once
from leadbus.envelope import decode
from leadbus.event_loop import others_first
from leadbus.inbox import InboxEntry, Seen
from leadbus.messages import IncomingMessage

from normalizer import reporting
from normalizer.deciding import Decision
from normalizer.domain.knowledge import Knowledge
from normalizer.domain.raw import Raw
from normalizer.domain.rejection import Rejection
from normalizer.late_links import LateLinks
from normalizer.normalizing import Normalizing
from normalizer.parting import parted
from normalizer.reading import Look, Read
from normalizer.receiving import as_poison, receive
from normalizer.store import ledger, raws
from normalizer.store.ledger import LedgerEntry, LedgerState
from normalizer.transactions import LOST_RACES, in_transaction

_CONSUMER = "normalizer.raw"
_REUSED = Rejection("id_reused", "its id came before with another content", field="id")
_STATES: dict[str, LedgerState] = {
    "delivery.succeeded.v1": "delivered",
    "delivery.recovered.v1": "delivered",
    "delivery.failed.v1": "failed",
    "delivery.skipped.v1": "skipped",
}


@dataclass(frozen=True, slots=True)
class _Taken:
    """What one batch came to."""

    decision: Decision
    duplicates: Sequence[Raw]


class RawConsumer:
    """`normalizer.raw`: a batch is one transaction, however many messages are in it.

    It is a single statement when all of it is new and can be placed, as it nearly always is. Why:
    docs/adr/0113-an-ordinary-batch-is-one-statement.md.
    """

    def __init__(
        self,
        database: Database,
        normalizing: Normalizing,
        clock: Clock,
        *,
        bare_window_seconds: int,
    ) -> None:
        self._database = database
        self._normalizing = normalizing
        self._clock = clock
        self._bare_window_seconds = bare_window_seconds
        self.late_links = LateLinks(database, normalizing, clock)

    def read(self, message: IncomingMessage) -> Sequence[Read]:
        """Identify the message and run its source's adapter, for each lead in it; nothing is decided yet."""
        raw = receive(message, self._normalizing.limits, self._clock.now())
        return [self._normalizing.read(part) for part in parted(raw)]

    async def handle(self, messages: Sequence[IncomingMessage]) -> None:
        """Turn every message into a lead or a quarantine entry; raises for the batch as a whole."""
        await self.store([self.read(message) for message in messages])

    async def store(self, reads: Sequence[Sequence[Read]]) -> None:
        """`handle` what was read before."""
        checkpoint.passed("normalizer.read")
        await self._take([one for message in reads for one in message], self._clock.now())

    async def poison(self, message: IncomingMessage, error: Exception) -> None:
        """Keep a message that `handle` fails on, with the error's class."""
        now = self._clock.now()
        raw = as_poison(message, self._normalizing.limits, now, error)
        assert raw.rejection is not None
        await self._take([Read(raw, raw.rejection)], now)

    async def _take(self, reads: Sequence[Read], now: datetime) -> None:
        taken = await self._store_new(reads, now)
        if taken is None:
            taken = await in_transaction(self._database, lambda conn: self._store(conn, reads, now))
        await others_first()
        reporting.report_told(taken.decision.told, self._clock.now())
        reporting.report_quarantined(taken.decision.verdicts)
        reporting.report_duplicates(taken.duplicates)
        reporting.report_linked(taken.decision.linked)
        self.late_links.note(taken.decision)

    async def _store_new(self, reads: Sequence[Read], now: datetime) -> _Taken | None:
        """Store a batch of which nothing was there before; None when it is another, and nothing is stored."""
        entries = [self._entry(one.raw) for one in reads]
        if not _may_be_ordinary(reads, entries):
            return None
        look = inbox.recognising(_CONSUMER, entries), *Look.for_(reads).glance
        try:
            async with self._database.acquire() as conn:
                seen = await at_once(conn, *look)
                if seen["recognised"] or seen["leads_known"] or seen.get("knowledge_known"):
                    return None
                decided = await self._normalizing.decide_new(conn, reads, seen)
                if decided is None:
                    return None
                checkpoint.passed("normalizer.found_ordinary")
                claim = inbox.claiming_new(_CONSUMER, entries, now)
                await self._normalizing.write_new(conn, *decided, now, claim=claim)
        except LOST_RACES:
            return None
        return _Taken(decided[0], ())

    async def _store(self, conn: Connection, reads: Sequence[Read], now: datetime) -> _Taken:
        claim = inbox.Claim(_CONSUMER, [self._entry(one.raw) for one in reads], now)
        look = Look.for_(reads)
        seen = await at_once(conn, claim.part, *look.parts)
        judged = list(zip(reads, await claim.answers(conn, seen), strict=True))
        fresh = [one for one, was in judged if was is Seen.NEW]
        reused = {one.raw.key: _reused(one) for one, was in judged if was is Seen.REUSED}
        duplicates = [one.raw for one, was in judged if was is Seen.DUPLICATE]
        fresh = await self._with_pins(conn, fresh)
        decision = await self._normalizing.decide(conn, [*fresh, *reused.values()], look, seen)
        checkpoint.passed("normalizer.decided")
        kept_before = await self._normalizing.write(conn, decision, now, keep=_raws(decision))
        checkpoint.passed("normalizer.written")
        told_again = [one for one in decision.told if one.raw.key in kept_before]
        if told_again:
            await self._normalizing.release(conn, told_again, "replayed", now)
        known = reused.keys() & kept_before
        verdicts = [verdict for verdict in decision.verdicts if verdict.raw.key not in known]
        await self._normalizing.quarantine(conn, verdicts, now)
        if verdicts:
            checkpoint.passed("normalizer.quarantined")
        return _Taken(replace(decision, verdicts=verdicts), duplicates)

    def _entry(self, raw: Raw) -> InboxEntry:
        window_seconds = self._bare_window_seconds if raw.bare else None
        return InboxEntry(raw.source, raw.account, raw.wire_id, raw.digest, window_seconds)

    async def _with_pins(self, conn: Connection, reads: Sequence[Read]) -> list[Read]:
        """A bare body that comes again after the window is kept already, and its lead with it."""
        keys = [one.raw.key for one in reads if one.raw.bare]
        if not keys:
            return list(reads)
        known = await raws.by_key(conn, keys)
        return [
            replace(one, raw=replace(one.raw, lead_id=pin), lead_id=pin)
            if one.raw.key in known and (pin := known[one.raw.key].lead_id)
            else one
            for one in reads
        ]


class LedgerConsumer:
    """`normalizer.ledger`: what the sinks say became of the leads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, message: IncomingMessage) -> tuple[LedgerEntry | None, bool]:
        """What is to be noted, and whether it is of a test. Raises for an event that breaks its contract."""
        return _ledger_entry(message)

    async def handle(self, messages: Sequence[IncomingMessage]) -> None:
        """Note the latest of each lead, sink, route and target."""
        await self.store([self.read(message) for message in messages])

    async def store(self, reads: Sequence[tuple[LedgerEntry | None, bool]]) -> None:
        """`handle` what was read before."""
        entries = [entry for entry, _ in reads if entry is not None]
        await in_transaction(self._database, lambda conn: self._note(conn, entries))
        for state, number in Counter(entry.state for entry, test in reads if entry and not test).items():
            reporting.LEDGER.labels(state=state).inc(number)

    async def _note(self, conn: Connection, entries: Sequence[LedgerEntry]) -> None:
        await ledger.note(conn, entries)
        checkpoint.passed("normalizer.ledger_noted")

    async def poison(self, message: IncomingMessage, error: Exception) -> None:
        """Our own services emit these: one that cannot be read is a defect, and goes to the parked queue."""
        raise error


def _may_be_ordinary(reads: Sequence[Read], entries: Sequence[InboxEntry]) -> bool:
    """Whether a look at what is stored is worth while."""
    if any(isinstance(one.draft, Rejection | Knowledge) for one in reads):
        return False
    return len({entry.identity for entry in entries}) == len(entries)


def _raws(decision: Decision) -> list[Raw]:
    return [*(one.raw for one in decision.told), *(verdict.raw for verdict in decision.verdicts)]


def _reused(one: Read) -> Read:
    return Read(replace(one.raw, rejection=_REUSED), _REUSED)


def _ledger_entry(message: IncomingMessage) -> tuple[LedgerEntry | None, bool]:
    """None for a delivery of something that is no lead, or of a type that we do not know yet.

    And whether it is the delivery of a test.
    """
    envelope = decode(message)
    state = _STATES.get(envelope.type)
    test = envelope.extensions.get("test") == "true"
    if state is None:
        return None, test
    event = EVENTS[envelope.type].model.model_validate_json(envelope.data)
    assert isinstance(event, DeliveryEvent)
    try:
        lead_id = UUID(event.subject_id)
    except ValueError:
        return None, test
    entry = LedgerEntry(
        lead_id=lead_id,
        sink=event.sink,
        route=event.route,
        delivery_id=event.delivery_id,
        state=state,
        outcome=event.outcome,
        attempts=event.attempts,
        ambiguous=event.ambiguous,
        repeat=event.repeat,
        planned_at=event.planned_at,
        finished_at=event.finished_at,
        target=event.target,
        aside=event.aside,
    )
    return entry, test
