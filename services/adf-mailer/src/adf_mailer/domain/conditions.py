"""Which leads a route is for: what they ask for, and of which class they are.

Conditions are compared as sets of (intent, class) pairs that they let through, of those that a lead can have.
A lead that asks for service is of the class `service`, whatever vehicle it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from leadbus.contracts import Lead
from leadbus.contracts.vocabulary import Intent

VehicleClass = Literal["new", "used", "service"]
Pair: TypeAlias = tuple[Intent, VehicleClass | None]
"""What a lead asks for, and its class; None where it tells none."""

_CLASSES: tuple[VehicleClass | None, ...] = (*get_args(VehicleClass), None)
_INQUIRY: Intent = "inquiry"


def class_of(lead: Lead) -> VehicleClass | None:
    """`service`, or the status of the wanted vehicle."""
    if "service" in lead.intents:
        return "service"
    wanted = next((vehicle for vehicle in lead.vehicles if vehicle.wanted), None)
    return None if wanted is None or wanted.status == "unknown" else wanted.status


def pairs_of(lead: Lead) -> list[Pair]:
    """One for each intent, at least one. An inquiry is what asks for nothing else."""
    asked = [intent for intent in lead.intents if intent != _INQUIRY] or [_INQUIRY]
    vehicle_class = class_of(lead)
    return [(intent, vehicle_class) for intent in asked]


@lru_cache(1024)
def pairs(intents: tuple[Intent, ...], vehicle: tuple[VehicleClass, ...]) -> frozenset[Pair]:
    """What the conditions of a route let through; an empty one lets everything through."""
    return frozenset(
        (intent, vehicle_class)
        for intent, vehicle_class in _possible()
        if (not intents or intent in intents) and (not vehicle or vehicle_class in vehicle)
    )


def one_lead_has_both(some: Iterable[Pair], others: Iterable[Pair]) -> bool:
    """Whether a single lead can have a pair of `some` and another one of `others`."""
    known = frozenset(others)
    return any(
        vehicle_class == other_class and intent != other and _INQUIRY not in (intent, other)
        for intent, vehicle_class in some
        for other, other_class in known
    )


def _possible() -> Iterator[Pair]:
    for intent in get_args(Intent):
        for vehicle_class in _CLASSES:
            # Who asks for service is of that class, and what is of that class asks for more than an inquiry.
            never = intent == _INQUIRY if vehicle_class == "service" else intent == "service"
            if not never:
                yield intent, vehicle_class
