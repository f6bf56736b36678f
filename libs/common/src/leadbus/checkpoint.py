"""Named points between the steps of the way a lead takes, for tests that kill a process at one of them.

In production nobody looks: there is no observer, and no setting or variable that could install one. A test
starts the service through a launcher of its own, which calls `observe` with something that ends the process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

Observer = Callable[[str], None]

POINTS: Mapping[str, str] = MappingProxyType(
    {
        "consumer.delivered": "a message reached us; nobody has looked at it",
        "consumer.taken": "a batch was taken from what was delivered",
        "consumer.handled": "the batch's transaction is committed; nothing is acknowledged",
        "consumer.half_settled": "of a failing batch the first half is settled, the second not begun",
        "consumer.poison_stored": "a message that cannot be handled is kept; it is not acknowledged",
        "consumer.acked": "the acknowledgement is handed to the connection; it may never leave it",
        "consumer.parked": "the rejection to the parked queue is handed to the connection",
        "consumer.cancelled": "draining began and the broker delivers no more; what came is unsettled",
        "inbox.claimed": "the messages' identities are written, their effects are not",
        "outbox.added": "messages to publish are written beside their cause; nothing is committed",
        "door.stored": "raw message and outbox row are written; nothing is committed",
        "door.key_remembered": "the Idempotency-Key is written as well; nothing is committed",
        "door.committed": "the raw message is committed; the sender has no answer",
        "mail.stored": "a mail's raw messages are written for all its recipients; nothing is committed",
        "mail.committed": "a mail's raw messages are committed; its sender has no answer",
        "bdk.noted": "what a notification told is written; nothing is committed",
        "bdk.claimed": "a lead that is due is in hand, committed; the bank has not been asked",
        "bdk.stored": "a fetched lead is written, and that it is fetched; nothing is committed",
        "virtualexpo.attempt_written": "an attempt is written, the next put off; nothing is committed",
        "virtualexpo.attempt_committed": "an attempt is on record; the vendor has not been asked",
        "relay.in_hand": "messages just committed are in hand, held by a lease; nothing is published",
        "relay.claimed": "outbox rows are locked; nothing is published",
        "publisher.handed_over": "messages are handed to the connection; they may never leave it",
        "relay.answered": "the broker answered for each message; no row has changed",
        "relay.removed": "rows of confirmed messages are deleted; nothing is committed",
        "relay.told": "the rows' owner noted that they are published; nothing is committed",
        "relay.backed_off": "messages not confirmed have a later due time",
        "relay.committed": "the outbox holds only what is not confirmed",
        "normalizer.read": "the batch is read by its adapters; no transaction is open",
        "normalizer.found_ordinary": "a batch all of which is new is decided about; nothing is written",
        "normalizer.decided": "the leads are held and decided about; nothing of them is written",
        "normalizer.written": "leads, revisions and events are written; nothing is committed",
        "normalizer.quarantined": "quarantine entries are written as well; nothing is committed",
        "normalizer.ledger_noted": "what became of deliveries is written; nothing is committed",
        "normalizer.released": "messages left the quarantine for a new mapping; nothing is committed",
        "mailer.found_ordinary": "a batch all of which is new is decided about; nothing is written",
        "mailer.planned": "leads, deliveries and the mails' bytes are written; nothing is committed",
        "mailer.poison_kept": "messages that cannot be read are written; nothing is committed",
        "mailer.released": "leads that no route took are planned for a new one; nothing is committed",
        "mailer.replaced": "what follows from a refusal is committed; the refusal is not recorded",
        "mailer.prepared": "a try has its mail in hand; no connection is taken",
        "bounce.stored": "a bounce is written, and what it makes of its delivery; nothing is committed",
        "bounce.committed": "a bounce is committed; its sender has no answer",
        "delivery.offered": "the engine heard of what is committed and could not start as it was planned",
        "delivery.probed": "the one probe of an unhealthy destination is taken; nothing is committed",
        "delivery.intent_written": "deliveries are `sending` with lease and attempt; nothing is committed",
        "delivery.intent_committed": "the intent is committed, perhaps with the plan; no try has begun",
        "delivery.begun": "a try has begun; the sink has not been called",
        "delivery.lease_renewed": "a lease lasts, extended and committed where it was not young",
        "delivery.answered": "the sink answered; nothing of it is recorded",
        "delivery.state_written": "the delivery's new state is written; its event is not",
        "delivery.announced": "the event is in the outbox; nothing is committed",
        "delivery.recorded": "state, attempt and event are committed; nobody is woken",
        "delivery.expiry_written": "a dead holder's deliveries are called ambiguous; nothing is committed",
        "delivery.expiry_recorded": "the expiry is committed; nobody is woken",
        "smtp.connected": "the mail host greeted us and knows who we are",
        "smtp.addressed": "the mail host took the recipient; nothing of the mail is sent",
        "smtp.content_written": "the mail's text is with the kernel; the final dot is not sent",
        "smtp.dot_sent": "the final dot is sent; the mail host has not answered",
    }
)
"""Every point there is, and what is true when it is passed."""

_observer: Observer | None = None


def passed(point: str) -> None:
    """Called where `point`, one of POINTS, has just been reached."""
    if _observer is not None:
        _observer(point)


def observe(observer: Observer | None) -> None:
    """Have `observer` called at each point from now on, in the middle of the service's work; None ends it."""
    global _observer
    _observer = observer
