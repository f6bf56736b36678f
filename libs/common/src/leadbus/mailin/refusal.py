"""What a mail server is told when a mail, or one of its recipients, is not taken."""

from __future__ import annotations

from enum import StrEnum


class MailReason(StrEnum):
    """Closed vocabulary: label in the metrics, word in the log."""

    UNKNOWN_RECIPIENT = "unknown_recipient"
    RECIPIENT_DISABLED = "recipient_disabled"
    TEST_NOT_ALLOWED = "test_not_allowed"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    TOO_MANY_STRANGERS = "too_many_strangers"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    TOO_SLOW = "too_slow"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    DRAINING = "draining"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


REPLIES: dict[MailReason, str] = {
    MailReason.UNKNOWN_RECIPIENT: "550 5.1.1 No such recipient here",
    # Not for good: what is switched off for an hour must not cost the mails of that hour.
    MailReason.RECIPIENT_DISABLED: "450 4.2.1 This recipient is switched off, try again later",
    MailReason.TEST_NOT_ALLOWED: "550 5.7.1 Test mails are not taken for this recipient",
    MailReason.TOO_MANY_RECIPIENTS: "452 4.5.3 Too many recipients, send the others with another mail",
    MailReason.TOO_MANY_STRANGERS: "421 4.7.0 Too many unknown recipients",
    MailReason.TOO_LARGE: "552 5.3.4 The mail is larger than is taken here",
    MailReason.BUSY: "452 4.3.1 Too much mail at once, try again later",
    MailReason.TOO_SLOW: "421 4.4.2 The mail came too slowly",
    MailReason.TOO_MANY_CONNECTIONS: "421 4.3.2 Too many connections, try again later",
    MailReason.DRAINING: "421 4.3.2 Going down, try again later",
    MailReason.UNAVAILABLE: "451 4.3.0 Cannot be stored now, try again later",
    MailReason.FAILED: "451 4.3.0 Failed on our side, try again later",
}
"""The reply line of each. 4xx: the sender keeps the mail and tries again; 5xx: it tells its own sender."""


class MailRefused(Exception):  # noqa: N818 -- an answer of the door, not a fault
    """A mail or a recipient is not taken, and nothing of it is stored."""

    def __init__(self, reason: MailReason) -> None:
        super().__init__(reason.value)
        self.reason = reason

    @property
    def reply(self) -> str:
        return REPLIES[self.reason]
