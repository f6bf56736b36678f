"""Does a received mail say what the lead said? Read with other means than it was written with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

from leadbus_devstack.demo.leads import DemoLead
from leadbus_devstack.smtp import StoredMail

PROVIDER = "ContactAtOnce!"
LEADBUS = "leadbus"
_ORDER = ("id", "requestdate", "vehicle", "customer", "vendor", "provider")


class NotAdfError(ValueError):
    """The mail's body is not an ADF document."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`field` should say `expected` and says `found`."""

    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected!r}, found {self.found!r}"


def parse_adf(mail: StoredMail) -> ElementTree.Element:
    """The one prospect of the mail. Raises NotAdfError."""
    body = mail.message.get_content()
    if not re.match(r'\s*(<\?xml[^>]*\?>\s*)?<\?adf version="1\.0"\?>\s*<adf>', body, re.IGNORECASE):
        raise NotAdfError("the body does not begin as an ADF document does")
    try:
        root = ElementTree.fromstring(body.strip().encode())
    except ElementTree.ParseError as error:
        raise NotAdfError(f"the body is not XML: {error}") from None
    if [child.tag for child in root] != ["prospect"]:
        raise NotAdfError("not exactly one prospect")
    places = [_ORDER.index(child.tag) for child in root[0] if child.tag in _ORDER]
    if places != sorted(places) or len(places) != len(root[0]):
        raise NotAdfError("the prospect's elements are not in the DTD's order")
    return root[0]


def identifiers(prospect: ElementTree.Element) -> dict[str, str]:
    """The prospect's ids: value by source."""
    return {element.get("source", ""): _text(element) for element in prospect.findall("id")}


def compare(lead: DemoLead, mail: StoredMail, prospect: ElementTree.Element) -> list[Difference]:
    """Every field of the lead against the mail; empty when all say the same."""
    pairs = [
        *_envelope(lead, mail),
        *_provider(lead, prospect),
        *_customer(lead, prospect),
        *_vehicles(lead, prospect),
        *_words(lead, prospect),
    ]
    return [Difference(field, expected, found) for field, expected, found in pairs if expected != found]


Pair = tuple[str, str, str]


def _envelope(lead: DemoLead, mail: StoredMail) -> Iterator[Pair]:
    yield "envelope recipients", lead.address, ", ".join(mail.rcpt_to)
    yield "header To", lead.address, str(mail.message["To"])
    yield "7-bit bytes", "yes", "yes" if mail.content.isascii() else "no"


def _provider(lead: DemoLead, prospect: ElementTree.Element) -> Iterator[Pair]:
    yield "provider/name", PROVIDER, _at(prospect, "provider/name")
    yield "provider/service", lead.lead_type, _at(prospect, "provider/service")
    yield "vendor/vendorname", lead.dealer, _at(prospect, "vendor/vendorname")
    found = identifiers(prospect)
    yield f"id of {PROVIDER}", lead.external_id, found.get(PROVIDER, "")
    for name, value in lead.payload.get("related_ids", {}).items():
        yield f"id {name}", value, found.get(f"{PROVIDER} {name}", "")
    requested = datetime.fromisoformat(_at(prospect, "requestdate"))
    occurred = datetime.fromisoformat(lead.payload["occurred_at"])
    yield "requestdate", occurred.isoformat(), requested.astimezone(occurred.tzinfo).isoformat()


def _customer(lead: DemoLead, prospect: ElementTree.Element) -> Iterator[Pair]:
    told = lead.payload["customer"]
    contact = prospect.find("customer/contact")
    assert contact is not None
    parts = {element.get("part", "full"): _text(element) for element in contact.findall("name")}
    name = parts.get("full") or " ".join(filter(None, (parts.get("first"), parts.get("last"))))
    expected = told.get("name") or " ".join(filter(None, (told.get("first_name"), told.get("last_name"))))
    # Nobody told a name: the telephone number stands in.
    yield "customer/contact/name", expected or lead.phone, name
    yield "customer/contact/phone", lead.phone, _text(contact.find("phone"))
    yield "customer/contact/email", told.get("email", ""), _text(contact.find("email"))


def _vehicles(lead: DemoLead, prospect: ElementTree.Element) -> Iterator[Pair]:
    told = lead.payload.get("vehicles") or [lead.payload["vehicle"]]
    found = prospect.findall("vehicle")
    yield "number of vehicles", str(len(told)), str(len(found))
    for number, (expected, vehicle) in enumerate(zip(told, found, strict=False), start=1):
        for field, value, shown in _vehicle(expected, vehicle):
            yield f"vehicle {number} {field}", value, shown


def _vehicle(told: dict[str, Any], vehicle: ElementTree.Element) -> Iterator[Pair]:
    names = {"stock_number": "stock", "mileage": "odometer"}
    for field in ("year", "make", "model", "trim", "vin", "stock_number", "mileage"):
        yield field, str(told.get(field, "")), _at(vehicle, names.get(field, field))
    yield "status", told.get("status", ""), vehicle.get("status", "")
    if "price" in told:
        yield "price", str(Decimal(told["price"])), str(Decimal(_at(vehicle, "price") or "0"))
    if "url" in told:
        yield "url", told["url"], _contained(told["url"], _at(vehicle, "comments"))


def _words(lead: DemoLead, prospect: ElementTree.Element) -> Iterator[Pair]:
    comments = _at(prospect, "customer/comments")
    payload = lead.payload
    wanted = {"comments": payload.get("comments"), "lead_source": f"Lead source: {payload['lead_source']}"}
    call = payload.get("call", {})
    if call:
        wanted |= {name: call[name] for name in ("recording_url", "tracking_number")}
        wanted["duration"] = f"{call['duration_seconds']} seconds"
    for field, value in wanted.items():
        if value:
            yield field, value, _contained(value, comments)
    rest = comments
    for number, line in enumerate(payload.get("transcript", []), start=1):
        speaker = str(line["speaker"]).capitalize() + (f" ({line['name']})" if "name" in line else "")
        said = f"{speaker}: {line['text']}"
        yield f"transcript line {number}", said, _contained(said, rest)
        rest = rest.partition(said)[2]  # the next line has to come after this one


def _contained(expected: str, text: str) -> str:
    return expected if expected in text else text


def _at(parent: ElementTree.Element, path: str) -> str:
    return _text(parent.find(path))


def _text(element: ElementTree.Element | None) -> str:
    return " ".join((element.text or "").split()) if element is not None else ""
