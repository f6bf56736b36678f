"""What the BDK Leadservice tells: that there is a lead (a notification), and the lead itself.

The provider publishes the attribute ``bdkLeadTypeId`` and the partner number; every other name here is ours.
Fields that are not listed are kept and end in ``lead.extras``. Sums are euro unless a currency is named,
distances kilometres; figures that come as text are read as they are written in Germany.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from leadbus.contracts.bdk_figures import plain_count, plain_figure
from leadbus.contracts.references import Reference, ToldId
from leadbus.contracts.wire import Amount, Code, Currency, Text, WireModel

LEAD_TYPE_ID = "bdkLeadTypeId"
"""The attribute that says kind and origin of a lead."""
MISSPELT_LEAD_TYPE_ID = "bdkLeadTypeld"
"""The same with a small L where the I stands, as the provider's own description prints it."""
_LEAD_ONLY = ("customer", "vehicle", "finance", "contract", "message")


def _figure(value: Any) -> Any:
    return _told(plain_figure(value)) if isinstance(value, str) else value


def _count(value: Any) -> Any:
    if isinstance(value, bool):
        # Python takes it for a number.
        raise ValueError("no figure")  # noqa: TRY004 -- what pydantic makes an error of validation
    return _told(plain_count(value)) if isinstance(value, str) else value


def _told(plain: str | None) -> str:
    if plain is None:
        raise ValueError("no figure")
    return plain


def _currency(value: Any) -> Any:
    return (
        {"€": "EUR", "EURO": "EUR"}.get(code := value.strip().upper(), code)
        if isinstance(value, str)
        else value
    )


def _newness(value: Any) -> Any:
    return _NEWNESS.get(value.strip().casefold(), value) if isinstance(value, str) else value


_NEWNESS = {"new": True, "neu": True, "neuwagen": True, "ja": True} | dict.fromkeys(
    ("used", "gebraucht", "gebrauchtwagen", "nein"), False
)
_TEXT_OR_NUMBER = WithJsonSchema({"type": ["string", "integer"]})
_Code = Annotated[Code, _TEXT_OR_NUMBER]
_Sum = Annotated[
    Amount,
    BeforeValidator(_figure),
    Field(ge=0, le=10**12, decimal_places=6),
    WithJsonSchema({"type": ["string", "number"], "minimum": 0}),
]
_Count = Annotated[
    int,
    BeforeValidator(_count),
    Field(ge=0, le=10**9),
    WithJsonSchema({"type": ["string", "integer"], "minimum": 0}),
]
_Euro = Annotated[Currency, BeforeValidator(_currency)]
_Moment = Annotated[Code, WithJsonSchema({"type": ["string", "integer"], "format": "date-time"})]


class _Payload(WireModel):
    model_config = ConfigDict(
        extra="allow",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class _Typed(_Payload):
    lead_type_id: Annotated[
        _Code | None,
        Field(
            validation_alias=AliasChoices(LEAD_TYPE_ID, MISSPELT_LEAD_TYPE_ID),
            serialization_alias=LEAD_TYPE_ID,
        ),
    ] = None
    """Kind and origin of the lead, as ``1e``; every value is taken. Both spellings are read."""


class BdkAddress(_Payload):
    """A postal address."""

    street: Text | None = None
    """Street and number."""
    postal_code: _Code | None = None
    """Postal code."""
    city: Text | None = None
    """Town."""
    country: Text | None = None
    """Country, by name or by code."""


class BdkCustomer(_Payload):
    """The person, as far as told."""

    salutation: Text | None = None
    """Herr, Frau and the like."""
    first_name: Text | None = None
    """Given name."""
    last_name: Text | None = None
    """Family name."""
    name: Text | None = None
    """Whole name, where it is not told in parts."""
    company: Text | None = None
    """The business that the person speaks for."""
    email: Text | None = None
    """E-mail address as typed."""
    phone: _Code | None = None
    """Phone number as typed."""
    mobile: _Code | None = None
    """Number of a mobile phone as typed."""
    address: BdkAddress | None = None
    """Where the person lives."""


class BdkVehicle(_Payload):
    """The vehicle that the lead is about; of an expiring contract the one that the customer has."""

    make: Text | None = None
    """Manufacturer."""
    model: _Code | None = None
    """Model."""
    variant: _Code | None = None
    """Trim level."""
    model_year: _Code | None = None
    """Model year."""
    vin: Text | None = None
    """Vehicle identification number, as told; a wrong one costs the number, not the lead."""
    stock_number: _Code | None = None
    """The dealer's own number of it."""
    is_new: Annotated[bool, BeforeValidator(_newness)] | None = None
    """New or used."""
    mileage: _Count | None = None
    """Odometer reading in kilometres."""
    price: _Sum | None = None
    """Asking price."""
    currency: _Euro | None = None
    """ISO 4217 code of the price; euro when absent."""
    listing_url: Text | None = None
    """Page of the advert."""
    image_url: Text | None = None
    """Address of a picture."""


class BdkFinance(_Payload):
    """How the person means to pay. Sensitive."""

    product: Text | None = None
    """Cash, financing or leasing."""
    down_payment: _Sum | None = None
    """Down payment."""
    monthly_rate: _Sum | None = None
    """Monthly rate."""
    total: _Sum | None = None
    """Whole sum."""
    currency: _Euro | None = None
    """ISO 4217 code of the sums; euro when absent."""
    term_months: _Count | None = None
    """Term in months."""
    mileage_per_year: _Count | None = None
    """Kilometres per year."""
    precheck: Text | None = None
    """What a credit check beforehand said; a likelihood, never an approval."""


class BdkContract(_Payload):
    """A running contract that ends."""

    number: _Code | None = None
    """Contract number."""
    kind: Text | None = None
    """Financing or leasing, in the bank's words."""
    ends_on: Annotated[Text, WithJsonSchema({"type": "string", "format": "date"})] | None = None
    """Last day."""


class BdkNotification(_Typed):
    """News of a lead. A *thin* one names it, and the lead is fetched; a *fat* one is the lead itself."""

    lead_id: ToldId
    """The bank's id of the lead."""
    partner_number: Reference | None = None
    """BDK partner number of the dealer's location."""
    occurred_at: _Moment | None = None
    """When there was news."""

    @property
    def fat(self) -> bool:
        """Whether the lead came with it: some part of a lead that is no empty one."""
        return any((self.model_extra or {}).get(part) for part in _LEAD_ONLY)


class BdkLead(_Typed):
    """One lead as the bank tells it.

    Identity is ``leadId``: the same id again tells more about the same lead.
    """

    lead_id: ToldId
    """The bank's id of the lead."""
    partner_number: Reference
    """BDK partner number of the dealer's location; a ``Location`` setting maps it."""
    created_at: _Moment | None = None
    """When it came into being. Read without an offset as time in Germany, with a warning."""
    channel: Text | None = None
    """How it reached the bank: ``call``, ``message`` and the like."""
    customer: BdkCustomer = BdkCustomer()
    """The person."""
    vehicle: BdkVehicle | None = None
    """The vehicle."""
    finance: BdkFinance | None = None
    """How the person means to pay."""
    contract: BdkContract | None = None
    """The contract that ends."""
    subject: Text | None = None
    """Subject of a message."""
    message: Text | None = None
    """What the person wrote."""
    test: bool = False
    """A test lead."""
