"""Which addresses CRM vendors give for ADF leads: suggestions, and what is odd about an address.

Never a refusal: vendors give addresses of other forms too, and only they know.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from adf_mailer.domain.address import domain

Vehicles = Literal["new", "used"]

_PLACE = re.compile(r"\{([a-z]+)\}")
_MATCHES = {"name": r"[a-z0-9][a-z0-9._+-]*", "number": r"[0-9]{1,12}"}
_ANYTHING = r"[a-z0-9._+-]+"
# Letters that lose more than an accent on their way to ASCII.
_SPELT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "&": "and"}
)


_LABEL_CHARACTERS = 63
"""Of one part of a domain (RFC 1035, 2.3.4)."""


@dataclass(frozen=True)
class Pattern:
    """Form of an address. `told`: where it is known from; `vehicles`: the leads it is for, if not all."""

    text: str
    told: Literal["chart", "seen"]
    vehicles: Vehicles | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """What has to be known of the dealer: `name`, `number`, or what only the vendor knows."""
        return tuple(_PLACE.findall(self.text))

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        # Split at a group, every second part is a place.
        written = enumerate(_PLACE.split(self.text))
        return re.compile(
            "".join(_MATCHES.get(part, _ANYTHING) if n % 2 else re.escape(part) for n, part in written)
        )

    def fits(self, address: str) -> bool:
        """Compared without case."""
        return self._expression.fullmatch(address.lower()) is not None

    def of(self, facts: Mapping[str, str]) -> str | None:
        """The address of a dealer; None where something has to be known that is not."""
        if not set(self.places) <= facts.keys():
            return None
        return _PLACE.sub(lambda place: facts[place[1]], self.text)


@dataclass(frozen=True, slots=True)
class Vendor:
    """A maker of CRMs, or whoever runs the domain."""

    name: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An address that a vendor may have given; `missing` is what has to be known for one."""

    vendor: str
    pattern: Pattern
    address: str | None
    missing: tuple[str, ...]


def find(vendor: str) -> Vendor | None:
    """By name, without regard to case and blanks."""
    return VENDORS.get(_key(vendor))


def suggest(vendor: Vendor, dealer_name: str | None, dealer_number: str | None) -> list[Suggestion]:
    """One for each pattern of the vendor, in the table's order."""
    facts = {"name": _spelt(dealer_name or ""), "number": _digits(dealer_number or "")}
    known = {place: value for place, value in facts.items() if value}
    return [
        Suggestion(
            vendor.name,
            pattern,
            pattern.of(known),
            tuple(place for place in pattern.places if place not in known),
        )
        for pattern in vendor.patterns
    ]


def of_address(address: str) -> Vendor | None:
    """Whose domain the address is in, whatever stands before the @."""
    for vendor in VENDORS.values():
        for pattern in vendor.patterns:
            place = Pattern(f"{{local}}@{domain(pattern.text)}", pattern.told)
            if place.fits(address):
                return vendor
    return None


def unlike(address: str, vendor: Vendor) -> Sequence[str]:
    """The vendor's patterns, where the address has the form of none of them; else nothing."""
    if any(pattern.fits(address) for pattern in vendor.patterns):
        return ()
    return [pattern.text for pattern in vendor.patterns]


def _spelt(name: str) -> str:
    """As a part of an address: `Müller & Söhne` is `muellerandsoehne`; nothing if too long for one."""
    plain = unicodedata.normalize("NFKD", name.lower().translate(_SPELT))
    spelt = re.sub(r"[^a-z0-9]", "", plain)
    return spelt if len(spelt) <= _LABEL_CHARACTERS else ""


def _digits(number: str) -> str:
    return number.strip() if number.strip().isascii() and number.strip().isdecimal() else ""


def _key(name: str) -> str:
    return "".join(name.lower().split())


def _read() -> Mapping[str, Vendor]:
    table = tomllib.loads(files("adf_mailer.domain").joinpath("crm_vendors.toml").read_text("utf-8"))
    vendors = [
        Vendor(
            row["name"],
            tuple(
                Pattern(text, told, row.get("vehicles", {}).get(text))
                for told in ("chart", "seen")
                for text in row.get(told, ())
            ),
        )
        for row in table["vendor"]
    ]
    return MappingProxyType({_key(vendor.name): vendor for vendor in vendors})


VENDORS = _read()
"""By name, lower case and without blanks."""
