"""What an SMTP reply means for a delivery: the table of reply codes, as a pure function."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TypeAlias

from leadbus.delivery import Ambiguous, Delivered, Outcome, Permanent, Suspended, Transient

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
_ADDRESSED = frozenset({Step.RCPT, Step.DATA, Step.CONTENT})
"""The recipient is named: what is said may be about its domain."""
_UNADDRESSED = frozenset({Step.CONNECT, Step.EHLO, Step.AUTH, Step.MAIL})
"""What is said is about us or the host's load. To STARTTLS 4.7.0 says that there is no TLS (RFC 3207, 4)."""


class Paces(StrEnum):
    """How patient the retry of a refusal for now has to be; the schedule has the waits."""

    DEFERRED = "deferred"
    """450, 451, greylisting: in vain within minutes."""
    FULL = "full"
    """A full mailbox or disk, too many recipients: somebody has to make room first."""
    OTHER = "other"
    """Any other 4xx."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mail in one transaction, and the step that decided it."""

    outcome: Outcome
    step: Step

    @property
    def host_failed(self) -> bool:
        """The trouble is the host's or the account's with it, or nobody knows whether the host took it."""
        outcome = self.outcome
        return isinstance(outcome, Suspended | Ambiguous) or (
            isinstance(outcome, Transient) and outcome.destination_down
        )

    @property
    def may_go_elsewhere(self) -> bool:
        """The host failed before it had asked for the mail's text: another one may have the mail."""
        return self.host_failed and self.step is not Step.CONTENT

    @property
    def domain_wants_less(self) -> bool:
        """421 or 4.7.x, said when the recipient was named."""
        return self.step in _ADDRESSED and self._asks_to_slow_down

    @property
    def host_wants_less(self) -> bool:
        """421 or 4.7.x, said before any recipient was named."""
        return self.step in _UNADDRESSED and self._asks_to_slow_down

    @property
    def _asks_to_slow_down(self) -> bool:
        if not isinstance(self.outcome, Transient):
            return False
        reply = Reply.of(self.outcome.answer)
        return reply is not None and (
            reply.code == 421 or (reply.enhanced is not None and reply.enhanced[:2] == (4, 7))
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """`code` is the three digits, -1 where the line was no SMTP reply."""

    code: int
    text: str

    @classmethod
    def of(cls, answer: str) -> Reply | None:
        """Read back what `answer` told operators; None where the other side said nothing readable."""
        code, _, text = answer.partition(" ")
        return cls(int(code), text) if len(code) == 3 and code.isdigit() else None

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
    if reply.code == 521 and step not in _ADDRESSED:
        # RFC 7504: by its own word no mail server, whoever configured it as one.
        return Suspended("takes_no_mail", answer)
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
        reason, pace = _for_now(reply)
        return Transient(reason, answer=answer, pace=pace)
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


_BY_CODE = {
    450: ("mailbox_busy", Paces.DEFERRED),
    451: ("deferred", Paces.DEFERRED),
    452: ("storage_full", Paces.FULL),
}


def _for_now(reply: Reply) -> tuple[str, Paces]:
    """Reason and pace of a 4xx."""
    match reply.enhanced:
        case (_, 7, 1):
            return "greylisted", Paces.DEFERRED
        case (_, 2, 2):
            return "mailbox_full", Paces.FULL
        case (_, 5, 3):
            return "too_many_recipients", Paces.FULL
    return _BY_CODE.get(reply.code, ("deferred", Paces.OTHER))


def _permanent(step: Step, reply: Reply) -> Refusal:
    about_address = reply.enhanced is not None and reply.enhanced[1] == 1
    if reply.code in (500, 501, 502, 503, 504, 555) and not about_address:
        return Permanent("protocol", reply.answer)
    return _by_enhanced_code(reply) or _by_step(step, reply)


def _by_enhanced_code(reply: Reply) -> Refusal | None:
    match reply.enhanced:
        case (_, 2, 2):
            # Full now is not full for ever; the schedule bounds how often it is asked.
            return _full(reply)
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
        return _full(reply) if reply.code == 552 else Permanent("bad_address", reply.answer)
    if reply.code in (521, 556):
        return Permanent("bad_address", reply.answer)
    return Permanent("too_large" if reply.code == 552 else "content_refused", reply.answer)


def _full(reply: Reply) -> Transient:
    return Transient("mailbox_full", answer=reply.answer, pace=Paces.FULL)


def answered(answer: str) -> tuple[str, str]:
    """Class and first two enhanced digits of an outcome's answer, for counting: `("5xx", "5.1")`."""
    reply = Reply.of(answer)
    if reply is None:
        return "lost", "none"
    enhanced = reply.enhanced
    return f"{reply.code // 100}xx", f"{enhanced[0]}.{enhanced[1]}" if enhanced else "none"
