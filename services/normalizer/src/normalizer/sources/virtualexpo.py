"""VirtualExpo: requests, prospects and visits of an exhibitor's stand, fetched from its marketplaces."""

from __future__ import annotations

import re
from datetime import datetime

from leadbus.contracts.lead import Address, Company, Consent, Email, Name, Phone, Product, SourceId, Warning_
from leadbus.contracts.virtualexpo import (
    Marketplace,
    VirtualExpoAddress,
    VirtualExpoBuyer,
    VirtualExpoCompany,
    VirtualExpoLead,
    VirtualExpoProduct,
    read_marketplace,
)
from leadbus.contracts.web_link import is_web_link
from pydantic import ValidationError

from normalizer.domain.countries import read_country
from normalizer.domain.draft import Draft
from normalizer.domain.emails import read_email
from normalizer.domain.extras import unlisted
from normalizer.domain.local_moment import read_moment
from normalizer.domain.names import read_name
from normalizer.domain.rejection import Rejection
from normalizer.domain.text import clean, clean_line, told_line, told_text
from normalizer.sources.document import format_of, parse_xml
from normalizer.sources.invalid import rejection_of
from normalizer.sources.virtualexpo_codes import CodeLists, packaged
from normalizer.sources.virtualexpo_reading import Reading, Unread, read_elements
from normalizer.sources.virtualexpo_rules import (
    channel_of,
    consent_of,
    intents_of,
    source_type_of,
    type_warning,
)

PROVIDER = "VirtualExpo"
"""The vendor's name in the custody chain."""

