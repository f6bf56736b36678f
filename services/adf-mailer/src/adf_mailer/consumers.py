"""`adf-mailer.leads`: parse → decide → store, a batch in one commit; the acknowledgement follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.consumer import UnreadablePropertiesError
from leadbus.contracts import Lead
from leadbus.db import Connection, Database, at_once
from leadbus.event_loop import others_first
from leadbus.inbox import Claim, Identity, InboxEntry, Seen
from leadbus.messages import IncomingMessage

from adf_mailer import ordinary
from adf_mailer.domain.route import Route
from adf_mailer.domain.routing import Decision, Deliver, decide
from adf_mailer.events import LeadsErased, LeadTold, Told, Unreadable, read
from adf_mailer.planning import Planner
from adf_mailer.reporting import report_fresh, report_poison, report_repeated
from adf_mailer.store import leads, mails, poison, routes
from adf_mailer.store.leads import Known
from adf_mailer.store.poison import Poison

QUEUE = "adf-mailer.leads"


@dataclass(frozen=True, slots=True)
class Read:
    """A message and what it tells, or why that cannot be read."""

    message: IncomingMessage
    told: Told | Unreadable


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: new messages and what was decided, messages known already or unreadable."""

    fresh: tuple[Told, ...]
    decided: tuple[tuple[Lead, Decision], ...]
    repeated: tuple[Told, ...]
    poison: tuple[Poison, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What the inbox says of readable messages, the leads that new ones tell of (held), and their routes."""

    fresh: tuple[Told, ...] = ()
    repeated: tuple[Told, ...] = ()
    reused: tuple[Poison, ...] = ()
    known: Mapping[UUID, Known] = field(default_factory=dict)
    routes: Sequence[Route] = ()


@dataclass(frozen=True, slots=True)
class LeadsConsumer:
    """`wake_relay` says that there is something to tell. What is to be delivered the planner offers."""

    database: Database
    planner: Planner
    clock: Clock
    wake_relay: Callable[[], None]

    def read(self, message: IncomingMessage) -> Read:
        """What a message tells, or why it cannot be read; nothing is decided yet."""
        try:
            return Read(message, read(message))
        except Unreadable as unreadable:
            return Read(message, unreadable)

    async def handle(self, messages: Sequence[IncomingMessage]) -> None:
        """Everything these messages tell takes effect, or nothing of it; raises what the database raises.

        A message that cannot be read is kept as poison in the same transaction and holds nobody up.
        """
        await self.store([self.read(message) for message in messages])

    async def store(self, reads: Sequence[Read]) -> None:
        """`handle` what was read before."""
        taken = await self._take_ordinary(reads)
        if taken is None:
            async with self.database.transaction() as conn:
                taken = await self.take(conn, reads)
        self.wake(taken)
        await others_first()
        report_fresh(taken.fresh, taken.decided)
        report_repeated(taken.repeated)
        report_poison(taken.poison)

    async def take(self, conn: Connection, reads: Sequence[Read]) -> Taken:
        """The same in the caller's transaction; `wake` is to be called once that is committed."""
        now = self.clock.now()
        readable = [(one.message, one.told) for one in reads if not isinstance(one.told, Unreadable)]
        spoilt = [
            Poison(one.message, one.told.reason, one.told.detail)
            for one in reads
            if isinstance(one.told, Unreadable)
        ]
        looked = await _look(conn, readable, now) if readable else Looked()
        decided = await self._carry_out(conn, looked, now)
        set_aside = (*spoilt, *looked.reused)
        if set_aside:
            await poison.insert(conn, set_aside, now=now)
            checkpoint.passed("mailer.poison_kept")
        return Taken(looked.fresh, tuple(decided), looked.repeated, set_aside)

    def wake(self, taken: Taken) -> None:
        """Wake the relay where it has something to do now; it looks by itself within a second."""
        if not all(isinstance(decision, Deliver) for _, decision in taken.decided):
            self.wake_relay()

    async def set_aside(self, message: IncomingMessage, error: Exception) -> None:
        """A message that `handle` cannot do although it is alone: our defect, kept until it is mended."""
        unreadable = isinstance(error, UnreadablePropertiesError)
        one = Poison(message, "envelope_invalid" if unreadable else "failed", type(error).__name__)
        async with self.database.transaction() as conn:
            await poison.insert(conn, [one], now=self.clock.now())
        report_poison([one])

    async def _take_ordinary(self, reads: Sequence[Read]) -> Taken | None:
        """The short way; None where the batch has to go the long one, and nothing is done."""
        told = [one.told for one in reads if isinstance(one.told, LeadTold)]
        # A later revision is of a lead that is known, but where it overtook the first.
        if len(told) < len(reads) or any(one.lead.revision > 1 for one in told):
            return None
        entries, newest = [one.entry for one in told], _newest(one.lead for one in told)
        async with self.database.acquire() as conn:
            decided = await ordinary.take(
                conn, self.planner, QUEUE, entries, list(newest.values()), now=self.clock.now()
            )
        return None if decided is None else Taken(tuple(told), tuple(decided), (), ())

    async def _carry_out(
        self, conn: Connection, looked: Looked, now: datetime
    ) -> Sequence[tuple[Lead, Decision]]:
        newest = _newest(one.lead for one in looked.fresh if isinstance(one, LeadTold))
        gone = {
            lead_id for one in looked.fresh if isinstance(one, LeadsErased) for lead_id in one.erased.lead_ids
        }
        if gone:
            await leads.erase(conn, sorted(gone), now=now)
        known = looked.known
        ahead = [
            lead
            for lead_id, lead in newest.items()
            if lead.revision > known[lead_id].revision and not known[lead_id].erased and lead_id not in gone
        ]
        if not ahead:
            return []
        decided = await _decide(conn, ahead, looked)
        await self.planner.carry_out(conn, decided, beside=[leads.writing(ahead, now=now)])
        return decided


async def _look(conn: Connection, readable: Sequence[tuple[IncomingMessage, Told]], now: datetime) -> Looked:
    """Claim the messages and hold the leads of the new ones; the routes are those of this moment."""
    claim = Claim(QUEUE, [told.entry for _, told in readable], now)
    first: dict[Identity, Told] = {}
    for _, told in readable:
        first.setdefault(told.entry.identity, told)
    row = await at_once(
        conn,
        claim.part,
        leads.holding(_told_of(first.values()), now=now),
        routes.finding(one.lead.dealer.dealer_id for one in first.values() if isinstance(one, LeadTold)),
    )
    fresh, repeated, reused = [], [], []
    for (message, told), answer in zip(readable, await claim.answers(conn, row), strict=True):
        if answer is Seen.NEW:
            fresh.append(told)
        elif answer is Seen.REUSED:
            reused.append(Poison(message, "id_reused", "same id, other content"))
        else:
            repeated.append(told)
    return Looked(tuple(fresh), tuple(repeated), tuple(reused), leads.held(row), routes.found(row))


async def _decide(conn: Connection, ahead: Sequence[Lead], looked: Looked) -> list[tuple[Lead, Decision]]:
    before = {lead.lead_id: looked.known[lead.lead_id].before for lead in ahead}
    decided_before = [lead_id for lead_id, one in before.items() if one]
    # A statement of its own: the look's snapshot may be of before whoever we waited for.
    told = await mails.told(conn, decided_before) if decided_before else {}
    return [
        (lead, decision)
        for lead in ahead
        for decision in decide(lead, before[lead.lead_id], looked.routes, told.get(lead.lead_id, set()))
    ]


def _told_of(told: Iterable[Told]) -> Iterator[tuple[InboxEntry, UUID]]:
    for one in told:
        lead_ids = [one.lead.lead_id] if isinstance(one, LeadTold) else one.erased.lead_ids
        for lead_id in lead_ids:
            yield one.entry, lead_id


def _newest(told: Iterable[Lead]) -> dict[UUID, Lead]:
    """Of several revisions of a lead in one batch the highest counts."""
    newest: dict[UUID, Lead] = {}
    for lead in told:
        if lead.lead_id not in newest or newest[lead.lead_id].revision < lead.revision:
            newest[lead.lead_id] = lead
    return newest
