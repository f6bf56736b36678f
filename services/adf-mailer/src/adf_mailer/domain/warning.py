"""The mail to a route's people when an address of their CRM is suspended: what refuses, and what to do.

It names no shopper: the lead only by its id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from leadbus.contracts import Lead

from adf_mailer.domain import moment, text
from adf_mailer.domain.address_standing import Counted, Standing, key
from adf_mailer.domain.fixed_texts import Language, chosen, label
from adf_mailer.domain.notice import Notice, readable
from adf_mailer.domain.recipients import Recipient, alternate, warned_people
from adf_mailer.domain.route import Route

WARNED_OF = ("lead", "alternate")
"""Roles of the mails whose refusal is told to people: those that bring a CRM its leads."""
SENDER_DISPLAY = "Leadbus"

_WHY: dict[Counted, str] = {
    "bad_address": "warning_why_bad_address",
    "policy": "warning_why_policy",
}
_WHAT_TO_DO: dict[Counted, str] = {
    "bad_address": "warning_do_bad_address",
    "policy": "warning_do_policy",
}


@dataclass(frozen=True, slots=True)
class Warned:
    """What the mail says. `elsewhere`: the address that gets the leads meanwhile; None: they wait."""

    address: str
    reason: Counted
    refusals: int
    since: datetime
    suspended_at: datetime
    elsewhere: str | None


def warned(refused: Recipient, standing: Standing, route: Route) -> Warned | None:
    """None where nobody is to be told: nothing is suspended, or no CRM misses its leads."""
    if refused.role not in WARNED_OF or standing.suspended_at is None:
        return None
    other = alternate(route.spec) if refused.role == "lead" and standing.another_may_take else None
    return Warned(
        address=refused.address,
        reason=standing.reason,
        refusals=standing.refusals,
        since=standing.refusing_since or standing.suspended_at,
        suspended_at=standing.suspended_at,
        elsewhere=other.address if other else None,
    )


def people(route: Route, of: Warned) -> list[Recipient]:
    """Who is told, each in a mail of its own; never the address that refuses."""
    return [one for one in warned_people(route.spec) if key(one.address) != key(of.address)]


def subject(lead: Lead, route: Route) -> str:
    """One line; not yet safe for a header."""
    language = chosen(route.spec.language, lead.dealer.locale)
    return label("warning_subject", language, dealer=_dealer(lead))


def render(of: Warned, lead: Lead, route: Route) -> Notice:
    """The body of the mail."""
    language = chosen(route.spec.language, lead.dealer.locale)
    blocks = [
        label("warning_head", language),
        "\n".join(_facts(of, lead, route, language)),
        _leads(of, language),
        f"{label('warning_do', language)}: {label(_WHAT_TO_DO[of.reason], language)}",
        "\n".join(_origin(lead, route, language)),
    ]
    return readable("\n\n".join(blocks) + "\n")


def _facts(of: Warned, lead: Lead, route: Route, language: Language) -> Iterator[str]:
    since = moment.clock(of.since, moment.zone(route.spec.time_zone or lead.dealer.time_zone))
    yield f"{label('warning_address', language)}: {of.address}"
    yield f"{label('warning_since', language)}: {since}"
    yield f"{label('warning_refusals', language)}: {of.refusals}"
    yield f"{label('warning_why', language)}: {label(_WHY[of.reason], language)}"


def _leads(of: Warned, language: Language) -> str:
    if of.elsewhere is None:
        return label("warning_leads_wait", language)
    return label("warning_leads_elsewhere", language, address=of.elsewhere)


def _origin(lead: Lead, route: Route, language: Language) -> Iterator[str]:
    yield f"{label('notice_dealer', language)}: {_dealer(lead)}"
    yield f"{label('warning_route', language)}: {route.name}"
    yield f"{label('notice_lead', language)}: {lead.lead_id}"


def _dealer(lead: Lead) -> str:
    return text.line(lead.dealer.name) or lead.dealer.dealer_id
