"""One lead of VirtualExpo's marketplaces, as its fetched document holds it.

The vendor publishes neither its schema nor its lists of values: ``virtualexpo.xsd`` beside this file is
ours, and so are these names. A lead is the element ``<lead>``; the fields below are its attributes (``@``)
and elements. What is not listed is kept and ends in ``lead.extras``. Everything but the category may be
missing or odd: the values are the vendor's words, read by whoever needs more than words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from leadbus.contracts.references import mappable
from leadbus.contracts.wire import Text, WireModel

XML_NAMESPACE = "urn:leadbus:virtualexpo:1"
"""Namespace of the document, its leads, and everything in them that is listed here."""

Category = Literal["request", "prospect", "visit"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
"""What a subscription selects, and a lead is one of."""

Marketplace = Literal["AeroExpo", "AgriExpo", "ArchiExpo", "DirectIndustry", "MedicalExpo", "NauticExpo"]
MARKETPLACES: tuple[Marketplace, ...] = get_args(Marketplace)

RequestType = Literal["documentation", "quote", "price options"]
REQUEST_TYPES: tuple[RequestType, ...] = get_args(RequestType)
"""What a type may be made of: ``Documentation / Quote`` asks for two of them."""

Queue = Literal["sales", "opportunity", "nurture"]
"""Who works on a lead: who answers buyers, who looks for sales, or who may do neither yet."""

LONGEST_ID_CHARS = 64
"""Of a lead's id; as in the schema."""

_QUEUES: dict[Category, Queue] = {"request": "sales", "prospect": "opportunity", "visit": "nurture"}
_CATEGORY_WORDS = {word: category for category in CATEGORIES for word in (category, f"{category}s")}
_BLANK = re.compile(r"[\s_-]+")


def read_category(written: str) -> Category | None:
    """The category that a word names: singular or plural, in any case; None where it names none."""
    return _CATEGORY_WORDS.get(written.strip().lower())


def read_categories(written: str | Iterable[str]) -> frozenset[Category]:
    """Those that a subscription's ``categories`` name, comma-separated or one by one; others are left out."""
    words = written.split(",") if isinstance(written, str) else written
    return frozenset(category for word in words if (category := read_category(word)))


def read_marketplace(written: str) -> Marketplace | None:
    """The marketplace of that name, in any case and with or without blanks."""
    bare = _BLANK.sub("", written).lower()
    return next((name for name in MARKETPLACES if name.lower() == bare), None)


def read_types(written: str) -> tuple[str, ...]:
    """The parts of a type in lower case and one spelling, each once: those we know first, in one order."""
    parts = {" ".join(part.split()).lower() for part in written.split("/")} - {""}
    known = tuple(part for part in REQUEST_TYPES if part in parts)
    return (*known, *sorted(parts.difference(known)))


def _category(written: object) -> object:
    return (isinstance(written, str) and read_category(written)) or written


class _Element(WireModel):
    model_config = ConfigDict(extra="allow", validate_by_name=True, validate_by_alias=True)


class VirtualExpoStand(_Element):
    """Whose stand it was."""

    exhibitor_id: Annotated[Text, AfterValidator(mappable)] | None = Field(None, alias="exhibitorId")
    """The exhibitor's id; a ``Location`` setting maps it to a dealer."""
    exhibitor_name: Text | None = Field(None, alias="exhibitorName")
    """The exhibitor's name."""


class VirtualExpoProduct(_Element):
    """A product that was asked about or looked at."""

    product_id: Text | None = Field(None, alias="productId")
    """The product's id on the marketplace."""
    product_name: Text | None = Field(None, alias="productName")
    """Its name."""
    product_url: Text | None = Field(None, alias="productUrl")
    """Its page."""
    product_category: Text | None = Field(None, alias="productCategory")
    """The category that it is listed in."""


class VirtualExpoBuyer(_Element):
    """Who asked or looked. Of a visit often nothing is told."""

    civility: Text | None = None
    """Form of address."""
    first_name: Text | None = Field(None, alias="firstName")
    """Given name."""
    last_name: Text | None = Field(None, alias="lastName")
    """Family name."""
    email: Text | None = None
    """E-mail address."""
    phone: Text | None = None
    """Phone number."""
    mobile: Text | None = None
    """Number of a mobile phone."""
    language: Text | None = None
    """Language tag."""
    employee_position: Text | None = Field(None, alias="employeePosition")
    """On MedicalExpo the medical speciality, whatever the name says; elsewhere a position."""


class VirtualExpoCompany(_Element):
    """The company that the buyer works for."""

    company_name: Text | None = Field(None, alias="companyName")
    """Its name."""
    business_company_type: Text | None = Field(None, alias="businessCompanyType")
    """Its kind, a word of the marketplace's own list."""
    business_sector: Text | None = Field(None, alias="businessSector")
    """Its line of business, a word of the marketplace's own list."""
    employee_count: Text | None = Field(None, alias="employeeCount")
    """Head count or class of size."""
    website: Text | None = None
    """Its site."""


class VirtualExpoAddress(_Element):
    """Where the buyer or company is."""

    street: Text | None = None
    """Street and number."""
    postal_code: Text | None = Field(None, alias="postalCode")
    """Postal code."""
    city: Text | None = None
    """Town."""
    state: Text | None = None
    """State, province or county."""
    country: Text | None = None
    """Name or code; the vendor has one list for all marketplaces."""


class VirtualExpoConsent(_Element):
    """What the buyer said about being contacted, where that was asked for by itself."""

    given: Text | None = None
    """``true`` or ``false``; goes before what the category implies."""
    text: Text | None = None
    """The words that were agreed to."""
    at: Text | None = None
    """When."""

    @property
    def is_given(self) -> bool | None:
        """None where nothing readable was said."""
        return _BOOLEANS.get((self.given or "").strip().lower())


_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class VirtualExpoLead(_Element):
    """One request, prospect or visit."""

    id: Text | None = Field(None, alias="@id")
    """The vendor's id of it."""
    category: Annotated[Category, BeforeValidator(_category)] = Field(alias="@category")
    """What it is. The type never tells: ``Price options`` is a request or a prospect."""
    marketplace: Text | None = Field(None, alias="@marketplace")
    """Which of the six it comes from."""
    type: Text | None = None
    """What was asked for, in the vendor's words; none for a visit."""
    created_at: Text | None = Field(None, alias="createdAt")
    """When, as written; without an offset the vendor's clock in Paris."""
    stand: VirtualExpoStand = VirtualExpoStand()
    """Whose stand it was."""
    products: tuple[VirtualExpoProduct, ...] = Field((), alias="product")
    """In document order."""
    buyer: VirtualExpoBuyer = VirtualExpoBuyer()
    """Who asked or looked."""
    company: VirtualExpoCompany | None = None
    """Whom the buyer works for."""
    address: VirtualExpoAddress | None = None
    """Where."""
    message: Text | None = None
    """What the buyer wrote."""
    consent: VirtualExpoConsent | None = None
    """Consent told by itself."""

    @property
    def types(self) -> tuple[str, ...]:
        """What was asked for, as ``read_types`` tells it; empty where nothing was."""
        return read_types(self.type or "")

    @property
    def answer_expected(self) -> bool:
        """Only who made a request waits for an answer, whatever the type."""
        return self.category == "request"

    @property
    def contactable(self) -> bool:
        """Whether the buyer may be contacted: as was said; else whoever filled in a form."""
        said = self.consent.is_given if self.consent else None
        return self.category != "visit" if said is None else said

    @property
    def queue(self) -> Queue:
        """Who works on it."""
        return _QUEUES[self.category]
