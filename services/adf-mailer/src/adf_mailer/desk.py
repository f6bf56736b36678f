"""What to send for one try: the stored mail, or one written now for what an operator asked for."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from uuid import UUID

from leadbus import checkpoint
from leadbus.contracts import Lead
from leadbus.db import Connection, Database
from leadbus.delivery import Job, Skipped

from adf_mailer.domain.address_standing import Standing
from adf_mailer.domain.document import Status
from adf_mailer.domain.letter import shorter_bytes, write
from adf_mailer.domain.recipients import Recipient, Told, alternate, first, in_place_of, recipients
from adf_mailer.domain.route import Route
from adf_mailer.domain.routing import Deliver, Skip, decide, untold
from adf_mailer.domain.warning import warned
from adf_mailer.planning import Planner, count
from adf_mailer.store import leads, mails, routes


class Desk:
    """Consent and route are those of the moment of acting: of the commit that started the try, or read now.

    Writes mails for repeats and for redriven skips, and plans others in place of what is refused. Where the
    route names the mail's recipient no more, those it names now and that got none take its place, each with
    a delivery of its own.
    """

    def __init__(self, database: Database, planner: Planner) -> None:
        self._database = database
        self._planner = planner

    async def prepare(self, job: Job) -> mails.Posted | Skipped:
        """The mail for this try, stored before it is sent; or why none may go."""
        just_planned = self._planner.just_planned.take(job)
        if just_planned is not None:
            return just_planned
        async with self._database.acquire() as conn:
            posted = await self._look(conn, job)
        if isinstance(posted, Skipped) or _goes_out(posted, job):
            return posted
        async with self._database.transaction() as conn:
            lead = await leads.latest(conn, UUID(job.subject_id))
            if lead is None:
                return Skipped("unknown_lead")
            if not job.route:
                return await self._plan_by_todays_routes(conn, lead)
            route = await routes.by_name(conn, job.route)
            if route is None:
                return Skipped("no_route")
            before = await mails.first(conn, job.delivery_id)
            if before is not None and before.recipient.role == "warning":
                # It says how an address stood at a moment that is over, and brings no lead to anybody.
                return Skipped("address_changed" if _moved(posted) else "warning_outdated")
            told = (await mails.told(conn, [lead.lead_id])).get(lead.lead_id, set())
            if _moved(posted):
                await self._planner.carry_out(conn, [(lead, one) for one in untold(route, told)])
                return Skipped("address_changed")
            recipient = _recipient(route, before, told)
            if recipient is None:
                return Skipped("address_changed")
            await self._write(conn, job, lead, route, recipient, before, told)
            if before is None:
                others = [one for one in untold(route, told) if one.recipient != recipient]
                await self._planner.carry_out(conn, [(lead, one) for one in others])
            # Read back: of two writers the first one's bytes count.
            return await self._look(conn, job)

    async def shorten(self, job: Job, refused_bytes: int) -> Skipped | None:
        """Plan a smaller mail in place of the one refused as too large; None where it cannot be smaller."""
        at_most_bytes = shorter_bytes(refused_bytes)
        if at_most_bytes is None:
            return None
        async with self._database.transaction() as conn:
            lead = await leads.latest(conn, UUID(job.subject_id))
            route = await routes.by_name(conn, job.route)
            refused = await mails.said(conn, job.delivery_id, job.repeat_number)
            if lead is None or route is None or refused is None:
                return None
            planned = await self._planner.plan_shorter(
                conn, lead, route, refused, instead_of=job.key, at_most_bytes=at_most_bytes
            )
        return _replaced("too_large_shortened") if planned else None

    async def elsewhere(self, job: Job) -> Skipped | None:
        """`stand_in` for this try's mail, in a transaction of its own."""
        async with self._database.transaction() as conn:
            planned = await self.stand_in(conn, job.delivery_id, job.repeat_number)
        return _replaced("address_suspended") if planned else None

    async def stand_in(self, conn: Connection, delivery_id: UUID, repeat_number: int) -> bool:
        """Plan the lead's mail to the route's alternate address, in place of one that is refused.

        False where the route has none, or the mail is for nobody that it stands in for.
        """
        refused = await mails.said(conn, delivery_id, repeat_number)
        if refused is None or refused.recipient.role != "lead":
            return False
        lead, route = await leads.latest(conn, refused.lead_id), await routes.by_name(conn, refused.route)
        other = alternate(route.spec) if route else None
        if lead is None or route is None or other is None:
            return False
        told = (await mails.told(conn, [lead.lead_id])).get(lead.lead_id, set())
        status: Status = "resend" if other.told in told else "new"
        standing_in = in_place_of(refused.recipient, other)
        await self._planner.carry_out(conn, [(lead, Deliver(route, status, standing_in))])
        return True

    async def warn(self, conn: Connection, refused: mails.Said, standing: Standing) -> None:
        """Tell the people of a route that the refusal of one of its mails has suspended an address."""
        lead, route = await leads.latest(conn, refused.lead_id), await routes.by_name(conn, refused.route)
        if lead is None or route is None:
            return
        if of := warned(refused.recipient, standing, route):
            await self._planner.plan_warnings(conn, lead, route, of)

    async def _look(self, conn: Connection, job: Job) -> mails.Posted | Skipped:
        posted = await mails.posted(conn, UUID(job.subject_id), job.delivery_id, job.repeat_number, job.route)
        if posted is None:
            return Skipped("unknown_lead")
        if posted.erased:
            return Skipped("erased")
        if posted.pruned:
            return Skipped("mail_gone")
        if not posted.contactable:
            return Skipped("consent")
        if job.route and posted.enabled is None:
            return Skipped("no_route")
        if job.route and not posted.enabled:
            return Skipped("route_disabled")
        # Read again, because an operator may have it redriven, and the route's mind may have changed.
        if job.route and posted.test_refused:
            return Skipped("test_lead")
        return posted

    async def _write(
        self,
        conn: Connection,
        job: Job,
        lead: Lead,
        route: Route,
        recipient: Recipient,
        before: mails.FirstMail | None,
        told: AbstractSet[Told],
    ) -> None:
        now = self._planner.clock.now()
        mail = mails.NewMail(
            delivery_id=job.delivery_id,
            repeat_number=job.repeat_number,
            lead_id=lead.lead_id,
            revision=lead.revision,
            route=route.name,
            written=write(
                lead,
                route,
                status="resend" if job.repeat or recipient.told in told else "new",
                date=now,
                letterhead=self._planner.letterhead,
                key=job.key,
                repeat=job.repeat_number,
                references=before.message_id if before else None,
                recipient=recipient,
            ),
        )
        await mails.insert(conn, [mail], now=now)
        count(mail, test=lead.test)

    async def _plan_by_todays_routes(self, conn: Connection, lead: Lead) -> Skipped:
        """Redriving `no_route` asks the routes of today; what they want become deliveries of their own."""
        found = await routes.of_dealers(conn, [lead.dealer.dealer_id])
        told = await mails.told(conn, [lead.lead_id])
        decisions = decide(lead, None, found, told.get(lead.lead_id, set()))
        wanted = [one for one in decisions if isinstance(one, Deliver)]
        refusals = [one.reason for one in decisions if isinstance(one, Skip)]
        # One held for its personal data becomes a delivery of its route, which can be redriven.
        if not wanted and "sensitive" not in refusals:
            return Skipped(refusals[0])
        await self._planner.carry_out(conn, [(lead, one) for one in decisions])
        return Skipped("planned_anew")


def _replaced(reason: str) -> Skipped:
    checkpoint.passed("mailer.replaced")
    return Skipped(reason)


def _recipient(route: Route, before: mails.FirstMail | None, told: AbstractSet[Told]) -> Recipient | None:
    """Of the mail to be written: a repeat's is the one of before, or who took its place in the same role.

    None where the route has nobody in that role any more.
    """
    if before is None:
        return first(route.spec)
    there = [one for one in recipients(route.spec) if one.role == before.recipient.role]
    if before.recipient in there:
        return before.recipient
    return next((one for one in there if one.told not in told), next(iter(there), None))


def _moved(posted: mails.Posted) -> bool:
    return posted.mail is not None and not posted.listed


def _goes_out(posted: mails.Posted, job: Job) -> bool:
    """Whether the mail that is written is the one to send, as nearly always.

    In doubt the same bytes have to go to the same address, so that they can be recognised.
    """
    return posted.mail is not None and (job.in_doubt or job.repeat or not _moved(posted))
