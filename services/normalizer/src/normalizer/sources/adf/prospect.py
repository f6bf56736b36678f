"""One `<prospect>` as a draft."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from leadbus.contracts.lead import Consent, Vehicle
from leadbus.contracts.references import LONGEST_REFERENCE_CHARS
from leadbus.contracts.vocabulary import Intent

from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.domain.text import clean_line
from normalizer.sources.adf.address import read_addresses
from normalizer.sources.adf.comments import lead_source_of, read_call, read_message
from normalizer.sources.adf.contact import read_person
from normalizer.sources.adf.custody import Custody, read_custody
from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.moments import read_moment
from normalizer.sources.adf.naming import plain_name
from normalizer.sources.adf.node import Node
from normalizer.sources.adf.origin import Manner, manner_of
from normalizer.sources.adf.prices import read_finance
from normalizer.sources.adf.vehicle import Vehicles, read_vehicles, vehicle_nodes
from normalizer.sources.adf.words import squeezed

LEAD_SOURCE = "lead_source"
"""Key of extras for the site or portal that the customer was on."""

_LANGUAGES = {
    "english": "en",
    "french": "fr",
    "francais": "fr",
    "français": "fr",
    "spanish": "es",
    "español": "es",
    "german": "de",
    "deutsch": "de",
    "eng": "en",
    "fre": "fr",
    "fra": "fr",
    "spa": "es",
}
_INTENTS: dict[str, tuple[Intent, ...]] = {
    "buy": ("inquiry",),
    "lease": ("inquiry", "leasing"),
    "test_drive": ("test_drive",),
    "trade_in": ("trade_in",),
    "sell": ("trade_in",),
}
_METHODS: dict[str, Intent] = {"cash": "cash", "financing": "financing", "leasing": "leasing"}
_YES = frozenset({"1", "true", "yes", "y"})


def read_prospect(prospect: Node, findings: Findings) -> Draft:
    """What `prospect` tells; what no field of the lead holds is in extras, by its path below `prospect`.

    Raises Rejection `payload_invalid` for one that tells nothing, or a dealer reference too long to map.
    """
    if not prospect.holds_anything():
        raise Rejection("payload_invalid", "a prospect that tells nothing", kind="element")
    return _Reader(prospect, findings).draft()


class _Reader:
    def __init__(self, prospect: Node, findings: Findings) -> None:
        self._prospect = prospect
        self._findings = findings
        self._customer = prospect.first("customer") or prospect
        self._provider = prospect.first("provider")
        self._provider_name = self._named_provider()
        self._zoneless: dict[str, datetime] = {}

    def draft(self) -> Draft:
        findings, prospect = self._findings, self._prospect
        self._status()
        custody = read_custody(prospect, self._provider_name, findings)
        message = read_message(self._commented())
        call = read_call(message, self._commented(), findings)
        words = self._words(custody)
        manner = manner_of(self._provider_name, tuple(words), answered=call.answered if call else None)
        person = read_person(self._contacts(), findings, phone_type=manner.phone_type)
        addresses = read_addresses(self._contacts(), findings)
        if not person.reachable:
            findings.warn("contact_missing", "customer")
        read = read_vehicles(vehicle_nodes(prospect), findings)
        finance_at = next((node for node in self._financed(read) if node.holds_anything()), None)
        finance = read_finance(finance_at, findings)
        occurred_at = self._occurred_at()
        location, field = self._location()
        language = self._language()
        findings.keep(LEAD_SOURCE, self._lead_source(message))
        findings.keep("provider.name", self._provider_name)
        consent = self._consent(manner, occurred_at)
        findings.keep_all(prospect.leftovers())
        return Draft(
            location=location,
            location_field=field,
            source_type=next(iter(words), "ADF"),
            channel=manner.channel,
            issuer=custody.issuer,
            external_id=custody.external_id,
            intents=_intents(manner, read.vehicles, finance.product if finance else None),
            urgency=manner.urgency,
            occurred_at=occurred_at,
            ids=custody.ids,
            name=person.name,
            company=person.company,
            emails=person.emails,
            phones=person.phones,
            addresses=addresses,
            language=language,
            vehicles=read.vehicles,
            finance=finance,
            message=message,
            call=call,
            consent=consent,
            zoneless=self._zoneless,
            extras=findings.extras,
            warnings=tuple(findings.warnings),
        )

    def _status(self) -> None:
        """A repeat is told by a warning: in extras it would make the same lead another content."""
        status = squeezed(self._prospect.seen("status"))
        if status == "resend":
            self._findings.warn("resend", "status")
        if status in ("new", "resend", ""):
            self._prospect.attribute("status")
        else:
            self._findings.warn("value_unread", "status")

    def _named_provider(self) -> str | None:
        if self._provider is None:
            return None
        name = self._provider.first("name", "providername")
        value = name.take_value() if name else None
        if name is not None and value is not None:
            for attribute, known in (("part", ("", "full")), ("type", ("", "business", "individual"))):
                if squeezed(name.seen(attribute)) in known:
                    name.attribute(attribute)
        return value

    def _words(self, custody: Custody) -> list[str]:
        """Service, then lead type: `provider`'s, `prospect`'s, that of an id."""
        nodes = [node for node in (self._provider, self._prospect) if node is not None]
        told: list[str | None] = [self._provider.value("service") if self._provider else None]
        told += [node.value("leadtype") for node in nodes]
        told.append(custody.lead_type)
        words = [word for word in told if word]
        for word in words[1:]:
            self._findings.keep("leadtype", word)
        return words

    def _commented(self) -> Iterator[Node]:
        yield self._customer
        yield from self._contacts()
        if self._customer is not self._prospect:
            yield self._prospect

    def _contacts(self) -> list[Node]:
        """The contacts of the customer; where there is none, whatever stands where one should."""
        return self._customer.each("contact") or self._prospect.each("contact") or [self._customer]

    def _financed(self, read: Vehicles) -> Iterator[Node]:
        """The finance of the wanted vehicle, else one that stands elsewhere."""
        others = [self._prospect, self._customer]
        for holder in (*([read.wanted] if read.wanted else []), *others):
            yield from holder.each("finance")

    def _occurred_at(self) -> datetime | None:
        told = self._prospect.first("requestdate", "requestdatetime", "leaddate", "creationdate")
        written = told.take_value() if told else None
        if written is None:
            return None
        reading = read_moment(written)
        if reading.warning:
            self._findings.warn(reading.warning, "occurred_at")
            self._findings.keep("occurred_at", written)
        if reading.at is not None and not reading.zone_told:
            self._zoneless["occurred_at"] = reading.at.replace(tzinfo=None)
        return reading.at

    def _location(self) -> tuple[str, str]:
        """The dealer's id, else its name, else its contact's name; blank where the document names none."""
        vendor = self._prospect.first("vendor")
        if vendor is not None:
            for node in vendor.each("id"):
                if (value := node.take_value()) is not None:
                    return _mappable(value, "vendor.id")
            if (value := vendor.value("vendorname", "name", "dealername")) is not None:
                return _mappable(value, "vendor.vendorname")
            for contact in vendor.each("contact"):
                if name := plain_name(contact):
                    self._findings.warn("vendor_assumed", "dealer")
                    return _mappable(name, "vendor.contact.name")
        self._findings.warn("vendor_missing", "dealer")
        return "", "vendor"

    def _language(self) -> str | None:
        node = self._customer.first("language", "preferredlanguage") or self._prospect.first("language")
        if node is None:
            return None
        word = node.text.strip()
        code = _LANGUAGES.get(squeezed(word)) or (word if _is_tag(word) else None)
        if code:
            node.take()
        return code

    def _lead_source(self, message: str | None) -> str | None:
        for node in (self._provider, self._prospect):
            if node is not None and (told := node.value("source", "leadsource")) is not None:
                return told
        return lead_source_of(message) or self._provider_name

    def _consent(self, manner: Manner, at: datetime | None) -> Consent:
        """Who asks is answered; who asks not to be sent things (`donotsend`) is no more than answered."""
        held = (node for holder in (self._customer, *self._contacts()) for node in holder.each("donotsend"))
        unwilling = any(node.text.strip().lower() in _YES for node in held)
        if unwilling:
            self._findings.warn("do_not_send", "consent")
        return Consent(basis=manner.consent, purposes=("reply",) if unwilling else ("reply", "sales"), at=at)


def _intents(manner: Manner, vehicles: tuple[Vehicle, ...], product: str | None) -> tuple[Intent, ...]:
    told: list[Intent] = [intent for vehicle in vehicles for intent in _INTENTS[vehicle.interest]]
    if manner.whole:
        told = [intent for intent in told if intent != "inquiry"]
    told += manner.intents
    if product in _METHODS:
        told.append(_METHODS[product])
    return tuple(dict.fromkeys(told)) or ("inquiry",)


def _is_tag(word: str) -> bool:
    parts = word.replace("_", "-").split("-")
    return (
        2 <= len(parts[0]) <= 3
        and all(part.isascii() and part.isalnum() for part in parts)
        and len(parts) <= 3
    )


def _mappable(value: str, field: str) -> tuple[str, str]:
    if len(value) > LONGEST_REFERENCE_CHARS:
        raise Rejection("payload_invalid", "too long", field=field, kind="string")
    return clean_line(value), field
