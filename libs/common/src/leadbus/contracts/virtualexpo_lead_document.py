"""One lead out of a fetched document, as a document of its own."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final, TypeAlias

from lxml import etree

from leadbus.contracts.virtualexpo import (
    LONGEST_ID_CHARS,
    REQUEST_TYPES,
    XML_NAMESPACE,
    Category,
    read_category,
    read_types,
)

Node: TypeAlias = "etree._Element"  # noqa: SLF001 - lxml gives it no public name

# To find the element of a fault takes as long as the lead is large, for libxml2 and for us.
_ELEMENTS_CHECKED: Final = 2_000
_FAULTS_READ: Final = 50
_SCHEMA = "virtualexpo.xsd"
_DIGEST_CHARS_IN_ID = 32
_ATTRIBUTES = ("id", "category", "marketplace")


@dataclass(frozen=True, slots=True)
class LeadFault:
    """Where a lead is not as the schema has it; never a value.

    ``rule``: the schema's rule in the words of libxml2 (``cvc_enumeration_valid``, ``element_content``), or
    ``too_large`` (its bytes are not kept), ``unreadable``, or ``unchecked`` (too many elements). ``path``:
    names of the schema from the lead down, ``*`` for one that the sender chose.
    """

    rule: str
    path: str


@dataclass(frozen=True, slots=True)
class LeadDocument:
    """``data``: the lead in exclusive canonical XML, UTF-8, so that the same lead fetched again has the same
    bytes. ``position`` counts the leads of the document from 0. ``category`` is None where none can be read.
    ``key`` is the same however often and changed the lead comes: its id, or without one a digest of what
    tells it from others.
    """

    position: int
    data: bytes
    key: str
    category: Category | None = None
    faults: tuple[LeadFault, ...] = ()

    @property
    def raw_id(self) -> str:
        """Id of the raw message, at most 255 characters: unchanged the same one, changed another."""
        return f"{self.key}.{hashlib.sha256(self.data).hexdigest()[:_DIGEST_CHARS_IN_ID]}"


@dataclass(frozen=True, slots=True)
class Outline:
    """Which fields of a lead are filled in, and what it asks for; nobody's data.

    ``fields``: paths as in ``LeadFault``, attributes after ``@``. ``types``: as ``read_types`` tells them,
    ``other`` for words that are none of ours.
    """

    fields: frozenset[str] = frozenset()
    types: tuple[str, ...] = ()


@functools.cache
def schema() -> etree.XMLSchema:
    """The schema that ships with this package."""
    with resources.files("leadbus.contracts").joinpath(_SCHEMA).open("rb") as file:
        return etree.XMLSchema(etree.parse(file))


def lead_document(position: int, wrapped: bytes) -> LeadDocument:
    """The only lead of ``wrapped``, a document in UTF-8 that is well-formed and has no DOCTYPE."""
    try:
        data = _alone(_parse(wrapped)[0])
        lead = _parse(data)
    except (etree.XMLSyntaxError, IndexError, ValueError):
        # What expat takes and libxml2 does not; too rare for a finer word.
        key = f"digest:{hashlib.sha256(wrapped).hexdigest()}"
        return LeadDocument(position, wrapped, key, None, (LeadFault("unreadable", ""),))
    category = read_category(lead.get("category", ""))
    return LeadDocument(position, data, _key(lead), category, tuple(_faults(lead)))


def oversized(position: int, attributes: Mapping[str, str]) -> LeadDocument:
    """What is left to tell of a lead that was too large to be kept."""
    key = _key_of_id(attributes) or f"oversized:{position}"
    category = read_category(attributes.get("category", ""))
    return LeadDocument(position, b"", key, category, (LeadFault("too_large", ""),))


def outline(lead: LeadDocument) -> Outline:
    """The outline of a lead; an empty one where its bytes cannot be read or are not kept."""
    try:
        root = _parse(lead.data)
    except (etree.XMLSyntaxError, ValueError):
        return Outline()
    told = read_types(_text(root, "type"))
    types = dict.fromkeys(word if word in REQUEST_TYPES else "other" for word in told)
    return Outline(frozenset(_filled(root)), tuple(types))


def _filled(root: Node) -> Iterator[str]:
    for name, value in root.attrib.items():
        if value.strip():
            yield f"lead/@{name if name in _ATTRIBUTES else '*'}"
    for element in root.iter(etree.Element):
        if len(element) == 0 and (element.text or "").strip():
            yield "/".join(_name(step) for step in [element, *element.iterancestors()][::-1])


def _alone(inner: Node) -> bytes:
    try:
        return etree.tostring(inner, method="c14n", exclusive=True, with_comments=True, with_tail=False)
    except etree.C14NError:
        # A namespace that is no absolute address has no canonical form.
        return etree.tostring(inner, encoding="utf-8", xml_declaration=False, with_tail=False)


def _parse(data: bytes) -> Node:
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(data, parser)


def _key(lead: Node) -> str:
    if key := _key_of_id({"id": lead.get("id", "")}):
        return key
    told = [
        lead.get("id", "").strip(),
        lead.get("marketplace", "").strip(),
        lead.get("category", "").strip(),
        "/".join(read_types(_text(lead, "type"))),
        _text(lead, "buyer", "email").lower(),
        [_text(product, "productId") for product in lead.iterfind(_tag("product"))],
        _text(lead, "createdAt"),
    ]
    # A list and not joined text: no value can hold a separator.
    return f"digest:{hashlib.sha256(json.dumps(told).encode()).hexdigest()}"


def _key_of_id(attributes: Mapping[str, str]) -> str | None:
    external_id = " ".join(attributes.get("id", "").split())
    return f"id:{external_id}" if 0 < len(external_id) <= LONGEST_ID_CHARS else None


def _text(element: Node, *path: str) -> str:
    return (element.findtext("/".join(_tag(name) for name in path)) or "").strip()


def _tag(name: str) -> str:
    return f"{{{XML_NAMESPACE}}}{name}"


def _faults(lead: Node) -> Iterator[LeadFault]:
    checked = schema()
    if sum(1 for _ in lead.iter()) > _ELEMENTS_CHECKED:
        yield LeadFault("unchecked", "lead")
        return
    if checked.validate(lead):
        return
    entries = itertools.islice(checked.error_log, _FAULTS_READ)  # type: ignore[call-overload] # lxml-stubs
    yield from dict.fromkeys(LeadFault(_rule(entry.type_name), _path(lead, entry.path)) for entry in entries)


def _rule(type_name: str) -> str:
    return type_name.removeprefix("SCHEMAV_").lower()


def _path(lead: Node, told: str | None) -> str:
    spaces = {prefix: uri for prefix, uri in lead.nsmap.items() if prefix}
    try:
        found = lead.getroottree().xpath(told or "", namespaces=spaces)
    except etree.XPathError:
        return "*"
    if not isinstance(found, list) or not found or not isinstance(found[0], etree._Element):  # noqa: SLF001
        return "*"
    steps = [found[0], *found[0].iterancestors()][::-1]
    return "/".join(_name(step) for step in steps)


def _name(element: Node) -> str:
    name = etree.QName(element)
    known = name.namespace == XML_NAMESPACE and name.localname in _names()
    return name.localname if known else "*"


@functools.cache
def _names() -> frozenset[str]:
    with resources.files("leadbus.contracts").joinpath(_SCHEMA).open("rb") as file:
        elements = etree.parse(file).iter("{http://www.w3.org/2001/XMLSchema}element")
        return frozenset(name for element in elements if (name := element.get("name")))
