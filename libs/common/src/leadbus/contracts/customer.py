"""Who is interested: the person or business behind a lead."""

from __future__ import annotations

from leadbus.contracts.vocabulary import AddressType, BestTime, CustomerType, PhoneType
from leadbus.contracts.wire import Country, Text, WireModel


class Name(WireModel):
    """A person's name: as written, and split where that can be done."""

    full: Text | None = None
    """The whole name as the source wrote it."""
    first: Text | None = None
    """Given name."""
    middle: Text | None = None
    """Middle names or initials."""
    last: Text | None = None
    """Family name."""
    suffix: Text | None = None
    """Jr., III and the like."""
    salutation: Text | None = None
    """Mr, Mrs, Herr, Frau and the like, as written."""


class Company(WireModel):
    """The business the customer speaks for."""

    name: Text | None = None
    """Company name."""
    kind: Text | None = None
    """What kind of business, in the source's words."""
    sector: Text | None = None
    """Line of business, in the source's words."""
    size: Text | None = None
    """Head count or class of size, in the source's words."""
    website: Text | None = None
    """Address of the company's site."""


class Email(WireModel):
    """An e-mail address: checked, beside what was sent."""

    address: Text | None = None
    """The address, normalized; absent when what was sent is not one."""
    raw: Text
    """As sent."""
    primary: bool = False
    """The customer prefers to be reached this way."""


class Phone(WireModel):
    """A phone number: in E.164, beside what was sent."""

    e164: Text | None = None
    """The number in E.164 (``+15550100123``); absent when what was sent is not a number."""
    raw: Text
    """As sent."""
    extension: Text | None = None
    """Digits to dial once connected."""
    type: PhoneType = "unknown"
    """Kind of line."""
    best_time: BestTime | None = None
    """When to call."""
    primary: bool = False
    """The customer prefers to be reached this way."""


class Address(WireModel):
    """A postal address."""

    street: tuple[Text, ...] = ()
    """Street lines in order, at most five."""
    apartment: Text | None = None
    """Apartment, suite, floor."""
    city: Text | None = None
    """Town."""
    region: Text | None = None
    """State, province or county; the two-letter code in North America."""
    postal_code: Text | None = None
    """Postal code."""
    country: Country | None = None
    """ISO 3166-1 alpha-2 code."""
    type: AddressType | None = None
    """What the address is for."""


class Customer(WireModel):
    """The person or business. Birth dates are never carried."""

    name: Name = Name()
    """Name of the person, or of the contact in a business."""
    type: CustomerType = "person"
    """Person or business."""
    company: Company | None = None
    """The business, where there is one."""
    position: Text | None = None
    """Job title in the business."""
    emails: tuple[Email, ...] = ()
    """In the source's order."""
    phones: tuple[Phone, ...] = ()
    """In the source's order."""
    addresses: tuple[Address, ...] = ()
    """In the source's order."""
    language: Text | None = None
    """BCP 47 tag of the language the customer wrote in."""
