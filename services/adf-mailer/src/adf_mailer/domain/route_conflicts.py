"""Which routes of a dealer cannot stand beside each other: nobody could say which of them gets a lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from adf_mailer.domain.conditions import Pair, one_lead_has_both, pairs
from adf_mailer.domain.recipients import recipients
from adf_mailer.domain.route import AdfRoute, Route

Code = Literal["route_overlaps", "two_defaults", "conditions_overlap"]

_IN_TURN = "to exchange two routes, switch one off first"


@dataclass(frozen=True, slots=True)
class Conflict:
    """`field` is that of the route which is looked at; a number after a `/` is a place in a list."""

    field: str
    code: Code
    detail: str


def conflict(route: Route, others: Sequence[Route]) -> Conflict | None:
    """The first thing that keeps an enabled route from standing beside its dealer's other enabled ones."""
    for other in others:
        if found := _same_address(route.spec, other) or _conditions(route.spec, other):
            return found
    return None


def _same_address(spec: AdfRoute, other: Route) -> Conflict | None:
    """The same lead twice at one XML Lead Address would look like two leads.

    Where a lead can only take one of the routes, they may share an address: to say another subject of used
    cars, for one. Copies and people may stand in any number of routes; each gets one mail about a lead.
    """
    if not _one_lead_takes_both(spec, other.spec):
        return None
    theirs = {one.address.lower() for one in recipients(other.spec) if one.role == "lead"}
    for place, one in enumerate(recipients(spec)):
        if one.role == "lead" and one.address.lower() in theirs:
            return Conflict(
                f"more_addresses/{place - 1}" if place else "address",
                "route_overlaps",
                f"the enabled route {other.name} of this dealer goes to the same address, "
                "and one lead could take both",
            )
    return None


def _conditions(spec: AdfRoute, other: Route) -> Conflict | None:
    mine, theirs = _pairs(spec), _pairs(other.spec)
    if not mine & theirs or mine < theirs or theirs < mine:
        return None
    if not (spec.intents or spec.vehicle):
        return Conflict(
            "intents",
            "two_defaults",
            f"the enabled route {other.name} of this dealer has no conditions either: give one of them "
            f"`intents` or `vehicle`, or that one the address in `more_addresses`; {_IN_TURN}",
        )
    return Conflict(
        "intents" if spec.intents else "vehicle",
        "conditions_overlap",
        f"some leads would match the enabled route {other.name} of this dealer as well, and neither is the "
        f"more specific: leave no lead to both, or make one a part of the other; {_IN_TURN}",
    )


def _one_lead_takes_both(spec: AdfRoute, other: AdfRoute) -> bool:
    mine, theirs = _pairs(spec), _pairs(other)
    if mine < theirs:
        theirs -= mine
    elif theirs < mine:
        mine -= theirs
    elif mine & theirs:
        return True
    return one_lead_has_both(mine, theirs)


def _pairs(spec: AdfRoute) -> frozenset[Pair]:
    return pairs(spec.intents, spec.vehicle)
