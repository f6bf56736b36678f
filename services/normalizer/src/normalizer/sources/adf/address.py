"""`<address>`: where somebody lives or works."""

from __future__ import annotations

import re

from leadbus.contracts.lead import Address
from leadbus.contracts.vocabulary import AddressType

from normalizer.domain.countries import read_country
from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.node import Node
from normalizer.sources.adf.words import squeezed

_ADDRESS_TYPES: dict[str, AddressType] = {"home": "home", "work": "work", "delivery": "delivery"}
_UNNUMBERED = 99


def read_addresses(contacts: list[Node], findings: Findings) -> tuple[Address, ...]:
    """Every address of `contacts`; countries as ISO 3166 alpha-2, and as written in extras."""
    nodes = (node for contact in contacts for node in contact.each("address"))
    return tuple(address for node in nodes if (address := _address(node, findings)) is not None)


def _address(node: Node, findings: Findings) -> Address | None:
    if not node.holds_anything():
        return None
    streets = sorted(
        node.each("street", "street1", "street2", "streetline", "addressline1", "line1"), key=_line
    )
    for street in streets:
        if _line(street) < _UNNUMBERED:
            street.attribute("line")
    written = squeezed(node.seen("type"))
    kind = _ADDRESS_TYPES.get(written)
    if kind:
        node.attribute("type")
    return Address(
        street=tuple(line for street in streets if (line := street.take_value())),
        apartment=node.value("apartment", "suite", "unit"),
        city=node.value("city", "town"),
        region=node.value("regioncode", "region", "state", "province", "statecode"),
        postal_code=node.value("postalcode", "zip", "zipcode", "postcode"),
        country=_country(node, findings),
        type=kind,
    )


def _line(street: Node) -> int:
    number = street.seen("line") or ""
    return int(number) if re.fullmatch("[1-9]", number) else _UNNUMBERED


def _country(node: Node, findings: Findings) -> str | None:
    for child in node.each("country", "countrycode"):
        written = child.text
        if code := read_country(written):
            if written != code:
                findings.keep("customer.addresses.country", written)
            child.take()
            return code
        if written:
            findings.warn("country_unread", "customer.addresses")
    return None
