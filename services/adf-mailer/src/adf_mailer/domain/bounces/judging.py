"""What a report means for the mail it is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from adf_mailer.domain import xtext
from adf_mailer.domain.bounces import status
from adf_mailer.domain.bounces.report import Action, Kind, Report, Reported

CONTENT_REFUSED = "content_refused"


class Verdict(StrEnum):
    """What becomes of the delivery."""

    PERMANENT = "permanent"
    """It did not arrive, and the same again would not."""
    TRANSIENT = "transient"
    """It did not arrive, for a reason that passes."""
    DELAYED = "delayed"
    """It is on its way still: noted."""
    CONFIRMED = "confirmed"
    """It arrived, or went on to where nobody reports from: noted."""
    COMPLAINT = "complaint"
    """It arrived, and somebody calls it spam: noted."""
    NONE = "none"
    """Nothing can be told from it."""


class Role(StrEnum):
    """Who the report is about."""

    ADDRESSEE = "addressee"
    """Whom we sent it to."""
    FORWARDED = "forwarded"
    """Somebody to whom it went on from there."""
    UNNAMED = "unnamed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`reason` is a code of `status.REASON_CODES`, or a complaint's kind; `said` what was judged by."""

    verdict: Verdict
    reason: str | None = None
    role: Role = Role.UNNAMED
    said: Reported | None = None


_NOTED = {
    Action.DELAYED: Verdict.DELAYED,
    Action.DELIVERED: Verdict.CONFIRMED,
    Action.RELAYED: Verdict.CONFIRMED,
    Action.EXPANDED: Verdict.CONFIRMED,
}


def judge(report: Report, addressee: str | None = None) -> Judgement:
    """Of several recipients those count that we sent to, and of these the worst.

    `addressee` is whom the mail was sent to, None where it is not known.
    """
    if report.kind is Kind.COMPLAINT:
        return Judgement(Verdict.COMPLAINT, report.feedback, _role(report.addresses, addressee))
    if not report.recipients:
        return Judgement(Verdict.NONE)
    ours = [one for one in report.recipients if _role(one.addresses, addressee) is Role.ADDRESSEE]
    order = list(Action)
    said = min(ours or report.recipients, key=lambda one: order.index(one.action))
    role = _role(said.addresses or report.addresses, addressee)
    if said.action is not Action.FAILED:
        late = _reason(said, report.kind) if said.action is Action.DELAYED else None
        return Judgement(_NOTED[said.action], None if late == status.UNDELIVERABLE else late, role, said)
    reason = _reason(said, report.kind)
    return Judgement(_failed(said, reason), reason, role, said)


def names(addresses: tuple[str, ...], addressee: str) -> bool:
    """Whether one of these is the address, in whatever way reports write it."""
    wanted = addressee.lower()
    for one in addresses:
        plain = one.strip().strip("<>").lower()
        if wanted in (plain, xtext.decoded(one.strip().strip("<>")).lower()):
            return True
    return False


def _role(addresses: tuple[str, ...], addressee: str | None) -> Role:
    if not addresses or addressee is None:
        return Role.UNNAMED
    return Role.ADDRESSEE if names(addresses, addressee) else Role.FORWARDED


def _reason(said: Reported, kind: Kind) -> str:
    found = said.status
    if status.says_nothing(found):
        found = status.found_in(said.diagnostic) or found
    reason = status.reason_of(found, said.diagnostic)
    if kind is Kind.ADF and reason == status.UNDELIVERABLE:
        return CONTENT_REFUSED
    return reason


def _failed(said: Reported, reason: str) -> Verdict:
    if reason in (status.MAILBOX_FULL, status.EXPIRED):
        return Verdict.TRANSIENT
    told = said.status or status.found_in(said.diagnostic)
    if said.status and status.says_nothing(said.status):
        told = status.found_in(said.diagnostic) or said.status
    return Verdict.TRANSIENT if told and told.startswith("4") else Verdict.PERMANENT
