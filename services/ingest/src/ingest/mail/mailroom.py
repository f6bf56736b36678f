"""Who a mail is for, and the one transaction in which it is taken."""

from __future__ import annotations

from dataclasses import replace

from leadbus import checkpoint
from leadbus.clock import Clock
from leadbus.db import Database
from leadbus.event_loop import others_first
from leadbus.mailin.head import MOST_HOPS, Head, read_head
from leadbus.mailin.refusal import MailReason, MailRefused
from leadbus.mailin.room import Mail, Taken
from leadbus.outbox import Outgoing

from ingest import arrivals
from ingest.arrivals import Arrival, Faulty
from ingest.mail.recipient import TEST_TAG, MailRecipient, Recipient, normal
from ingest.store import mail_recipients

CONTENT_TYPE = "message/rfc822"
NULL_SENDER = ("", "<>")


class Mailroom:
    """Stateless between mails; any number of replicas may stand before one database."""

    def __init__(self, database: Database, *, clock: Clock, outgoing: Outgoing) -> None:
        self._database = database
        self._clock = clock
        self._outgoing = outgoing

    async def recipient(self, address: str) -> Recipient:
        """Whoever has the address, with or without the mark of a test.

        Raises MailRefused ``unknown_recipient``, ``recipient_disabled``, ``test_not_allowed``.
        """
        try:
            asked = normal(address)
        except ValueError:
            raise MailRefused(MailReason.UNKNOWN_RECIPIENT) from None
        local, _, domain = asked.rpartition("@")
        test = local.endswith(TEST_TAG)
        async with self._database.acquire() as conn:
            found = await mail_recipients.find(conn, f"{local.removesuffix(TEST_TAG)}@{domain}")
        if found is None:
            raise MailRefused(MailReason.UNKNOWN_RECIPIENT)
        recipient = Recipient(found[0], MailRecipient.model_validate_json(found[1]), test)
        if not recipient.setting.enabled:
            raise MailRefused(MailReason.RECIPIENT_DISABLED)
        if test and not recipient.setting.allow_test:
            raise MailRefused(MailReason.TEST_NOT_ALLOWED)
        return recipient

    async def take(self, mail: Mail[Recipient]) -> Taken:
        """Store a message for each recipient, all or none; when this returns, they are committed.

        Raises MailRefused ``test_not_allowed`` where the mail itself says that it is a test.
        """
        head = read_head(mail.body)
        # In one order: the same mail, brought twice at once, must not wait for itself.
        brought = sorted(
            (_arrival(mail, head, recipient) for recipient in mail.recipients),
            key=lambda arrival: arrival.raw_id,
        )
        apart = _why_apart(mail, head)
        new = 0
        async with self._database.transaction() as conn:
            now = self._clock.now()
            # One by one: together the copies of a large mail would be too much for one statement.
            for arrival in brought:
                if apart is None:
                    new += sum(await arrivals.store(conn, [arrival], now, self._outgoing))
                else:
                    faulty = Faulty(arrival, "not_a_lead", apart)
                    new += sum(await arrivals.quarantine(conn, [faulty], now, self._outgoing))
            checkpoint.passed("mail.stored")
        checkpoint.passed("mail.committed")
        await others_first()
        outcome = "repeated" if not new else "kept_apart" if apart else "taken"
        return Taken(outcome, {"new": new, "messages": len(brought), "why_apart": apart})


def _arrival(mail: Mail[Recipient], head: Head, recipient: Recipient) -> Arrival:
    if head.test:
        recipient = replace(recipient, test=True)
        if not recipient.setting.allow_test:
            raise MailRefused(MailReason.TEST_NOT_ALLOWED)
    # The digest holds the Message-ID, where there is one: a sender who uses one twice says two things.
    key = [recipient.name, "test" if recipient.test else "", head.digest]
    marks = {"test": "true"} if recipient.test else {}
    return Arrival(
        source=recipient.setting.source,
        account=recipient.account,
        key="\n".join(key),
        body=mail.body,
        content_type=CONTENT_TYPE,
        attributes={**recipient.way, **marks},
    )


def _why_apart(mail: Mail[Recipient], head: Head) -> str | None:
    """Why a mail is nobody's who wants something; a lead made of it would answer to itself."""
    if mail.sender in NULL_SENDER:
        return "a mail without a sender: a report about another mail"
    if head.answer:
        return "a machine's answer to a mail"
    if head.hops > MOST_HOPS:
        return f"a mail that passed more than {MOST_HOPS} servers"
    return None
