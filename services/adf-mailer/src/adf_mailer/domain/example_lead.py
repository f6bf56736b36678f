"""A lead of nobody, to try a route with: marked as a test, with a number that rings nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from leadbus.contracts import Lead
from leadbus.contracts.customer import Customer, Email, Name, Phone
from leadbus.contracts.dealer import Dealer
from leadbus.contracts.lead import Consent
from leadbus.contracts.vehicle import Odometer, Vehicle
from leadbus.contracts.vocabulary import Intent, Source

from adf_mailer.domain.conditions import VehicleClass, pairs

ExampleVehicle = Literal["new", "used", "service"]

ACCOUNT = "test"
MESSAGE = "This is a test by Leadbus. Nobody asked for anything: please do not call."

_NORTH_AMERICA = "+12025550123"
# Kept free for films and books by who gives numbers out: Ofcom, Bundesnetzagentur, Arcep, ComReg, ACMA.
_FICTIONAL = {
    "GB": "+442079460123",
    "DE": "+493023125123",
    "FR": "+33199001234",
    "IE": "+353209101234",
    "AU": "+61491570006",
}
_VEHICLES: dict[ExampleVehicle, Vehicle] = {
    "new": Vehicle(status="new", wanted=True, make="Example", model="Sedan", trim="EX", stock="TEST-1"),
    "used": Vehicle(
        status="used",
        wanted=True,
        make="Example",
        model="Wagon",
        stock="TEST-2",
        odometer=Odometer(value=42_000, units="unknown"),
    ),
    "service": Vehicle(status="used", wanted=True, make="Example", model="Wagon", comments="Oil change."),
}
_USUAL: dict[ExampleVehicle, Intent] = {"new": "inquiry", "used": "inquiry", "service": "service"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the test is to look like. `source_type` is the lead type that the CRM sees as service."""

    source: Source
    source_type: str
    vehicle: ExampleVehicle
    intents: tuple[Intent, ...]


def fitting(
    intents: tuple[Intent, ...], classes: tuple[VehicleClass, ...], vehicle: ExampleVehicle | None
) -> tuple[ExampleVehicle, tuple[Intent, ...]]:
    """What a test lead is about and asks for, so that a route with these conditions takes it.

    About `vehicle`, where that is given; the usual one where the route takes no such lead.
    """
    let_through = pairs(intents, classes)
    for about in (vehicle,) if vehicle else _USUAL:
        for asked in (_USUAL[about], *intents):
            if (asked, about) in let_through:
                return about, (asked,) if about != "service" or asked == "service" else ("service", asked)
    about = vehicle or "new"
    return about, (_USUAL[about],)


def example_lead(dealer: Dealer, wanted: Wanted, *, lead_id: UUID, at: datetime) -> Lead:
    """A test lead for `dealer`. The same arguments make the same lead."""
    email, number = "test.lead@example.com", fictional_number(dealer.country)
    return Lead(
        lead_id=lead_id,
        revision=1,
        source=wanted.source,
        account=ACCOUNT,
        source_type=wanted.source_type,
        channel="form",
        intents=wanted.intents,
        answer_expected=False,
        occurred_at=at,
        received_at=at,
        dealer=dealer,
        customer=Customer(
            name=Name(full="Test Lead", first="Test", last="Lead"),
            emails=(Email(address=email, raw=email, primary=True),),
            phones=(Phone(e164=number, raw=number),),
        ),
        vehicles=(_VEHICLES[wanted.vehicle].model_copy(update={"year": str(at.year)}),),
        message=MESSAGE,
        consent=Consent(basis="request", purposes=("reply",), at=at),
        extras={},
        test=True,
    )


def fictional_number(country: str | None) -> str:
    """E.164; of the dealer's country where one is known there, else of North America (555-01xx)."""
    return _FICTIONAL.get(country or "", _NORTH_AMERICA)


def is_example(lead: Lead, source_type: str | None, vehicle: ExampleVehicle | None) -> bool:
    """Whether `lead` is the test lead that these ask for, whatever the dealer was called then."""
    return any(
        lead == example_lead(lead.dealer, wanted, lead_id=lead.lead_id, at=lead.received_at)
        for about in ((vehicle,) if vehicle else _USUAL)
        for wanted in [Wanted(lead.source, source_type or lead.source_type, about, lead.intents)]
    )
