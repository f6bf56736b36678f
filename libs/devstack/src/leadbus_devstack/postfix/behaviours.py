"""Who is addressed, or which port is spoken to, decides how Postfix behaves."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

DOMAIN = "crm.example"
"""Mailboxes of Postfix's own. `leads+anything@…` is `leads@…`, for whoever is addressed."""
NEXT_HOP_DOMAIN = "behind.example"
"""Relayed by SMTP to `NativePostfix.next_hop_port`, where the test listens, or nobody."""
INSIDE_DOMAIN = "inside.example"
"""Relayed by SMTP to a listener of the same instance, which takes nothing: 250 first, then a report."""
DISCARD_DOMAIN = "discard.example"
"""Taken and thrown away."""


class To(enum.StrEnum):
    """Recipients by what becomes of their mail. Anybody else of `DOMAIN` is unknown: 550 5.1.1."""

    MAILBOX = f"leads@{DOMAIN}"
    OTHER_MAILBOX = f"sales@{DOMAIN}"
    GREYLISTED = f"greylisted@{DOMAIN}"
    """450 4.7.1 until `Greylisting.delay_seconds` have passed; then a mailbox."""
    BUSY = f"busy@{DOMAIN}"
    DEFERRED = f"deferred@{DOMAIN}"
    FULL = f"full@{DOMAIN}"
    UNKNOWN = f"nobody@{DOMAIN}"
    REFUSED = f"refused@{DOMAIN}"
    CLOSING = f"closing@{DOMAIN}"
    """421 at RCPT, and the connection ends."""
    CONTENT_REFUSED = f"scanned@{DOMAIN}"
    """554 5.6.0 after the final dot."""
    CONTENT_DEFERRED = f"scanner-away@{DOMAIN}"
    """451 4.3.0 after the final dot."""
    BOUNCED = f"gone@{INSIDE_DOMAIN}"
    """Taken with 250; bounced at once, because the next host says 550 5.1.1."""
    BOUNCED_FULL = f"over-quota@{INSIDE_DOMAIN}"
    """The same with 552 5.2.2."""
    DELAYED = f"busy@{INSIDE_DOMAIN}"
    """Taken with 250; kept, because the next host says 450 4.2.1, and the sender is told of the delay."""
    NOT_OURS = "leads@elsewhere.example"
    """554 5.7.1: no relay for strangers."""
    BEHIND = f"leads@{NEXT_HOP_DOMAIN}"
    DISCARDED = f"leads@{DISCARD_DOMAIN}"


REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        To.BUSY: "450 4.2.1 The mailbox is busy",
        To.DEFERRED: "451 4.3.0 Local error in processing",
        To.FULL: "452 4.2.2 The mailbox is full",
        To.REFUSED: "550 5.7.1 Refused by policy",
        To.CLOSING: "421 4.3.2 The service is shutting down",
    }
)
"""Answers to RCPT, written as access(5) wants them."""
CONTENT_REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        To.CONTENT_REFUSED: "554 5.6.0 The content is not acceptable",
        To.CONTENT_DEFERRED: "451 4.3.0 The scanner is away",
    }
)
"""Answers to the final dot."""
INSIDE_REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        To.BOUNCED: "550 5.1.1 No such mailbox here",
        To.BOUNCED_FULL: "552 5.2.2 The mailbox is over its quota",
        To.DELAYED: "450 4.2.1 The mailbox is busy",
    }
)
"""Answers to RCPT of the host behind."""
MAILBOXES = (To.MAILBOX, To.OTHER_MAILBOX, To.GREYLISTED, To.CONTENT_REFUSED, To.CONTENT_DEFERRED)
"""Known to Postfix; the last two never get a mail."""


def table(name: str) -> str:
    """A table in the instance's folder, as main.cf and master.cf name it."""
    return f"texthash:$config_directory/{name}"


LISTENERS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "smtp": {},
        "smtps": {"smtpd_tls_wrappermode": "yes"},
        "tls_only": {"smtpd_tls_security_level": "encrypt"},
        "no_tls": {"smtpd_tls_security_level": "none"},
        "login": {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_tls_auth_only": "yes",
            "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject",
        },
        "closed": {"smtpd_client_restrictions": "check_client_access static:{421 4.3.2 Try later}"},
        "one_connection": {"smtpd_client_connection_count_limit": "1"},
        "one_mail": {"smtpd_client_message_rate_limit": "1"},
        "impatient": {"smtpd_timeout": "1s"},
        "full_disk": {"queue_minfree": str(10**15)},
        "inside": {
            # Another name: a host that greets with our own is a loop.
            "myhostname": INSIDE_DOMAIN,
            "smtpd_recipient_restrictions": f"check_recipient_access {table('inside')}, reject",
        },
    }
)
"""Ports by name, with what differs from main.cf.

`tls_only`: 530 before STARTTLS. `login`: AUTH after STARTTLS, and without it every recipient is refused.
`closed`: 421 for a greeting. `one_connection`: 421 to the second at a time.
`one_mail`: 450 4.7.1 to the second within a minute. `impatient`: 421 after a second of silence. `full_disk`:
452 4.3.1 to every MAIL. `inside`: the host behind `INSIDE_DOMAIN`.
"""
