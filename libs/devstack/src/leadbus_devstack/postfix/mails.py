"""Mails in the maildirs that Postfix delivers into."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

_TRACE = re.compile(
    rb"(?:(?:Return-Path|X-Original-To|Delivered-To|Received):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*",
    re.IGNORECASE,
)
_ORIGINAL_RECIPIENT = re.compile(rb"^X-Original-To: ([^\r\n]*)\r$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DeliveredMail:
    """One mail in a mailbox. `content`: its file, with the line ends of the network instead of Unix'."""

    path: Path
    content: bytes

    @property
    def sent(self) -> bytes:
        """The bytes as they were sent: `content` without the trace headers that Postfix put before them."""
        found = _TRACE.match(self.content)
        return self.content[found.end() if found else 0 :]

    @property
    def recipient(self) -> str:
        """As it was named at RCPT, with what stands behind the `+`."""
        found = _ORIGINAL_RECIPIENT.search(self.content)
        return found[1].decode("ascii") if found else ""

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def message_id(self) -> str:
        """With its angle brackets; empty when the mail has none."""
        return str(self.message["Message-ID"] or "").strip()


def read_mails(base: Path, recipient: str | None = None) -> list[DeliveredMail]:
    """Oldest first, of all mailboxes below `base`; those sent to exactly `recipient` when one is given."""
    paths = sorted(base.glob("*/new/*"), key=lambda path: path.stat().st_mtime_ns)
    mails = [DeliveredMail(path, path.read_bytes().replace(b"\n", b"\r\n")) for path in paths]
    return [mail for mail in mails if recipient in (None, mail.recipient)]
