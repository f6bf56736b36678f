"""Does a received mail say what the lead said?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from leadbus_devstack.demo.lead import DemoLead, Pair
from leadbus_devstack.demo.prospect import at
from leadbus_devstack.smtp import StoredMail


@dataclass(frozen=True, slots=True)
class Difference:
    """`field` should say `expected` and says `found`."""

    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected!r}, found {self.found!r}"


def compare(lead: DemoLead, mail: StoredMail, prospect: ElementTree.Element) -> list[Difference]:
    """Every field of the lead against the mail; empty when all say the same."""
    pairs = [*_envelope(lead, mail), *lead.says(prospect)]
    pairs.append(("vendor/vendorname", lead.dealer, at(prospect, "vendor/vendorname")))
    return [Difference(field, expected, found) for field, expected, found in pairs if expected != found]


def _envelope(lead: DemoLead, mail: StoredMail) -> Iterator[Pair]:
    yield "envelope recipients", lead.address, ", ".join(mail.rcpt_to)
    yield "header To", lead.address, str(mail.message["To"])
    yield "7-bit bytes", "yes", "yes" if mail.content.isascii() else "no"
