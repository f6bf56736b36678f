"""Who gets a mail about a lead, and who does not and why: a rule over lead, routes and what was before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, TypeAlias

from leadbus.contracts import Lead

from adf_mailer.domain.comments import recording_url
from adf_mailer.domain.document import Status
from adf_mailer.domain.guard import guarded
from adf_mailer.domain.route import Route, kinds_kept_from

SkipReason = Literal[
    "no_route",
    "route_disabled",
    "consent",
    "erased",
    "test_lead",
    "not_material",
    "updates_ignored",
    "sensitive",
]

Told: TypeAlias = tuple[str, str]
"""Route name and address that a mail about the lead was written for."""


@dataclass(frozen=True, slots=True)
class Deliver:
    route: Route
    status: Status


@dataclass(frozen=True, slots=True)
class Skip:
    """`route` is None where the dealer has none."""

    route: Route | None
    reason: SkipReason


Decision: TypeAlias = Deliver | Skip


@dataclass(frozen=True, slots=True)
class Before:
    """What the revision that was decided last said."""

    material: str
    contactable: bool


def decide(
    lead: Lead, before: Before | None, routes: Sequence[Route], told: AbstractSet[Told]
) -> list[Decision]:
    """One decision per enabled route of the lead's dealer; a skip where there is none.

    `before` is None the first time this service hears of the lead, whatever the event was called: an
    update that overtook its lead counts as the lead. Once a mail was written, only material changes, and a
    consent that was missing, deliver; `told` decides between `new` and `resend`.
    """
    own = [route for route in routes if route.spec.dealer == lead.dealer.dealer_id]
    if not own:
        return [Skip(None, "no_route")]
    enabled = [route for route in own if route.spec.enabled]
    if not enabled:
        return [Skip(route, "route_disabled") for route in own]
    fresh = before is None or not before.contactable or before.material != material(lead)
    return [_unless_held(lead, _for_route(lead, route, told, fresh=fresh)) for route in enabled]


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
    parts = {
        "dealer": lead.dealer.dealer_id,
        "phones": sorted([phone.e164 or phone.raw, phone.extension or ""] for phone in customer.phones),
        "emails": sorted(email.address or email.raw for email in customer.emails),
        "vehicles": [vehicle.wire() for vehicle in lead.vehicles],
        "transcript": [line.wire() for line in lead.transcript],
        "recording": recording_url(lead.call),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _unless_held(lead: Lead, decision: Decision) -> Decision:
    """A route that holds personal data back sends nothing of a lead that has some, unless it is redriven."""
    if not isinstance(decision, Deliver) or decision.route.spec.sensitive != "hold":
        return decision
    found = guarded(lead, kinds_kept_from(decision.route.spec)).found
    return Skip(decision.route, "sensitive") if found else decision


def _for_route(lead: Lead, route: Route, told: AbstractSet[Told], *, fresh: bool) -> Decision:
    if reason := refusal(lead):
        return Skip(route, reason)
    if lead.test and not route.spec.send_test_leads:
        return Skip(route, "test_lead")
    # An unmaterial update of a lead that reached nobody yet (its dealer had no route) is the lead itself.
    if not fresh and told:
        return Skip(route, "not_material")
    if (route.name, route.spec.address) not in told:
        return Deliver(route, "new")
    if route.spec.updates == "ignore":
        return Skip(route, "updates_ignored")
    return Deliver(route, "resend")
