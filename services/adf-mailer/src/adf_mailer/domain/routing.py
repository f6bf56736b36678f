"""Who gets a mail about a lead, and who does not and why: a rule over lead, routes and what was before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, TypeAlias

from leadbus.contracts import Lead

from adf_mailer.domain.comments import recording_url
from adf_mailer.domain.conditions import pairs, pairs_of
from adf_mailer.domain.document import Status
from adf_mailer.domain.guard import guarded
from adf_mailer.domain.recipients import ROLES, Recipient, Told, recipients
from adf_mailer.domain.route import Route, kinds_kept_from

UnroutedReason = Literal["no_route", "no_matching_route", "route_disabled"]
"""Why nobody was there for a lead: the dealer has no route, none that matches, only such that are off."""

SkipReason = Literal[
    UnroutedReason, "consent", "erased", "test_lead", "not_material", "updates_ignored", "sensitive"
]


@dataclass(frozen=True, slots=True)
class Deliver:
    """A mail to one address of a route."""

    route: Route
    status: Status
    recipient: Recipient


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing goes on this route. `route` is None where the dealer has none, or none that matches."""

    route: Route | None
    reason: SkipReason


Decision: TypeAlias = Deliver | Skip

_WHOLE = {"vehicles", "transcript"}
"""Parts of a lead of which everything is worth a second mail."""
_IN_ORDER = json.JSONEncoder(sort_keys=True)


def decide(
    lead: Lead, before: Lead | None, routes: Sequence[Route], told: AbstractSet[Told]
) -> list[Decision]:
    """A mail for each address of the routes that the lead takes, or a skip for each of those routes.

    `before` is the revision that was decided last, None the first time this service hears of the lead,
    whatever the event was called: an update that overtook its lead counts as the lead. Once a mail was
    written, only material changes, and a consent that was missing, deliver; `told` decides between `new` and
    `resend`.
    """
    own = [route for route in routes if route.spec.dealer == lead.dealer.dealer_id]
    enabled = [route for route in own if route.spec.enabled]
    taken = winners(lead, enabled)
    if not taken:
        return _nobody(lead, own)
    if reason := refusal(lead):
        return [Skip(route, reason) for route in taken]
    refused = [route for route in taken if lead.test and not route.spec.send_test_leads]
    ready = [route for route in taken if route not in refused]
    fresh = before is None or refusal(before) is not None or material(before) != material(lead)
    shared = _shared_out(ready)
    decisions: list[Decision] = [Skip(route, "test_lead") for route in refused]
    for route in ready:
        # An unmaterial update of a lead that reached nobody yet (its dealer had no route) is the lead itself.
        if not fresh and told:
            decisions.append(Skip(route, "not_material"))
        else:
            decisions += _for_route(lead, route, shared[route.name], told)
    return decisions


def winners(lead: Lead, routes: Sequence[Route]) -> list[Route]:
    """For everything the lead asks for the most specific of `routes`, by name; equal ones all.

    One route is more specific than another when its conditions let through a proper part of what the
    other's do. A route without conditions is the least specific.
    """
    found = dict[str, Route]()
    let_through = [(route, pairs(route.spec.intents, route.spec.vehicle)) for route in routes]
    for pair in pairs_of(lead):
        matching = [(route, its) for route, its in let_through if pair in its]
        found |= {
            route.name: route for route, its in matching if not any(other < its for _, other in matching)
        }
    return [found[name] for name in sorted(found)]


def refusal(lead: Lead) -> SkipReason | None:
    """Why this person may not be written about now.

    Read again for each try, but for the one that the plan's own commit starts.
    """
    if lead.erased:
        return "erased"
    if lead.consent.basis == "withdrawn":
        return "consent"
    # A tracker's visit is nobody's enquiry until the visitor permits contact.
    if lead.channel == "visit" and lead.consent.basis == "none":
        return "consent"
    return None


def material(lead: Lead) -> str:
    """Digest of what is worth a second mail: phones, e-mails, vehicles, transcript, call recording.

    And the dealer: whoever gets the lead now has never seen it.
    """
    customer = lead.customer
    parts = lead.model_dump(mode="json", exclude_none=True, include=_WHOLE) | {
        "dealer": lead.dealer.dealer_id,
        "phones": sorted([phone.e164 or phone.raw, phone.extension or ""] for phone in customer.phones),
        "emails": sorted(email.address or email.raw for email in customer.emails),
        "recording": recording_url(lead.call),
    }
    return hashlib.sha256(_IN_ORDER.encode(parts).encode()).hexdigest()


def untold(route: Route, told: AbstractSet[Told]) -> list[Deliver]:
    """The lead's mails to those addresses of a route that got none yet."""
    return [Deliver(route, "new", one) for one in recipients(route.spec) if one.told not in told]


def _nobody(lead: Lead, own: Sequence[Route]) -> list[Decision]:
    """Routes that are off are named where they would have got it."""
    if not own:
        return [Skip(None, "no_route")]
    off = winners(lead, [route for route in own if not route.spec.enabled])
    return [Skip(route, "route_disabled") for route in off] or [Skip(None, "no_matching_route")]


def _shared_out(routes: Sequence[Route]) -> Mapping[str, Sequence[Recipient]]:
    """Each address once, in its first role, and there by the first route: the recipients of each route."""
    standing = [(one, route) for route in routes for one in recipients(route.spec)]
    taken: set[str] = set()
    shared: dict[str, list[Recipient]] = {route.name: [] for route in routes}
    for recipient, route in sorted(standing, key=lambda one: ROLES.index(one[0].role)):
        if recipient.address.lower() not in taken:
            taken.add(recipient.address.lower())
            shared[route.name].append(recipient)
    return shared


def _for_route(
    lead: Lead, route: Route, its: Sequence[Recipient], told: AbstractSet[Told]
) -> Iterator[Decision]:
    """Nothing for a route whose addresses all stand in others."""
    ignores = route.spec.updates == "ignore"
    wanted = [one for one in its if not ignores or one.told not in told]
    if its and not wanted:
        yield Skip(route, "updates_ignored")
    elif wanted and _held_back(lead, route):
        yield Skip(route, "sensitive")
        return
    for one in wanted:
        yield Deliver(route, "resend" if one.told in told else "new", one)


def _held_back(lead: Lead, route: Route) -> bool:
    """A route that holds personal data back sends nothing of a lead that has some, unless it is redriven."""
    if route.spec.sensitive != "hold":
        return False
    return bool(guarded(lead, kinds_kept_from(route.spec)).found)
