"""What a route would send about a lead as it is now, and whether it would."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy

from leadbus.contracts import Lead

from adf_mailer.domain import validation
from adf_mailer.domain.document import Status
from adf_mailer.domain.letter import Written, delivery_key, write
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.recipients import Recipient, Told
from adf_mailer.domain.route import Route
from adf_mailer.domain.routing import Decision, Deliver, decide


@dataclass(frozen=True, slots=True)
class Preview:
    """`decisions` as if the lead, as it is, were told of now; `problems` are those of the mail's document.

    The mail is shown also where it would not be sent.
    """

    decisions: tuple[Decision, ...]
    written: Written
    problems: tuple[validation.Problem, ...]


def preview(
    lead: Lead,
    route: Route,
    recipient: Recipient,
    told: AbstractSet[Told],
    *,
    status: Status | None,
    date: datetime,
    letterhead: Letterhead,
) -> Preview:
    """The mail to one recipient of the route; `status` None: what it would say.

    But for the moment in it, the mail is the one that would go.
    """
    decisions = decide(lead, None, [route], told)
    written = write(
        lead,
        route,
        status=status or _status(decisions, recipient, told),
        date=date,
        letterhead=letterhead,
        key=delivery_key(lead, route, recipient),
        recipient=recipient,
    )
    return Preview(tuple(decisions), written, tuple(_problems(written.mail.raw)))


def _status(decisions: Sequence[Decision], recipient: Recipient, told: AbstractSet[Told]) -> Status:
    for one in decisions:
        if isinstance(one, Deliver) and one.recipient == recipient:
            return one.status
    return "resend" if recipient.told in told else "new"


def _problems(raw: bytes) -> Iterator[validation.Problem]:
    """Of every ADF document in the mail, as the receiver finds it there."""
    for part in message_from_bytes(raw, policy=policy.compat32).walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and b"<adf" in content:
            yield from validation.problems(content)
