"""What an SMTP reply means for a delivery: the table of reply codes, as a pure function."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from leadbus.delivery import Delivered, Permanent, Suspended, Transient

_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_UNPRINTABLE = re.compile(r"[^ -~\u00a0-\ud7ff\ue000-\uffff]+")


class Step(Enum):
    """Where in the conversation a reply was given. Before CONTENT nothing can have been taken."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"


_SESSION = frozenset({Step.CONNECT, Step.EHLO, Step.STARTTLS, Step.AUTH})


@dataclass(frozen=True, slots=True)
class Reply:
    """`code` is the three digits, -1 where the line was no SMTP reply."""

    code: int
    text: str

    @property
    def enhanced(self) -> tuple[int, int, int] | None:
        """The status code of RFC 3463, such as (5, 1, 1)."""
        found = _ENHANCED.match(self.text)
        return (int(found[1]), int(found[2]), int(found[3])) if found else None

    @property
    def answer(self) -> str:
        """For operators: one printable line."""
        return f"{self.code} {_UNPRINTABLE.sub(' ', self.text)}".strip()


Refusal: TypeAlias = Transient | Suspended | Permanent


# RFC 4954: 432 password transition, 525 account disabled, 530 authentication (or STARTTLS) required,
# 534 mechanism too weak, 535 credentials invalid, 538 mechanism needs encryption.
_ACCOUNT = {
    432: "password_transition",
    525: "account_disabled",
    530: "auth_required",
    534: "auth_refused",
    535: "auth_refused",
    538: "auth_refused",
}
_SETTINGS_DIFFER = frozenset({"auth_not_offered", "tls_not_offered", "certificate_untrusted"})


def refusal(step: Step, reply: Reply, *, own_sender: bool = False) -> Refusal:
    """What a reply means that is not the one hoped for.

    `destination_down` marks what is the host's or the account's trouble: leads wait and burn no tries.
    Suspended is what trying again cannot mend: the account is refused, or (`own_sender`) the address that
    all mails come from whose route names no other.
    """
    answer = reply.answer
    if reply.code == 421:
        return Transient("service_unavailable", answer=answer, destination_down=True)
    if reply.code == 454:
        return Transient("tls_or_auth_unavailable", answer=answer, destination_down=True)
    if reply.code in _ACCOUNT:
        return _account_refused(_ACCOUNT[reply.code], reply)
    if step is Step.AUTH and 500 <= reply.code < 600:
        return _account_refused("auth_refused", reply)
    if step in _SESSION:
        return Transient("host_refused", answer=answer, destination_down=True)
    if 400 <= reply.code < 500:
        return Transient(_transient_reason(reply), answer=answer)
    if 500 <= reply.code < 600:
        refused = _permanent(step, reply)
        if own_sender and step is Step.MAIL and refused.reason in ("sender_refused", "policy"):
            # No recipient was named yet: this is about us.
            return Suspended("sender_refused", answer)
        return refused
    return Transient("unreadable_answer", answer=answer)


def lost(reason: str) -> Transient | Suspended:
    """What it means that the conversation did not come about or broke before the mail."""
    if reason in _SETTINGS_DIFFER:
        return Suspended(reason)
    return Transient(reason, destination_down=True)


def accepted(reply: Reply) -> Delivered:
    """250 after the final dot: the mail is theirs now."""
    return Delivered(reply.answer)


def _account_refused(reason: str, reply: Reply) -> Refusal:
    if reply.enhanced and reply.enhanced[0] == 4 and reply.code != 432:
        # Some hosts answer 535 4.7.0 while the server behind them that knows the passwords is away.
        return Transient("auth_unavailable", answer=reply.answer, destination_down=True)
    return Suspended(reason, reply.answer)


def _transient_reason(reply: Reply) -> str:
    match reply.enhanced:
        case (_, 7, 1):
            return "greylisted"
        case (_, 2, 2):
            return "mailbox_full"
        case (_, 5, 3):
            return "too_many_recipients"
    return {450: "mailbox_busy", 451: "deferred", 452: "storage_full"}.get(reply.code, "deferred")


def _permanent(step: Step, reply: Reply) -> Refusal:
    if reply.code in (500, 501, 502, 503, 504, 555):
        return Permanent("protocol", reply.answer)
    return _by_enhanced_code(reply) or _by_step(step, reply)


def _by_enhanced_code(reply: Reply) -> Refusal | None:
    match reply.enhanced:
        case (_, 2, 2):
            # Full now is not full for ever; the schedule bounds how often it is asked.
            return Transient("mailbox_full", answer=reply.answer)
        case (_, 4, 5):
            # Congestion by the book, the day's quota of the account in practice: over by itself.
            return Transient("quota_exceeded", answer=reply.answer, destination_down=True)
        case (_, 1, 7 | 8):
            return Permanent("sender_refused", reply.answer)
        case (_, 1, _) | (_, 2, 1):
            return Permanent("bad_address", reply.answer)
        case (_, 3, 4) | (_, 2, 3):
            return Permanent("too_large", reply.answer)
        case (_, 6, _):
            return Permanent("content_refused", reply.answer)
        case (_, 7, _):
            return Permanent("policy", reply.answer)
    return None


def _by_step(step: Step, reply: Reply) -> Refusal:
    if step is Step.MAIL:
        return Permanent("too_large" if reply.code == 552 else "sender_refused", reply.answer)
    if step is Step.RCPT:
        return Permanent("mailbox_full" if reply.code == 552 else "bad_address", reply.answer)
    return Permanent("too_large" if reply.code == 552 else "content_refused", reply.answer)


def answered(answer: str) -> tuple[str, str]:
    """Class and first two enhanced digits of an outcome's answer, for counting: `("5xx", "5.1")`."""
    code, _, text = answer.partition(" ")
    if not (len(code) == 3 and code.isdigit()):
        return "lost", "none"
    enhanced = Reply(int(code), text).enhanced
    return f"{code[0]}xx", f"{enhanced[0]}.{enhanced[1]}" if enhanced else "none"
