"""Decisions become rows: deliveries with their mails, and skips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import get_args

import asyncpg
from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.contracts import Lead
from leadbus.db import Connection, Part, at_once, on_commit
from leadbus.delivery import NewDelivery, Offer, Planning, Starting, skip

from adf_mailer.domain.guard import guarded
from adf_mailer.domain.letter import Order, delivery_key, warning_key, write, write_each, write_warning
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.recipients import Recipient, first
from adf_mailer.domain.route import Route, kinds_kept_from
from adf_mailer.domain.routing import Decision, Deliver, Skip, UnroutedReason
from adf_mailer.domain.warning import Warned, people
from adf_mailer.just_planned import JustPlanned
from adf_mailer.metrics import MAILS, SENSITIVE, UNROUTED, WARNINGS
from adf_mailer.store import mails

SINK = "adf-mailer"

UNROUTED_REASONS: frozenset[str] = frozenset(get_args(UnroutedReason))

_PRIORITY = {"normal": 0, "high": 1, "highest": 2}


@dataclass(frozen=True, slots=True)
class _Letters:
    """Deliveries to be planned, and in their order what they are about and the mails they bring."""

    planning: Planning
    leads: Sequence[Lead]
    mails: Sequence[mails.NewMail]
    storing: Part


@dataclass(frozen=True, slots=True)
class Planner:
    """`destination` is the name of the smart hosts together: it is what can be healthy or not.

    `offer` tells the delivery engine what was planned, once that is committed; `start` has it take what is
    about to be planned, as `DeliveryEngine.starting` does.
    """

    destination: str
    letterhead: Letterhead
    clock: Clock
    offer: Callable[[Sequence[Offer]], None]
    start: Callable[[Planning], AbstractAsyncContextManager[Starting]]
    just_planned: JustPlanned = field(default_factory=JustPlanned)

    async def carry_out(
        self, conn: Connection, decided: Sequence[tuple[Lead, Decision]], *, beside: Sequence[Part] = ()
    ) -> None:
        """Plan and skip in the caller's transaction; `beside` is written by the statement that plans.

        A mail is written for each new delivery and kept beside it, so that every try sends the same bytes.
        """
        now = self.clock.now()
        wanted = [(lead, one) for lead, one in decided if isinstance(one, Deliver)]
        if wanted:
            await self._plan(conn, wanted, beside, now)
        elif beside:
            await at_once(conn, *beside)
        checkpoint.passed("mailer.planned")
        for lead, one in decided:
            if isinstance(one, Skip):
                new = self._new(lead, one.route, first(one.route.spec)) if one.route else self._nowhere(lead)
                skipped = await skip(conn, new, one.reason, sink=SINK, now=now)
                if skipped is not None and not lead.test and one.reason in UNROUTED_REASONS:
                    on_commit(conn, UNROUTED.labels(reason=one.reason).inc)
                if skipped is not None and one.reason == "sensitive" and one.route:
                    on_commit(conn, partial(_count_held, lead, one.route))

    async def commit(
        self, conn: Connection, decided: Sequence[tuple[Lead, Deliver]], *, beside: Sequence[Part]
    ) -> None:
        """Plan by one statement with `beside` in it, which commits itself.

        What the engine has room for is started by it: plan and intent are one commit. Raises what the
        database raises; nothing is written then, or nobody knows.
        """
        letters = self._letters(decided, self.clock.now())
        async with self.start(letters.planning) as starting:
            row = await at_once(conn, *beside, *starting.parts, letters.storing)
            starting.committed(row)
            for lead, mail in zip(letters.leads, letters.mails, strict=True):
                if mail.delivery_id in starting.started:
                    self.just_planned.keep(mail, mails.posted_new(mail, lead))
        left = [one for one in self._count(letters, row) if one.id not in starting.started]
        if left:
            self.offer(left)

    async def plan_shorter(
        self,
        conn: Connection,
        lead: Lead,
        route: Route,
        refused: mails.Said,
        *,
        instead_of: str,
        at_most_bytes: int,
    ) -> bool:
        """Plan a delivery of a smaller mail in place of the one with the key `instead_of`.

        False where the lead has not enough in it that may be cut. Planned twice, it is planned once.
        """
        now = self.clock.now()
        key = f"{instead_of}/short"
        written = write(
            lead,
            route,
            status=refused.status,
            date=now,
            letterhead=self.letterhead,
            key=key,
            recipient=refused.recipient,
            at_most_bytes=at_most_bytes,
        )
        if len(written.mail.raw) > at_most_bytes:
            return False
        planning = Planning([replace(self._new(lead, route, refused.recipient), key=key)], now)
        mail = mails.NewMail(planning.ids[0], 0, lead.lead_id, lead.revision, route.name, written)
        await self._carry(conn, _Letters(planning, [lead], [mail], mails.storing([mail], now=now)))
        return True

    async def plan_warnings(self, conn: Connection, lead: Lead, route: Route, of: Warned) -> None:
        """Plan a mail to each of the route's people that an address is suspended, which `lead` found out.

        Planned twice, they are planned once.
        """
        told = people(route, of)
        if not told:
            return
        now = self.clock.now()
        # In no order with mails about the lead: the people of a CRM that refuses are told at once.
        planning = Planning(
            [
                self._of(
                    lead,
                    key=warning_key(lead, route, of, one),
                    route=route.name,
                    target=one.target,
                    aside=one.aside,
                )
                for one in told
            ],
            now,
        )
        written = [
            mails.NewMail(
                delivery_id,
                0,
                lead.lead_id,
                lead.revision,
                route.name,
                write_warning(of, lead, route, one, date=now, letterhead=self.letterhead),
            )
            for one, delivery_id in zip(told, planning.ids, strict=True)
        ]
        storing = mails.storing(written, now=now)
        await self._carry(conn, _Letters(planning, [lead] * len(told), written, storing))

    async def _plan(
        self,
        conn: Connection,
        wanted: Sequence[tuple[Lead, Deliver]],
        beside: Sequence[Part],
        now: datetime,
    ) -> None:
        await self._carry(conn, self._letters(wanted, now), beside)

    async def _carry(self, conn: Connection, letters: _Letters, beside: Sequence[Part] = ()) -> None:
        row = await at_once(conn, *beside, *letters.planning.parts, letters.storing)
        on_commit(conn, partial(self.offer, self._count(letters, row)))

    def _letters(self, wanted: Sequence[tuple[Lead, Deliver]], now: datetime) -> _Letters:
        planning = Planning([self._new(lead, one.route, one.recipient) for lead, one in wanted], now)
        orders = [
            Order(lead, one.route, one.status, now, new.key, recipient=one.recipient)
            for (lead, one), new in zip(wanted, planning.deliveries, strict=True)
        ]
        written = [
            mails.NewMail(delivery_id, 0, order.lead.lead_id, order.lead.revision, order.route.name, mail)
            for order, delivery_id, mail in zip(
                orders, planning.ids, write_each(orders, self.letterhead), strict=True
            )
        ]
        return _Letters(planning, [lead for lead, _ in wanted], written, mails.storing(written, now=now))

    def _count(self, letters: _Letters, row: asyncpg.Record) -> list[Offer]:
        """Count the mails whose deliveries are new, and tell those."""
        offers = []
        answers = letters.planning.answers(row)
        for lead, mail, delivery_id in zip(letters.leads, letters.mails, answers, strict=True):
            if delivery_id is not None:
                count(mail, test=lead.test)
                offers.append(Offer(delivery_id, self.destination))
        return offers

    def _new(self, lead: Lead, route: Route, recipient: Recipient) -> NewDelivery:
        # An update must not overtake the lead it updates at the same address; no address waits for another.
        return self._of(
            lead,
            key=delivery_key(lead, route, recipient),
            route=route.name,
            ordering_key=f"{lead.lead_id}/{recipient.address}",
            target=recipient.target,
            aside=recipient.aside,
        )

    def _nowhere(self, lead: Lead) -> NewDelivery:
        """Of a lead that no route takes."""
        return self._of(lead, key=f"{lead.lead_id}/no_route/{lead.revision}", route="")

    def _of(
        self,
        lead: Lead,
        *,
        key: str,
        route: str,
        ordering_key: str | None = None,
        target: str = "",
        aside: bool = False,
    ) -> NewDelivery:
        return NewDelivery(
            key=key,
            route=route,
            ordering_key=ordering_key,
            target=target,
            aside=aside,
            subject_id=str(lead.lead_id),
            # Skipped ones have it too, so that an operator can redrive them.
            destination=self.destination,
            priority=_PRIORITY[lead.urgency],
            dealer=lead.dealer.dealer_id,
            test=lead.test,
        )


def count(mail: mails.NewMail, *, test: bool) -> None:
    """Mails about test leads are counted nowhere."""
    if test:
        return
    MAILS.labels(status=mail.written.status, role=mail.written.role).inc()
    for warning in mail.written.warnings:
        WARNINGS.labels(code=warning.code).inc()
    for kind in mail.written.masked:
        SENSITIVE.labels(kind=kind, action="masked").inc()


def _count_held(lead: Lead, route: Route) -> None:
    if not lead.test:
        for kind in guarded(lead, kinds_kept_from(route.spec)).kinds:
            SENSITIVE.labels(kind=kind, action="held").inc()
