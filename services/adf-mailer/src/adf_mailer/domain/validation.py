"""Is this an ADF 1.0 document? Two layers: the profile DTD, and what a DTD cannot say about values."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources

from lxml import etree

from adf_mailer.domain.extensions import PLACES
from adf_mailer.domain.iso_codes import COUNTRIES, CURRENCIES
from adf_mailer.domain.moment import is_date, is_requestdate
from adf_mailer.domain.party import PHONE
from adf_mailer.domain.vehicle import CONDITIONS


@dataclass(frozen=True, slots=True)
class Problem:
    """`rule` from a closed list, `where` the element; never a value."""

    rule: str
    where: str


def problems(document: bytes, *, extensions: bool = False) -> list[Problem]:
    """Everything that keeps `document` from being ADF 1.0 of our profile; empty when it is.

    With `extensions` it may have each of ours once, where it belongs.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError:
        return [Problem("not_well_formed", "adf")]
    if extensions:
        _take_out_extensions(root)
    return [*_structure(root), *_values(root)]


def _take_out_extensions(root: etree._Element) -> None:
    for place in PLACES:
        element = root.find(place)
        parent = element.getparent() if element is not None else None
        if element is not None and parent is not None:
            parent.remove(element)


@functools.cache
def profile() -> etree.DTD:
    """The profile DTD that ships with this package."""
    with resources.files("adf_mailer.domain").joinpath("profile.dtd").open("rb") as file:
        return etree.DTD(file)


def _structure(root: etree._Element) -> Iterator[Problem]:
    dtd = profile()
    if not dtd.validate(root):
        for entry in dtd.error_log:  # type: ignore[attr-defined] # lxml-stubs
            yield Problem("dtd", entry.type_name)


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _between(low: int, high: int) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(r"-?\d{1,4}", value) is not None and low <= int(value) <= high


_money = _matches(r"-?\d+(\.\d+)?")
_positive = _matches(r"[1-9]\d{0,8}")

_TEXT: dict[str, Callable[[str], bool]] = {
    "requestdate": is_requestdate,
    "earliestdate": is_date,
    "latestdate": is_date,
    "vin": _matches(r"[A-HJ-NPR-Z0-9]{17}"),
    "odometer": _matches(r"\d+"),
    "condition": CONDITIONS.__contains__,
    "price": _money,
    "amount": _money,
    "balance": _money,
    "weighting": _between(-100, 100),
    "preference": _positive,
    "method": {"cash", "finance", "lease"}.__contains__,
    "country": COUNTRIES.__contains__,
    "phone": lambda value: PHONE.fullmatch(value) is not None,
    "vendorname": lambda value: value.strip() != "",
}
_currency, _sequence = CURRENCIES.__contains__, _matches(r"\d{1,9}")

_ATTRIBUTE: dict[str, tuple[str, Callable[[str], bool]]] = {
    "id": ("sequence", _sequence),
    "price": ("currency", _currency),
    "amount": ("currency", _currency),
    "balance": ("currency", _currency),
}
"""The one attribute of each element that a DTD cannot judge; no other element may have one of that name."""


def _values(root: etree._Element) -> Iterator[Problem]:
    for element in root.iter(etree.Element):
        tag = element.tag
        if (check := _TEXT.get(tag)) and not check(element.text or ""):
            yield Problem("value", tag)
        if told := _ATTRIBUTE.get(tag):
            name, rule = told
            value = element.get(name)
            if value is not None and not rule(value):
                yield Problem("value", f"{tag}@{name}")
        if judge := _PARTS.get(tag):
            yield from judge(element)


def _contact(contact: etree._Element) -> Iterator[Problem]:
    """At most one e-mail, and before the phones."""
    ways = [child.tag for child in contact if child.tag in ("email", "phone")]
    if ways.count("email") > 1:
        yield Problem("one_email", "contact")
    if "email" in ways and ways[0] != "email":
        yield Problem("email_first", "contact")


def _address(address: etree._Element) -> Iterator[Problem]:
    """Street lines one to five, each once."""
    numbers = [street.get("line") for street in address.iter("street")]
    if len(set(numbers)) != len(numbers) or len(numbers) > 5:
        yield Problem("street_lines", "address")


def _timeframe(timeframe: etree._Element) -> Iterator[Problem]:
    """Words, or parts of which each stands once: a DTD cannot say so of text and elements together."""
    parts = [child.tag for child in timeframe]
    if len(set(parts)) != len(parts):
        yield Problem("timeframe_parts", "timeframe")


_PARTS: dict[str, Callable[[etree._Element], Iterator[Problem]]] = {
    "contact": _contact,
    "address": _address,
    "timeframe": _timeframe,
}
