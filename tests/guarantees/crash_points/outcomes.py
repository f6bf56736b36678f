"""What happens when a process dies at a point: the table that the tests run, one row after the other.

Read a row as: *the service dies where the point is, and …*. In every row each accepted lead ends as one lead,
one delivery and at least one mail; the columns say what else is seen. Every one of them is asserted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Literal

from tests.guarantees.crash_points import at_the_bank, at_the_mail_server, at_the_return_path
from tests.guarantees.crash_points import circumstances as when
from tests.guarantees.crash_points.circumstances import Circumstance

Service = Literal["ingest", "normalizer", "adf-mailer"]


class Seen(Enum):
    """How often something is to be seen."""

    NEVER = "never"
    SOME = "at least once"
    PERHAPS = "perhaps"

    def allows(self, count: float) -> bool:
        return self is Seen.PERHAPS or (count > 0) is (self is Seen.SOME)


NEVER, SOME, PERHAPS = Seen.NEVER, Seen.SOME, Seen.PERHAPS


@dataclass(frozen=True, slots=True)
class Crash:
    """One row.

    `unanswered`: senders over HTTP that got no answer and asked again. `recognised`: of those, requests that
    the door knew by their Idempotency-Key. `repeats`: messages that came twice over the broker and died in an
    inbox. `doubted`: deliveries marked as possibly sent without our knowing. `second_mails`: mails that came
    twice, always under one Message-ID and always of a doubted delivery.
    """

    service: Service
    point: str
    story: str
    circumstance: Circumstance = when.LEADS_FLOW
    unanswered: Seen = NEVER
    recognised: Seen = NEVER
    repeats: Seen = NEVER
    doubted: Seen = NEVER
    second_mails: Seen = NEVER
    core: bool = field(default=False, kw_only=True)

    @property
    def id(self) -> str:
        return f"{self.service} dies at {self.point}: {self.story}"


def _ingest() -> Iterator[Crash]:
    gone = "rolled back; the sender asks again and is new"
    known = "the sender asks again and is answered with what was taken"

    # A message of another sender may be confirmed just then, with its row not removed yet: it comes again.
    def door(point: str, story: str, recognised: Seen = NEVER, *, core: bool = False) -> Crash:
        return Crash(
            "ingest", point, story, unanswered=SOME, recognised=recognised, repeats=PERHAPS, core=core
        )

    yield door("outbox.added", gone)
    yield door("door.stored", gone, core=True)
    yield door("door.key_remembered", gone)
    yield door("door.committed", known, SOME, core=True)

    def relay(point: str, story: str, repeats: Seen = PERHAPS, *, core: bool = False) -> Crash:
        # A sender may just be asking when the relay dies; then it asks again, known or not.
        asking = PERHAPS
        return Crash("ingest", point, story, unanswered=asking, recognised=asking, repeats=repeats, core=core)

    yield relay("relay.in_hand", "its hold dies with it a little later; published then", core=True)
    unknown = "nobody knows whether it went out; published again, a second one dies in the inbox"
    yield relay("publisher.handed_over", unknown, PERHAPS)
    twice = "confirmed, but the row stays; published twice, the second dies in the inbox"
    yield relay("relay.answered", twice, SOME, core=True)
    yield relay("relay.removed", twice, SOME)
    yield relay("relay.told", twice, SOME)
    once = relay("relay.committed", "published once, nothing comes again", NEVER, core=True)
    yield replace(once, circumstance=when.ONE_LEAD_FLOWS)

    left = when.left_in_the_table("ingest")

    def claiming(point: str, story: str, repeats: Seen = NEVER) -> Crash:
        return replace(relay(point, f"left in the table: {story}", repeats), circumstance=left)

    yield claiming("relay.claimed", "the row's lock dies with it; published later")
    yield claiming("relay.answered", twice, SOME)
    yield claiming("relay.removed", twice, SOME)
    yield claiming("relay.told", twice, SOME)
    yield claiming("relay.committed", "published once, nothing comes again")

    brought = "its sender got no answer and brings the mail again"
    mail = at_the_mail_server.NOT_ANSWERED
    yield Crash("ingest", "mail.stored", f"rolled back; {brought}, and it is new", mail)
    yield Crash("ingest", "mail.committed", f"{brought}, and it is known", mail, core=True)

    told = "the bank got no answer, tells of the lead once more, and it is fetched"
    yield Crash("ingest", "bdk.noted", told, at_the_bank.NOT_ANSWERED)
    fetched = "another one fetches the lead when the lease has ended: one message"
    yield Crash("ingest", "bdk.claimed", fetched, at_the_bank.LEASE_ENDS)
    yield Crash("ingest", "bdk.stored", fetched, at_the_bank.LEASE_ENDS, core=True)
    yield Crash(
        "ingest",
        "virtualexpo.attempt_written",
        "rolled back: the vendor is asked by whoever looks next, once",
        when.SUBSCRIPTION_DUE,
    )
    yield Crash(
        "ingest",
        "virtualexpo.attempt_committed",
        "on record and never made: the vendor is asked when two hours are over, not before",
        when.SUBSCRIPTION_TRIED,
        core=True,
    )


def _normalizer() -> Iterator[Crash]:
    again = "not acknowledged and nothing kept: delivered again as if new"
    for point in ("consumer.delivered", "consumer.taken", "normalizer.read", "normalizer.found_ordinary"):
        core = point in ("consumer.taken", "normalizer.found_ordinary")
        yield Crash("normalizer", point, again, core=core)
    # What is new and nothing else is written by one statement.
    for point in ("inbox.claimed", "normalizer.decided", "outbox.added", "normalizer.written"):
        core = point == "normalizer.written"
        yield Crash("normalizer", point, again, when.LEAD_REVISED, core=core)
    yield Crash(
        "normalizer",
        "consumer.handled",
        "committed, not acknowledged: delivered again, the repeat dies in the inbox",
        repeats=SOME,
        core=True,
    )
    yield Crash(
        "normalizer",
        "consumer.acked",
        "the acknowledgement may not have left: delivered again perhaps, and then it dies in the inbox",
        repeats=PERHAPS,
    )
    yield Crash(
        "normalizer",
        "relay.answered",
        "the event is published twice; the second dies in adf-mailer's inbox",
        repeats=SOME,
        core=True,
    )
    yield Crash(
        "normalizer",
        "relay.backed_off",
        "no queue took the event: its row stays as it was and is published when there is one",
        when.NO_QUEUE_FOR_THE_EVENT,
        # Of another batch, committed and not yet acknowledged in that moment.
        repeats=PERHAPS,
    )
    yield Crash(
        "normalizer",
        "consumer.cancelled",
        "killed while it drains: what is unsettled is delivered again",
        when.TOLD_TO_STOP,
        repeats=PERHAPS,
    )
    yield Crash(
        "normalizer",
        "consumer.poison_stored",
        "quarantined, not acknowledged: delivered again, quarantined once all the same",
        when.UNREADABLE_MESSAGE,
        repeats=SOME,
    )
    yield Crash(
        "normalizer",
        "consumer.half_settled",
        "each broken event is parked once, in whichever half it was",
        when.BROKEN_DELIVERY_EVENTS,
        repeats=PERHAPS,
    )
    yield Crash(
        "normalizer",
        "consumer.parked",
        "the rejection may not have left: rejected again, parked once",
        when.BROKEN_DELIVERY_EVENTS,
        repeats=PERHAPS,
        core=True,
    )
    yield Crash(
        "normalizer",
        "normalizer.quarantined",
        "nothing kept: delivered again and quarantined once",
        when.UNMAPPED_DEALER,
    )
    yield Crash(
        "normalizer",
        "normalizer.released",
        "still in quarantine: released by the next look",
        when.DEALER_MAPPED,
    )
    yield Crash(
        "normalizer",
        "normalizer.ledger_noted",
        "the delivery's event is delivered again and says the same",
        when.ONE_LEAD_FLOWS,
        # The lead's own event may be confirmed with its row not removed yet.
        repeats=PERHAPS,
    )


def _adf_mailer_plans() -> Iterator[Crash]:
    again = "not acknowledged and nothing planned: delivered again as if new"
    yield Crash("adf-mailer", "mailer.found_ordinary", again, core=True)
    # What is new and to be delivered is written by one statement.
    for point in ("inbox.claimed", "mailer.planned"):
        yield Crash("adf-mailer", point, again, when.LEAD_REVISED, core=point == "mailer.planned")
    yield Crash(
        "adf-mailer",
        "consumer.handled",
        "planned, not acknowledged: delivered again, planned once; what it started is in doubt",
        repeats=SOME,
        doubted=PERHAPS,
        second_mails=PERHAPS,
        core=True,
    )
    yield Crash(
        "adf-mailer",
        "mailer.poison_kept",
        "nothing kept: delivered again and set aside once",
        when.BROKEN_LEAD_EVENT,
    )
    yield Crash(
        "adf-mailer",
        "mailer.released",
        "nothing planned: released once by the next look",
        when.ROUTE_APPEARS,
    )


def _adf_mailer_sends() -> Iterator[Crash]:
    """Leads of a later batch may be committed and not yet acknowledged in that moment: perhaps repeats."""
    sends = partial(Crash, "adf-mailer", repeats=PERHAPS)
    yield sends(
        "delivery.offered",
        "what could not start as it was planned: found by the next look, never in doubt",
        when.MAIL_HOST_TO_BE_PROBED,
        core=True,
    )
    yield sends(
        "delivery.intent_written",
        "rolled back: claimed again, never in doubt",
        when.MAIL_HOST_TO_BE_PROBED,
        core=True,
    )
    yield sends(
        "delivery.probed",
        "rolled back: the destination is probed by the next claim",
        when.MAIL_HOST_TO_BE_PROBED,
    )
    unsent = "nothing was sent, but nobody can know: in doubt when the lease ends, then sent once"
    for point in (
        "delivery.intent_committed",
        "delivery.begun",
        "mailer.prepared",
        "smtp.connected",
        "smtp.addressed",
        "delivery.lease_renewed",
        "smtp.content_written",
    ):
        core = point in ("delivery.intent_committed", "smtp.content_written")
        since = when.NO_CONNECTION_KEPT if point == "smtp.connected" else when.LEADS_FLOW
        yield sends(point, unsent, since, doubted=SOME, core=core)
    refused = "tried once more when the lease ends, refused again; the one in its place is planned once"
    yield sends("mailer.replaced", f"too large: {refused}", when.MAIL_TOO_LARGE, doubted=SOME, core=True)
    yield sends(
        "mailer.replaced", f"no such mailbox: {refused}", when.ADDRESS_REFUSES, doubted=SOME, core=True
    )
    sent = "the mail host has it: in doubt when the lease ends, then sent again under the same Message-ID"
    for point in ("smtp.dot_sent", "delivery.answered", "delivery.state_written", "delivery.announced"):
        # What a mail host takes at once is recorded by one statement; not so the end of a probe.
        since = when.LEADS_FLOW if point in ("smtp.dot_sent", "delivery.answered") else when.MAIL_HOST_PROBED
        core = point in ("smtp.dot_sent", "delivery.announced")
        yield sends(point, sent, since, doubted=SOME, second_mails=SOME, core=core)
    yield sends(
        "delivery.recorded",
        "all is committed: sent once, told by the next relay",
        when.ONE_LEAD_FLOWS,
        core=True,
    )
    for point in ("delivery.expiry_written", "delivery.expiry_recorded"):
        yield sends(
            point,
            "dies again over what its last death left: in doubt once, sent once",
            when.HOLDER_DIED,
            doubted=SOME,
        )
    yield sends(
        "relay.answered",
        "the delivery's event is published twice and says the same",
        when.ONE_LEAD_FLOWS,
    )


def _adf_mailer_hears() -> Iterator[Crash]:
    brought = "its sender got no answer and brings the report again"
    report = at_the_return_path.NOT_ANSWERED
    yield Crash("adf-mailer", "bounce.stored", f"rolled back; {brought}, and it is new", report)
    yield Crash("adf-mailer", "bounce.committed", f"{brought}, and it is known", report, core=True)


CRASHES = (*_ingest(), *_normalizer(), *_adf_mailer_plans(), *_adf_mailer_sends(), *_adf_mailer_hears())
