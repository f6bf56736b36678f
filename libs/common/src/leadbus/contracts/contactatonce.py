"""The payload that ContactAtOnce pushes: one of four lead types, as JSON, or as XML with the same names.

In XML the object is the element ``<lead>``, every field an element of the same name, and the entries of
the lists are ``<vehicle>`` in ``<vehicles>`` and ``<line>`` in ``<transcript>``; text is read as the field's
type. Fields that are not listed here are kept and end in ``lead.extras``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, WithJsonSchema

from leadbus.contracts.references import Reference, ToldId, web_link
from leadbus.contracts.vocabulary import Speaker
from leadbus.contracts.wire import Amount, Code, Currency, Text, WireModel

LeadType = Literal["ClickForCallBack", "Chat", "TextToChat", "TrackedCall"]


# Senders write years and prices as numbers or as text; either is read.
_Link = Annotated[Text, AfterValidator(web_link)]
_Code = Annotated[Code, WithJsonSchema({"type": ["string", "integer"]})]
_Price = Annotated[
    Amount, WithJsonSchema({"type": ["string", "number"], "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
]


class _Payload(WireModel):
    model_config = ConfigDict(extra="allow")


class CaoDealer(_Payload):
    """The dealer whose contact settings the lead was made for."""

    id: Reference
    """Dealer reference in the provider's portal; a ``Location`` setting maps it."""
    name: Text | None = None
    """Dealer's name in the portal."""


class CaoCustomer(_Payload):
    """The shopper, as far as told."""

    name: Text | None = None
    """Whole name, where it is not told in parts."""
    first_name: Text | None = None
    """Given name."""
    last_name: Text | None = None
    """Family name."""
    phone: _Code | None = None
    """Phone number as typed or as shown by the network."""
    email: Text | None = None
    """E-mail address as typed."""
    preferred_contact: Literal["phone", "email", "text"] | None = None
    """How the shopper wants to be reached."""


class CaoVehicle(_Payload):
    """A vehicle of interest."""

    year: _Code | None = None
    """Model year."""
    make: Text | None = None
    """Manufacturer."""
    model: _Code | None = None
    """Model."""
    trim: _Code | None = None
    """Trim level."""
    body: Text | None = None
    """Body style."""
    vin: Text | None = None
    """Vehicle identification number, as told; a wrong one costs the number, not the lead."""
    stock_number: _Code | None = None
    """The dealer's stock number."""
    status: Literal["new", "used"] | None = None
    """New or used."""
    price: _Price | None = None
    """Asking price."""
    currency: Currency | None = None
    """ISO 4217 code of the price."""
    mileage: Annotated[int, Field(ge=0)] | None = None
    """Odometer reading."""
    mileage_units: Literal["mi", "km"] | None = None
    """Units of ``mileage``; miles when absent."""
    exterior_color: Text | None = None
    """Body colour."""
    interior_color: Text | None = None
    """Interior colour."""
    url: _Link | None = None
    """Page of the advert."""
    image_url: _Link | None = None
    """Address of a picture."""


class CaoLine(_Payload):
    """One line of an instant-message session or text conversation."""

    at: AwareDatetime | None = None
    """When it was sent."""
    speaker: Speaker
    """Whose side sent it."""
    name: Text | None = None
    """Shown name of the sender."""
    text: Text
    """The message."""


class CaoCall(_Payload):
    """A tracked call."""

    recording_url: _Link | None = None
    """Where the audio can be heard."""
    started_at: AwareDatetime | None = None
    """When the phone rang."""
    duration_seconds: Annotated[int, Field(ge=0)] | None = None
    """Length in seconds."""
    tracking_number: _Code | None = None
    """The number that was dialled."""
    answered: bool | None = None
    """Whether the dealer picked up."""


class ContactAtOnceLead(_Payload):
    """One lead as ContactAtOnce pushes it.

    Identity is ``lead_id``: the same id again tells more about the same lead.
    """

    lead_type: LeadType
    """Written unchanged into the ADF provider's ``service``."""
    lead_id: ToldId
    """The lead's id in the provider's portal reports."""
    related_ids: Annotated[dict[Text, _Code], Field(default_factory=dict)]
    """Further ids of the reports by name, such as ``conversation_id``, ``call_id``, ``campaign_id``."""
    occurred_at: AwareDatetime | None = None
    """When the shopper acted, with offset."""
    dealer: CaoDealer
    """Who the lead is for."""
    lead_source: Text | None = None
    """Site or portal the shopper was on."""
    customer: CaoCustomer = CaoCustomer()
    """The shopper."""
    vehicle: CaoVehicle | None = None
    """The vehicle of interest."""
    vehicles: tuple[CaoVehicle, ...] = ()
    """Several, the first is the one of interest unless ``vehicle`` is given too."""
    comments: Text | None = None
    """What the shopper wrote beside a conversation."""
    transcript: tuple[CaoLine, ...] = ()
    """The conversation, in order."""
    call: CaoCall | None = None
    """The call."""
    test: bool = False
    """A test lead."""

    @property
    def all_vehicles(self) -> tuple[CaoVehicle, ...]:
        """``vehicle`` first, then ``vehicles``."""
        return ((self.vehicle,) if self.vehicle else ()) + self.vehicles