_LOCATION = "stand.exhibitorId"
_CLOCK = "Europe/Paris"
"""The vendor's; its documents need not say."""
_FIELDS = {
    "@id": "ids",
    "@marketplace": "extras.marketplace",
    "type": "source_type",
    "createdAt": "occurred_at",
    "stand": "dealer",
    "stand.exhibitorId": "dealer",
    "buyer": "customer",
    "buyer.civility": "customer.name",
    "buyer.firstName": "customer.name",
    "buyer.lastName": "customer.name",
    "buyer.email": "customer.emails",
    "buyer.phone": "customer.phones",
    "buyer.mobile": "customer.phones",
    "buyer.language": "customer.language",
    "buyer.employeePosition": "customer.position",
    "company": "customer.company",
    "company.companyName": "customer.company.name",
    "company.businessCompanyType": "customer.company.kind",
    "company.businessSector": "customer.company.sector",
    "company.employeeCount": "customer.company.size",
    "company.website": "customer.company.website",
    "address": "customer.addresses",
    "address.country": "customer.addresses.0.country",
    "consent.given": "consent",
}
"""Where the lead has what the payload calls otherwise; warnings name the lead's fields."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_SITE = re.compile(r"(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,63}(?:[/?#]\S*)?")


def read(body: bytes, content_type: str | None, codes: CodeLists | None = None) -> Draft:
    """The draft that one `<lead>` tells; raises Rejection and nothing else."""
    if format_of(body, content_type) == "json":
        raise Rejection("undecodable", "not XML")
    try:
        reading = read_elements(parse_xml(body, "lead", content_type))
    except ValidationError as error:
        raise rejection_of(error, VirtualExpoLead) from None
    return _Reader(reading, codes or packaged()).draft()


class _Reader:
    """Reads one payload; collects what was doubtful (`warnings`) and what has no field (`extras`)."""

    def __init__(self, reading: Reading, codes: CodeLists) -> None:
        self._payload = reading.payload
        self._codes = codes
        self._warnings: list[Warning_] = []
        self._extras = unlisted(reading.payload)
        for unread in reading.unread:
            self._keep_unread(unread)
        self._marketplace = self._read_marketplace()

    def draft(self) -> Draft:
        payload, buyer = self._payload, self._payload.buyer
        external_id, occurred_at = told_line(payload.id), self._moment(payload.created_at, "createdAt")
        self._keep("type", payload.type)
        self._warn(type_warning(payload), "type")
        self._keep("stand.exhibitorName", payload.stand.exhibitor_name)
        return Draft(
            location=self._location(),
            location_field=_LOCATION,
            source_type=clean_line(source_type_of(payload)),
            channel=channel_of(payload),
            external_id=external_id,
            intents=intents_of(payload),
            answer_expected=payload.answer_expected,
            occurred_at=occurred_at,
            ids=(SourceId(source=PROVIDER, value=external_id),) if external_id else (),
            name=self._name(buyer),
            company=self._company(payload.company),
            position=self._position(buyer),
            emails=self._emails(buyer),
            phones=_phones(buyer),
            addresses=self._addresses(payload.address),
            language=self._language(buyer),
            products=tuple(self._product(place, told) for place, told in enumerate(payload.products)),
            message=told_text(payload.message),
            consent=self._consent(occurred_at),
            extras=self._extras,
            warnings=tuple(self._warnings),
        )

    def _warn(self, code: str | None, path: str) -> None:
        if code is not None:
            self._warnings.append(Warning_(code=code, field=_FIELDS.get(path, path)))

    def _keep(self, path: str, value: str | None) -> None:
        if value is not None and (text := clean(value)):
            self._extras[path] = text

    def _keep_doubtful(self, code: str | None, path: str, value: str | None) -> None:
        if code is not None:
            self._keep(path, value)
            self._warn(code, path)

    def _keep_unread(self, unread: Unread) -> None:
        self._keep_doubtful(unread.code, unread.path, unread.value)

    def _read_marketplace(self) -> Marketplace | None:
        written = self._payload.marketplace or ""
        found = read_marketplace(written)
        self._keep("marketplace", found or written)
        self._warn(None if found else "marketplace_unknown", "@marketplace")
        return found

    def _location(self) -> str:
        """The exhibitor; where none is told, the marketplace, which a Location setting can map as well."""
        told = told_line(self._payload.stand.exhibitor_id)
        if told is None:
            self._warn("stand_missing", "stand")
        return told or self._marketplace or PROVIDER

    def _moment(self, written: str | None, path: str) -> datetime | None:
        if not told_line(written):
            return None
        reading = read_moment(written or "", _CLOCK)
        self._keep_doubtful(reading.warning, path, written)
        return reading.at

    def _consent(self, occurred_at: datetime | None) -> Consent:
        told = self._payload.consent
        told_at = self._moment(told.at, "consent.at") if told else None
        reading = consent_of(self._payload, occurred_at, told_at)
        self._keep_doubtful(reading.warning, "consent.given", told.given if told else None)
        return reading.consent

    def _own_word(self, path: str, field: str, written: str | None) -> str | None:
        """A field that only some marketplaces have: its word as written, doubtful where it is not listed."""
        word = told_line(written)
        if word and self._marketplace:
            self._warn(self._codes.warning(self._marketplace, field, word), path)
        return word

    def _position(self, buyer: VirtualExpoBuyer) -> str | None:
        speciality = self._marketplace == "MedicalExpo"
        path = "extras.buyer.medicalSpeciality" if speciality else "customer.position"
        word = self._own_word(path, "employeePosition", buyer.employee_position)
        if not speciality:
            return word
        self._keep("buyer.medicalSpeciality", word)
        return None

    def _company(self, told: VirtualExpoCompany | None) -> Company | None:
        if told is None:
            return None
        company = Company(
            name=told_line(told.company_name),
            kind=self._own_word("customer.company.kind", "businessCompanyType", told.business_company_type),
            sector=self._own_word("customer.company.sector", "businessSector", told.business_sector),
            size=told_line(told.employee_count),
            website=self._site(told.website),
        )
        return company if company.wire() else None

    def _site(self, written: str | None) -> str | None:
        return self._link(written, "company.website", plain=bool(_SITE.fullmatch(told_line(written) or "")))

    def _link(self, written: str | None, path: str, *, plain: bool = False) -> str | None:
        told = told_line(written)
        if told is None or plain or is_web_link(told):
            return told
        self._keep_doubtful("link_unusable", path, told)
        return None

    def _addresses(self, told: VirtualExpoAddress | None) -> tuple[Address, ...]:
        if told is None:
            return ()
        written = told_line(told.country)
        country = read_country(written) if written else None
        if written != country:
            self._keep("address.country", written)
        self._warn("country_unknown" if written and not country else None, "address.country")
        lines = [line for part in (told.street or "").split("\n") if (line := clean_line(part))]
        address = Address(
            # At most five of them; what is more stands in the last.
            street=(*lines[:4], " ".join(lines[4:])) if lines[4:] else tuple(lines),
            city=told_line(told.city),
            region=told_line(told.state),
            postal_code=told_line(told.postal_code),
            country=country,
        )
        return (address,) if address != Address() else ()

    def _product(self, place: int, told: VirtualExpoProduct) -> Product:
        url = self._link(told.product_url, f"products.{place}.url")
        name, kind = told_line(told.product_name), told_line(told.product_category)
        return Product(id=told_line(told.product_id), name=name, category=kind, url=url)

    def _name(self, buyer: VirtualExpoBuyer) -> Name:
        reading = read_name(told_line(buyer.first_name), told_line(buyer.last_name))
        self._warn(reading.warning, "buyer.firstName")
        salutation = told_line(buyer.civility) or reading.salutation
        return reading.name.model_copy(update={"salutation": salutation})

    def _emails(self, buyer: VirtualExpoBuyer) -> tuple[Email, ...]:
        if not told_line(buyer.email):
            return ()
        reading = read_email(buyer.email or "")
        self._warn(reading.warning, "customer.emails.0")
        return (Email(address=reading.address, raw=reading.raw, primary=True),)

    def _language(self, buyer: VirtualExpoBuyer) -> str | None:
        told = told_line(buyer.language)
        if told is None or _LANGUAGE.fullmatch(told):
            return told and told.replace("_", "-")
        self._keep_doubtful("value_unread", "buyer.language", told)
        return None


def _phones(buyer: VirtualExpoBuyer) -> tuple[Phone, ...]:
    phone, mobile = told_line(buyer.phone), told_line(buyer.mobile)
    told = [Phone(raw=phone)] if phone and phone != mobile else []
    return (*told, Phone(raw=mobile, type="cellphone")) if mobile else tuple(told)
