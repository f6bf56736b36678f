"""`<name>`: persons and businesses, told whole or in parts."""

from __future__ import annotations

from dataclasses import replace

from leadbus.contracts.lead import Name

from normalizer.domain.names import NameReading, split_name
from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.node import Node
from normalizer.sources.adf.words import is_placeholder, is_template, squeezed

_PARTS = {
    "first": "first",
    "firstname": "first",
    "given": "first",
    "givenname": "first",
    "fname": "first",
    "last": "last",
    "lastname": "last",
    "surname": "last",
    "family": "last",
    "lname": "last",
    "middle": "middle",
    "middlename": "middle",
    "mi": "middle",
    "initial": "middle",
    "suffix": "suffix",
    "full": "full",
    "fullname": "full",
    "name": "full",
    "": "full",
    "prefix": "salutation",
    "title": "salutation",
    "salutation": "salutation",
    "honorific": "salutation",
}


def plain_name(contact: Node) -> str | None:
    """The name of a dealer's or provider's contact, on one line."""
    parts = [node.text for node in contact.each("name") if node.text]
    return " ".join(" ".join(parts).split()) or None


class Names:
    """The `<name>` elements of one contact, by part; what comes twice, or is no name, stays unread."""

    def __init__(self, contact: Node) -> None:
        self.parts: dict[str, str] = {}
        self.company: str | None = None
        for node in contact.each("name"):
            self._take(node)
        for node in contact.children:
            part = _PARTS.get(node.key)
            if part and node.key not in ("name", ""):
                self._put(part, node)
            elif node.key in ("company", "companyname", "businessname") and self.company is None:
                self.company = node.take_value()

    @property
    def told(self) -> bool:
        """Whether any part of a name was."""
        return bool(self.parts)

    def _take(self, node: Node) -> None:
        inner = [child for child in node.children if child.key in _PARTS]
        for child in inner:
            self._put(_PARTS[child.key], child)
        part = _PARTS.get(squeezed(node.seen("part")))
        if squeezed(node.seen("type")) == "business":
            if self.company is None and (value := node.take_value()) is not None:
                self.company = value
                node.attribute("part"), node.attribute("type")
        elif part is None:
            if self._put("full", node):
                node.attribute("type")
        elif self._put(part, node) or not node.text:
            node.attribute("part")
            if squeezed(node.seen("type")) in ("", "individual"):
                node.attribute("type")

    def _put(self, part: str, node: Node) -> bool:
        value = " ".join(node.text.split())
        if not value or is_template(value) or (part in self.parts and self.parts[part] != value):
            return False
        # "None" and "Na" are names; marks alone are not.
        if is_placeholder(value) and not any(char.isalpha() for char in value):
            return False
        self.parts.setdefault(part, node.take())
        return True

    def name(self, findings: Findings) -> Name:
        """In parts: as told, else split from the full one."""
        first, last, full = (self.parts.get(part) for part in ("first", "last", "full"))
        middle, suffix, salutation = (self.parts.get(part) for part in ("middle", "suffix", "salutation"))
        if first and last:
            if is_placeholder(first) and is_placeholder(last):
                findings.warn("name_placeholder", "customer.name")
            told = full or " ".join(part for part in (first, middle, last, suffix) if part)
            reading = NameReading(told, None, first, middle, last, suffix)
        elif written := full or first:
            reading = split_name(written)
            findings.warn(reading.warning, "customer.name")
        elif last:
            reading = NameReading(last, last=last)
        else:
            reading = NameReading("")
        return replace(
            reading,
            middle=reading.middle or middle,
            last=reading.last or last,
            suffix=reading.suffix or suffix,
            salutation=reading.salutation or salutation,
        ).name
