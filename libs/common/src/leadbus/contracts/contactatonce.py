"""The payload that ContactAtOnce pushes: one of four lead types, as JSON, or as XML with the same names.

In XML the object is the element ``<lead>``, every field an element of the same name, and the entries of
the lists are ``<vehicle>`` in ``<vehicles>`` and ``<line>`` in ``<transcript>``; text is read as the field's
type. Fields that are not listed here are kept and end in ``lead.extras``.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, WithJsonSchema

from leadbus.contracts.vocabulary import Speaker
from leadbus.contracts.web_link import is_web_link
from leadbus.contracts.wire import Amount, Code, Currency, Text, WireModel

LeadType = Literal["ClickForCallBack", "Chat", "TextToChat", "TrackedCall"]


LONGEST_DEALER_ID_CHARS = 200
"""No Location setting could name a longer one."""

_SEEN = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def _not_blank(value: str) -> str:
    if not _SEEN.search(value):
        raise ValueError("blank")
    return value


def _mappable(value: str) -> str:
    if len(" ".join(value.split())) > LONGEST_DEALER_ID_CHARS:
        raise ValueError("too long")
    return value


def _web_link(value: str) -> str:
    if value.strip() and not is_web_link(value):
        raise ValueError("not an http or https address")
    return value


# Senders write ids, years and prices as numbers or as text; either is read.
_Id = Annotated[
    Code,
    Field(min_length=1),
    AfterValidator(_not_blank),
    WithJsonSchema({"type": ["string", "integer"], "minLength": 1}),
]
_Link = Annotated[Text, AfterValidator(_web_link)]
_Code = Annotated[Code, WithJsonSchema({"type": ["string", "integer"]})]
_Price = Annotated[
    Amount, WithJsonSchema({"type": ["string", "number"], "pattern": r"^-?[0-9]+(\.[0-9]+)?$"})
]


class _Payload(WireModel):
    model_config = ConfigDict(extra="allow")


class CaoDealer(_Payload):
    """The dealer whose contact settings the lead was made for."""

    id: Annotated[_Id, AfterValidator(_mappable)]
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
    lead_id: _Id
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
