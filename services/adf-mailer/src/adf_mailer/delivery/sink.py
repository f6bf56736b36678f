"""The sink of the delivery engine: one try is one SMTP transaction."""

from __future__ import annotations

import asyncio

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import is_unavailable
from leadbus.delivery import (
    Ambiguous,
    Delivered,
    Held,
    Job,
    Outcome,
    Permanent,
    Skipped,
    Suspended,
    Transient,
)
from leadbus.delivery.measures import ATTEMPTS
from leadbus.log import logger

from adf_mailer.addresses import Addresses
from adf_mailer.delivery.connection import Envelope
from adf_mailer.delivery.domains import DomainGates
from adf_mailer.delivery.gates import Busy
from adf_mailer.delivery.hosts import SmartHosts
from adf_mailer.delivery.replies import answered
from adf_mailer.desk import Desk
from adf_mailer.domain.address import domain
from adf_mailer.domain.address_standing import counts
from adf_mailer.metrics import END_TO_END, IN_DOUBT, RESPONSES
from adf_mailer.planning import SINK
from adf_mailer.refusals import Refusals
from adf_mailer.store.mails import Posted, StoredMail

PREPARE_SECONDS = 5.0
"""For reading what to send. Longer, and the whole try could be cut off, which leaves a mail in doubt."""

FOLLOW_SECONDS = 1.5
"""For noting a refusal and planning what follows from it; within the margin of the whole try."""

WATCHED_REFUSALS = ("policy", "protocol", "content_refused")
"""Reasons that alert rules look at: refusals that a person on our side has to look into."""

_log = logger("delivery")


class AdfMailSink:
    """Sends what the desk prepares to the smart hosts, as fast as they and recipient domains take it."""

    name = SINK

    def __init__(
        self,
        desk: Desk,
        hosts: SmartHosts,
        gates: DomainGates,
        addresses: Addresses,
        refusals: Refusals,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._hosts = hosts
        self._gates = gates
        self._addresses = addresses
        self._refusals = refusals
        self._clock = clock
        for reason in WATCHED_REFUSALS:
            # There from the start: a rule sees a figure rise, and not that it appears.
            ATTEMPTS.labels(sink=SINK, outcome="refused", reason=reason)

    async def deliver(self, job: Job) -> Outcome:
        try:
            async with asyncio.timeout(PREPARE_SECONDS):
                posted = await self._desk.prepare(job)
                if isinstance(posted, Skipped):
                    return posted
                if posted.mail is None:
                    return Skipped("erased")
                mail = posted.mail
                if not_now := await self._addresses.hold(mail.recipient):
                    # What may have been taken there is not sent to another address as if it were not.
                    goes_elsewhere = not_now.another_may_take and not job.in_doubt
                    return (await self._desk.elsewhere(job) if goes_elsewhere else None) or not_now.held
        except Exception as error:  # noqa: BLE001 -- whatever it is, this try ends here
            # Nothing was sent yet: what is raised here must not count as a mail in doubt.
            if not is_unavailable(error):
                _log.error("adf.not_prepared", delivery_id=str(job.delivery_id), exc_info=error)
            return Transient("not_prepared", destination_heard=False)
        checkpoint.passed("mailer.prepared")
        envelope = Envelope(mail.sender, mail.recipient, mail.raw)
        try:
            async with self._gates.passing(domain(mail.recipient)) as passing:
                verdict = passing.verdict = await self._hosts.send(envelope, job.renew)
        except Busy as busy:
            return Held(busy.reason, busy.after_seconds)
        outcome = verdict.outcome
        if not job.test:
            self._count(posted, outcome)
        return await self._followed(job, mail, outcome)

    async def _followed(self, job: Job, mail: StoredMail, outcome: Outcome) -> Outcome:
        """The outcome, once it is known what follows from it beside it; never raises."""
        try:
            async with asyncio.timeout(FOLLOW_SECONDS):
                return await self._follow(job, mail, outcome)
        except Exception as error:  # noqa: BLE001 -- it was taken or refused, whatever happens here
            if not is_unavailable(error):
                _log.error("adf.not_followed", delivery_id=str(job.delivery_id), exc_info=error)
            return outcome

    async def _follow(self, job: Job, mail: StoredMail, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Delivered):
            await self._addresses.took(mail.recipient)
        if isinstance(outcome, Permanent) and counts(outcome.reason):
            await self._refusals.of_try(job, outcome.reason)
        if isinstance(outcome, Permanent) and outcome.reason == "too_large":
            return await self._desk.shorten(job, len(mail.raw)) or outcome
        return outcome

    async def lookup(self, job: Job) -> Outcome | None:
        """SMTP cannot be asked; the same bytes under the same Message-ID go out again."""
        return None

    def _count(self, posted: Posted, outcome: Outcome) -> None:
        if isinstance(outcome, Ambiguous):
            IN_DOUBT.inc()
        if isinstance(outcome, Delivered | Transient | Suspended | Permanent | Ambiguous):
            kind, enhanced = answered(outcome.answer)
            RESPONSES.labels(**{"class": kind, "enhanced": enhanced}).inc()
        if isinstance(outcome, Delivered) and posted.timed and posted.received_at:
            waited = self._clock.now() - posted.received_at
            END_TO_END.labels(sink=SINK).observe(waited.total_seconds())
