"""A received mail's ADF, read with other means than it was written with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from leadbus_devstack.demo.lead import Pair, Says
from leadbus_devstack.smtp import StoredMail

LEADBUS = "leadbus"
"""The source of the id that we give a lead."""
_ORDER = ("id", "requestdate", "vehicle", "customer", "vendor", "provider")


class NotAdfError(ValueError):
    """The mail's body is not an ADF document."""


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


def at(parent: ElementTree.Element, path: str) -> str:
    """The text of the first element at `path`, on one line; empty without one."""
    return _text(parent.find(path))


def name_of(prospect: ElementTree.Element) -> str:
    """The customer's name, whole or put together."""
    found = prospect.findall("customer/contact/name")
    parts = {element.get("part", "full"): _text(element) for element in found}
    return parts.get("full") or " ".join(filter(None, (parts.get("first"), parts.get("last"))))


def contained(expected: str, text: str) -> str:
    """`expected` where it stands in `text`, else the text."""
    return expected if expected in text else text


def saying(
    *,
    provider: str,
    id_: str,
    name: str = "",
    phone: str = "",
    email: str = "",
    vehicle: str = "",
    words: Sequence[str] = (),
) -> Says:
    """What every source's lead has: who (phone in E.164), which vehicle (make and model), in which words."""

    def pairs(prospect: ElementTree.Element) -> Iterator[Pair]:
        yield "provider/name", provider, at(prospect, "provider/name")
        yield "id", id_, contained(id_, " ".join(identifiers(prospect).values()))
        yield "customer/contact/name", name or phone, name_of(prospect)
        yield "customer/contact/phone", phone, at(prospect, "customer/contact/phone")
        yield "customer/contact/email", email, at(prospect, "customer/contact/email")
        found = f"{at(prospect, 'vehicle/make')} {at(prospect, 'vehicle/model')}".strip()
        yield "vehicle", vehicle, found if vehicle else ""
        said = at(prospect, "customer/comments")
        for word in words:
            yield "comments", word, contained(word, said)

    return pairs


def _text(element: ElementTree.Element | None) -> str:
    return " ".join((element.text or "").split()) if element is not None else ""
