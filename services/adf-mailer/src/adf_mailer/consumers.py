"""`adf-mailer.leads`: parse → decide → store, a batch in one transaction; the acknowledgement follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.consumer import UnreadablePropertiesError
from leadbus.contracts import Lead
from leadbus.db import Connection, Database
from leadbus.inbox import Seen, claim
from leadbus.messages import IncomingMessage

from adf_mailer.domain.routing import Before, Decision, decide, material, refusal
from adf_mailer.events import LeadsErased, LeadTold, Told, Unreadable, read
from adf_mailer.planning import Planner
from adf_mailer.reporting import report_fresh, report_poison, report_repeated
from adf_mailer.store import leads, mails, poison, routes
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
class LeadsConsumer:
    """`wake` tells the delivery engine that something may be due."""

    database: Database
    planner: Planner
    clock: Clock
    wake: Callable[[], None]

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
        async with self.database.transaction() as conn:
            taken = await self.take(conn, reads)
        report_fresh(taken.fresh, taken.decided)
        report_repeated(taken.repeated)
        report_poison(taken.poison)
        self.wake()

    async def take(self, conn: Connection, reads: Sequence[Read]) -> Taken:
        """The same in the caller's transaction, without waking anybody."""
        readable = [(one.message, one.told) for one in reads if not isinstance(one.told, Unreadable)]
        spoilt = [
            Poison(one.message, one.told.reason, one.told.detail)
            for one in reads
            if isinstance(one.told, Unreadable)
        ]
        fresh, repeated, reused = await self._new_ones(conn, readable)
        decided = await self._carry_out(conn, fresh)
        await poison.insert(conn, [*spoilt, *reused], now=self.clock.now())
        if spoilt or reused:
            checkpoint.passed("mailer.poison_kept")
        return Taken(tuple(fresh), tuple(decided), tuple(repeated), (*spoilt, *reused))

    async def set_aside(self, message: IncomingMessage, error: Exception) -> None:
        """A message that `handle` cannot do although it is alone: our defect, kept until it is mended."""
        unreadable = isinstance(error, UnreadablePropertiesError)
        one = Poison(message, "envelope_invalid" if unreadable else "failed", type(error).__name__)
        async with self.database.transaction() as conn:
            await poison.insert(conn, [one], now=self.clock.now())
        report_poison([one])

    async def _new_ones(
        self, conn: Connection, readable: Sequence[tuple[IncomingMessage, Told]]
    ) -> tuple[list[Told], list[Told], list[Poison]]:
        entries = [told.entry for _, told in readable]
        seen = await claim(conn, QUEUE, entries, now=self.clock.now())
        fresh, repeated, reused = [], [], []
        for (message, told), answer in zip(readable, seen, strict=True):
            if answer is Seen.NEW:
                fresh.append(told)
            elif answer is Seen.REUSED:
                reused.append(Poison(message, "id_reused", "same id, other content"))
            else:
                repeated.append(told)
        return fresh, repeated, reused

    async def _carry_out(self, conn: Connection, told: Sequence[Told]) -> Sequence[tuple[Lead, Decision]]:
        now = self.clock.now()
        newest = _newest(one.lead for one in told if isinstance(one, LeadTold))
        gone = {lead_id for one in told if isinstance(one, LeadsErased) for lead_id in one.erased.lead_ids}
        if not newest and not gone:
            return []
        known = await leads.lock(conn, newest.keys() | gone, now=now)
        if gone:
            await leads.erase(conn, sorted(gone), now=now)
        ahead = [
            lead
            for lead_id, lead in newest.items()
            if lead.revision > known[lead_id].revision and not known[lead_id].erased and lead_id not in gone
        ]
        decided = await self._decide(conn, ahead, {lead_id: one.before for lead_id, one in known.items()})
        state = [(lead, Before(material(lead), refusal(lead) is None)) for lead in ahead]
        # Written before the mails that refer to them.
        await leads.write(conn, state, now=now)
        checkpoint.passed("mailer.leads_written")
        await self.planner.carry_out(conn, decided)
        return decided

    async def _decide(
        self, conn: Connection, ahead: Sequence[Lead], before: dict[UUID, Before | None]
    ) -> list[tuple[Lead, Decision]]:
        if not ahead:
            return []
        found = await routes.of_dealers(conn, {lead.dealer.dealer_id for lead in ahead})
        known = [lead.lead_id for lead in ahead if before[lead.lead_id]]
        told = await mails.told(conn, known) if known else {}
        return [
            (lead, decision)
            for lead in ahead
            for decision in decide(lead, before[lead.lead_id], found, told.get(lead.lead_id, set()))
        ]


def _newest(told: Iterable[Lead]) -> dict[UUID, Lead]:
    """Of several revisions of a lead in one batch the highest counts."""
    newest: dict[UUID, Lead] = {}
    for lead in told:
        if lead.lead_id not in newest or newest[lead.lead_id].revision < lead.revision:
            newest[lead.lead_id] = lead
    return newest
