"""What a lead is about: vehicles, or other products."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from leadbus.contracts.vocabulary import DistanceUnit, Interest, PriceKind, VehicleStatus
from leadbus.contracts.wire import Amount, Code, Currency, Text, WireModel


class Distance(WireModel):
    """A distance in whole units."""

    value: Annotated[int, Field(ge=0)]
    """How many units."""
    units: DistanceUnit = "unknown"
    """Kilometres or miles."""


class Odometer(Distance):
    """What the odometer shows."""


class Price(WireModel):
    """One price of a vehicle or option."""

    kind: PriceKind = "unknown"
    """What the figure is; ``call`` means that the price is told on request."""
    amount: Amount | None = None
    """The figure."""
    currency: Currency | None = None
    """ISO 4217 code, where it was told."""


class Colour(WireModel):
    """One colour combination."""

    exterior: Text | None = None
    """Body colour."""
    interior: Text | None = None
    """Interior colour."""
    preference: Annotated[int, Field(ge=1)] | None = None
    """1 is the favourite."""


class Option(WireModel):
    """An option or package."""

    name: Text
    """What it is called."""
    code: Text | None = None
    """The manufacturer's code."""
    weighting: Annotated[int, Field(ge=-100, le=100)] | None = None
    """How much it matters: -100 must not, 0 indifferent, 100 must have."""
    price: Price | None = None
    """Its price."""


class Vehicle(WireModel):
    """A vehicle the customer wants, has, or offers."""

    interest: Interest = "buy"
    """What the customer wants to do with it."""
    status: VehicleStatus = "unknown"
    """New or used."""
    wanted: bool = False
    """The one this lead is about; on at most one vehicle of a lead."""
    year: Code | None = None
    """Model year as text: ranges such as ``2018-2020`` occur."""
    make: Text | None = None
    """Manufacturer."""
    model: Text | None = None
    """Model."""
    trim: Text | None = None
    """Trim level."""
    body: Text | None = None
    """Body style."""
    vin: Annotated[str, Field(pattern=r"^[A-HJ-NPR-Z0-9]{17}$")] | None = None
    """Vehicle identification number, upper case; absent when what was sent cannot be one (then in extras)."""
    vin_warning: Text | None = None
    """Why the VIN is doubted although its form is right, such as ``check_digit``."""
    stock: Text | None = None
    """The dealer's stock number."""
    odometer: Odometer | None = None
    """Reading."""
    colours: tuple[Colour, ...] = ()
    """Colour combinations."""
    transmission: Text | None = None
    """Gearbox, as written."""
    prices: tuple[Price, ...] = ()
    """Prices told with the lead."""
    options: tuple[Option, ...] = ()
    """Options in the source's order."""
    url: Text | None = None
    """Page of the advert."""
    image: Text | None = None
    """Address of a picture."""
    comments: Text | None = None
    """Remarks on this vehicle."""


class Product(WireModel):
    """Something else than a vehicle."""

    id: Text | None = None
    """The source's id of it."""
    name: Text | None = None
    """What it is called."""
    category: Text | None = None
    """Category, in the source's words."""
    url: Text | None = None
    """Its page."""
