"""The canonical lead: one customer's interest, in one shape whatever the source."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from leadbus.contracts.attribution import Attributed, Attribution
from leadbus.contracts.conversation import Call, TranscriptLine
from leadbus.contracts.customer import Address, Company, Customer, Email, Name, Phone
from leadbus.contracts.dealer import Dealer
from leadbus.contracts.vehicle import Colour, Distance, Odometer, Option, Price, Product, Vehicle
from leadbus.contracts.vocabulary import (
    Channel,
    ConsentBasis,
    FinanceProduct,
    Intent,
    LinkReason,
    Precheck,
    Source,
    Urgency,
)
from leadbus.contracts.wire import Amount, Code, Currency, Text, WireModel

__all__ = [
    "OWN_ID_SOURCE",
    "Address",
    "Attributed",
    "Attribution",
    "Call",
    "Colour",
    "Company",
    "Consent",
    "Contract",
    "Customer",
    "Dealer",
    "Distance",
    "Email",
    "Finance",
    "Lead",
    "Link",
    "Name",
    "Odometer",
    "Option",
    "Phone",
    "Price",
    "Product",
    "SourceId",
    "TranscriptLine",
    "Vehicle",
    "Warning_",
]

OWN_ID_SOURCE = "leadbus"
"""``source`` of the ids that we append to the custody chain."""


class SourceId(WireModel):
    """One hop of the custody chain: who called this lead what."""

    source: Text
    """System that issued the id."""
    value: Annotated[Code, Field(min_length=1)]
    """The id."""
    sequence: Annotated[int, Field(ge=0)] | None = None
    """Place in the lead's history, where it was told."""


class Finance(WireModel):
    """How the customer means to pay. Sensitive."""

    product: FinanceProduct | None = None
    """Kind of financing."""
    down_payment: Amount | None = None
    """Down payment."""
    monthly: Amount | None = None
    """Monthly rate."""
    total: Amount | None = None
    """Whole sum."""
    currency: Currency | None = None
    """ISO 4217 code of the sums, where it was told."""
    term_months: Annotated[int, Field(ge=0)] | None = None
    """Term in months."""
    distance_per_year: Distance | None = None
    """Agreed distance per year."""
    precheck: Precheck = "not_stated"
    """What a credit check beforehand said; never an approval."""


class Contract(WireModel):
    """A running contract that the lead is about."""

    number: Text | None = None
    """Contract number."""
    kind: Text | None = None
    """Financing, leasing and the like, in the source's words."""
    ends_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    """Last day, ``YYYY-MM-DD``."""


class Consent(WireModel):
    """On what ground the customer may be contacted."""

    basis: ConsentBasis = "none"
    """The ground."""
    purposes: tuple[Text, ...] = ()
    """What the customer may be contacted for: ``reply``, ``sales``, ``nurture``, ``marketing``."""
    text: Text | None = None
    """The words the customer agreed to."""
    at: AwareDatetime | None = None
    """When."""


class Warning_(WireModel):  # noqa: N801 - `Warning` is Python's
    """Something in the source's message that was read with doubt."""

    code: Text
    """What was odd, from a closed list of the normalizer."""
    field: Text
    """Path of the canonical field, such as ``vehicles.0.vin``."""
    detail: Text | None = None
    """For people; holds no personal data."""


class Link(WireModel):
    """Another lead that has to do with this one."""

    lead_id: UUID
    """The other lead."""
    why: LinkReason
    """What binds them."""


def _sorted_set(intents: tuple[Intent, ...]) -> tuple[Intent, ...]:
    return tuple(sorted(set(intents)))


def _at_most_one_wanted(vehicles: tuple[Vehicle, ...]) -> tuple[Vehicle, ...]:
    if sum(vehicle.wanted for vehicle in vehicles) > 1:
        raise ValueError("more than one vehicle is marked as wanted")
    return vehicles


