"""A draft and its dealer make a lead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leadbus.contracts.lead import OWN_ID_SOURCE, Customer, Dealer, Lead, Phone, SourceId, Vehicle, Warning_

from normalizer.domain import identity
from normalizer.domain.dealer_clock import by_dealers_clock
from normalizer.domain.draft import Draft
from normalizer.domain.knowledge import Knowledge
from normalizer.domain.phones import read_phone


@dataclass(frozen=True, slots=True)
class Origin:
    """How a raw message reached us; `test` is its attribute."""

    source: str
    account: str
    received_at: datetime
    test: bool = False


def place(draft: Draft, origin: Origin, dealer: Dealer, pinned: UUID | None = None) -> Lead:
    """The lead that `draft` tells, at revision 1.

    `pinned` is the lead that this raw message made before: a better adapter may read another id
    out of the same bytes, and it is still the same lead.
    """
    country = next((address.country for address in draft.addresses if address.country), None)
    phones, phone_warnings = _phones(draft.phones, country, dealer.country)
    # By what is told: a lead is the same one whatever clock its dealer has.
    lead_id = pinned or id_told(draft, origin) or _id_by_circumstances(draft, origin, phones)
    draft = by_dealers_clock(draft, dealer.time_zone)
    return Lead(
        lead_id=lead_id,
        revision=1,
        source=origin.source,
        account=origin.account,
        source_type=draft.source_type,
        ids=_custody_chain(draft.ids, lead_id),
        channel=draft.channel,
        intents=draft.intents,
        urgency=draft.urgency,
        answer_expected=draft.answer_expected,
        occurred_at=draft.occurred_at,
        detected_at=draft.detected_at,
        received_at=origin.received_at,
        dealer=dealer,
        customer=Customer(
            name=draft.name,
            type="business" if draft.company else "person",
            company=draft.company,
            position=draft.position,
            emails=draft.emails,
            phones=phones,
            addresses=draft.addresses,
            language=draft.language,
        ),
        vehicles=draft.vehicles,
        products=draft.products,
        finance=draft.finance,
        contract=draft.contract,
        subject=draft.subject,
        message=draft.message,
        transcript=draft.transcript,
        call=draft.call,
        consent=draft.consent,
        extras=dict(draft.extras),
        warnings=(*draft.warnings, *phone_warnings),
        test=draft.test or origin.test,
    )


def _phones(
    written: tuple[Phone, ...], country: str | None, dealers: str | None
) -> tuple[tuple[Phone, ...], list[Warning_]]:
    """By the customer's country where that makes a number that is in use, else by the dealer's."""
    phones: list[Phone] = []
    warnings: list[Warning_] = []
    for index, phone in enumerate(written):
        reading = read_phone(phone.raw, country or dealers)
        if reading.warning and country not in (None, dealers):
            reading = read_phone(phone.raw, dealers)
        phones.append(
            phone.model_copy(update={"e164": reading.e164, "extension": phone.extension or reading.extension})
        )
        if reading.warning:
            warnings.append(Warning_(code=reading.warning, field=f"customer.phones.{index}"))
    return tuple(phones), warnings


def id_told(told: Draft | Knowledge, origin: Origin) -> UUID | None:
    """The lead's id where its source gave it one; without, the dealer has to be known for it.

    Knowledge names the lead by the same id, whichever of the two comes first.
    """
    if told.external_id is None:
        return None
    issuer = told.issuer or origin.source
    test = told.test or origin.test
    return identity.lead_id(origin.source, origin.account, issuer, told.external_id, test=test)


def _id_by_circumstances(draft: Draft, origin: Origin, phones: tuple[Phone, ...]) -> UUID:
    told = identity.Circumstances(
        occurred_at=draft.occurred_at,
        email=next((email.address for email in draft.emails if email.address), None),
        phone=next((phone.e164 for phone in phones if phone.e164), None),
        item=_item(draft),
        channel=draft.channel,
    )
    test = draft.test or origin.test
    return identity.lead_id_by_circumstances(origin.source, origin.account, told, test=test)


def _item(draft: Draft) -> str | None:
    wanted = next((vehicle for vehicle in draft.vehicles if vehicle.wanted), None)
    if wanted:
        return wanted.vin or wanted.stock or wanted.url or _described(wanted)
    return next((product.id or product.name for product in draft.products), None)


def _described(vehicle: Vehicle) -> str | None:
    return " ".join(part for part in (vehicle.year, vehicle.make, vehicle.model) if part) or None


def _custody_chain(told: tuple[SourceId, ...], lead_id: UUID) -> tuple[SourceId, ...]:
    chain = [*dict.fromkeys((entry.source, entry.value) for entry in told), (OWN_ID_SOURCE, str(lead_id))]
    return tuple(
        SourceId(source=source, value=value, sequence=place)
        for place, (source, value) in enumerate(chain, start=1)
    )
