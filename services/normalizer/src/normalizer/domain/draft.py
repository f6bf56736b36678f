"""What an adapter makes of a raw message: a lead as far as it can be told without the directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from leadbus.contracts.lead import (
    Address,
    Call,
    Company,
    Consent,
    Contract,
    Email,
    Finance,
    Name,
    Phone,
    Product,
    SourceId,
    TranscriptLine,
    Vehicle,
    Warning_,
)
from leadbus.contracts.vocabulary import Channel, Intent, Urgency

from normalizer.domain.knowledge import Told


@dataclass(frozen=True, slots=True)
class Draft:
    """A reading of one raw message, before its dealer is known.

    `location` is the source's own reference of the dealer, told in `location_field`. `phones` hold
    what was written only: whoever reads them has to know the customer's country, told in the first of
    `addresses`, or the dealer's. `issuer` and `external_id` are the lead's identity; without an
    `external_id` its circumstances are. `parameters` is where the visitor came from, as far as it is told
    with the lead; None of sources that never tell it. `zoneless` is what a clock showed, by the field of the
    moment, where no offset was told with it: as the dealer's clock, once the dealer is known.
    """

    location: str
    location_field: str
    source_type: str
    channel: Channel
    issuer: str | None = None
    external_id: str | None = None
    intents: tuple[Intent, ...] = ()
    urgency: Urgency = "normal"
    answer_expected: bool = True
    occurred_at: datetime | None = None
    detected_at: datetime | None = None
    ids: tuple[SourceId, ...] = ()
    name: Name = field(default_factory=Name)
    company: Company | None = None
    position: str | None = None
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    addresses: tuple[Address, ...] = ()
    language: str | None = None
    vehicles: tuple[Vehicle, ...] = ()
    products: tuple[Product, ...] = ()
    finance: Finance | None = None
    contract: Contract | None = None
    subject: str | None = None
    message: str | None = None
    transcript: tuple[TranscriptLine, ...] = ()
    call: Call | None = None
    consent: Consent = field(default_factory=Consent)
    parameters: Mapping[str, Told] | None = None
    zoneless: Mapping[str, datetime] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Warning_, ...] = ()
    test: bool = False