class Lead(WireModel):
    """One customer's interest. Every event carries it whole; of several, the highest revision counts."""

    lead_id: UUID
    """Derived from source, account, issuer and the issuer's id; the same lead always gets the same one."""
    revision: Annotated[int, Field(ge=1)]
    """Counts up with every change."""
    source: Source
    """Where it came from, as the routing key proved."""
    account: Text
    """Which subscription, connection, project, mailbox, API key or broker user it came through."""
    source_type: Text
    """The source's own type code or words, byte for byte: ``Chat``, ``1e``, ``request/quote``, ``form``."""
    ids: tuple[SourceId, ...] = ()
    """Custody chain in upstream order, ours last."""
    channel: Channel
    """How the person came."""
    intents: Annotated[
        tuple[Intent, ...], AfterValidator(_sorted_set), Field(json_schema_extra={"uniqueItems": True})
    ] = ()
    """What the person wants; a set, sorted."""
    urgency: Urgency = "normal"
    """The most urgent reading."""
    answer_expected: bool = True
    """Whether the person waits for an answer."""
    occurred_at: AwareDatetime | None = None
    """When it happened, by the source; absent where the source does not say."""
    detected_at: AwareDatetime | None = None
    """When a tracker saw it."""
    received_at: AwareDatetime
    """When the first of our services saw it."""
    dealer: Dealer
    """Who it is for."""
    customer: Customer = Customer()
    """Who is interested."""
    vehicles: Annotated[tuple[Vehicle, ...], AfterValidator(_at_most_one_wanted)] = ()
    """In document order; exactly one ``wanted`` where one can be told."""
    products: tuple[Product, ...] = ()
    """Other things than vehicles."""
    finance: Finance | None = None
    """How the customer means to pay."""
    contract: Contract | None = None
    """A running contract."""
    subject: Text | None = None
    """Plain text."""
    message: Text | None = None
    """Plain text; HTML stays in the raw message."""
    transcript: tuple[TranscriptLine, ...] = ()
    """A chat, line by line."""
    call: Call | None = None
    """A phone call."""
    attribution: Attribution = Attribution()
    """Where the visitor came from."""
    consent: Consent = Consent()
    """Whether the customer may be contacted; a sink reads it at the moment of acting."""
    extras: Annotated[dict[Text, Text], Field(default_factory=dict)]
    """Everything the source sent that has no field here, by dotted path; never dropped."""
    warnings: tuple[Warning_, ...] = ()
    """What was read with doubt."""
    links: tuple[Link, ...] = ()
    """Possible duplicates, same person."""
    test: bool = False
    """A test lead: flows whole, marked everywhere, sent only by routes that allow it."""
    erased: bool = False
    """Its personal data was erased on request."""

    def content(self) -> dict[str, Any]:
        """What the source told us, as JSON values, and nothing that we added.

        Left out: identity (``lead_id``), ``revision``, ``received_at``, ``links``, ``warnings``, ``erased``,
        the directory's copy of the dealer (its ``dealer_id`` stays: another dealer is another content), ids
        that we appended to the custody chain, and the proof of an attribution (its values stay). So a lead
        told twice has the same content however often the directory, our rules or the clock moved between.
        """
        told = self.model_dump(mode="json", exclude=_OURS, exclude_none=True)
        told["dealer"] = {"dealer_id": self.dealer.dealer_id}
        told["ids"] = [entry for entry in told["ids"] if entry["source"] != OWN_ID_SOURCE]
        told["attribution"] = {
            key: entry["value"] for key, entry in told["attribution"].items() if key != "known_at"
        }
        return told

    def digest(self) -> str:
        """SHA-256 (hex) of ``content()``; the same lead with the same digest changes nothing."""
        canonical = json.dumps(self.content(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def changed_since(self, previous: Lead) -> tuple[str, ...]:
        """Names of the fields whose content differs from ``previous``, sorted: ``changed`` of an update."""
        now, before = self.content(), previous.content()
        return tuple(sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name)))


_OURS = {"lead_id", "revision", "received_at", "dealer", "links", "warnings", "erased"}
