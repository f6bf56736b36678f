"""JSON or XML: which of the two a body is, and XML as plain values."""

from __future__ import annotations

from typing import Literal

from lxml import etree

from normalizer.domain.rejection import Rejection
from normalizer.sources.charset import UTF8_BOM, utf8

Format = Literal["json", "xml"]
Value = str | list["Value"] | dict[str, "Value"] | None

_JSON = ("application/json", "text/json")
_XML = ("application/xml", "text/xml")
_UNSPOKEN = ("application/octet-stream", "text/plain")


def format_of(body: bytes, content_type: str | None) -> Format:
    """What `content_type` says; where it says nothing, what the first character says.

    Raises Rejection `unsupported_type` for any other declared type.
    """
    media = (content_type or "").partition(";")[0].strip().lower()
    if media in _JSON or media.endswith("+json"):
        return "json"
    if media in _XML or media.endswith("+xml"):
        return "xml"
    if media and media not in _UNSPOKEN:
        raise Rejection("unsupported_type", "neither JSON nor XML by its content type", field="content_type")
    return "xml" if body.removeprefix(UTF8_BOM).lstrip()[:1] == b"<" else "json"


def parse_xml(body: bytes, root: str, content_type: str | None = None) -> dict[str, Value]:
    """The content of the element `root` as plain values.

    Names lose their namespace, attributes become `name@attribute` beside their element, repeated
    elements become a list, an empty element None. No entity is expanded and nothing is fetched.
    Raises Rejection: `xml_forbidden` for a DOCTYPE or an entity of the sender's own, `undecodable`
    for what is not well-formed, `payload_invalid` for another root.
    """
    element = _root(utf8(body, content_type))
    if _name(element) != root:
        raise Rejection("payload_invalid", f"the root element is not <{root}>", kind="element")
    value = _value(element)
    fields = value if isinstance(value, dict) else {}
    for attribute, text in element.attrib.items():
        _add(fields, f"@{etree.QName(attribute).localname}", str(text))
    return fields


def _root(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        element = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        undeclared = getattr(error, "code", None) == etree.ErrorTypes.ERR_UNDECLARED_ENTITY
        if undeclared or b"<!DOCTYPE" in body:
            raise Rejection("xml_forbidden", "it has a DOCTYPE or an entity of its own") from None
        line, column = error.position
        raise Rejection("undecodable", f"not well-formed XML at line {line}, column {column}") from None
    except (ValueError, AssertionError):
        raise Rejection("undecodable", "not XML") from None
    if element.getroottree().docinfo.internalDTD is not None:
        raise Rejection("xml_forbidden", "it has a DOCTYPE")
    return element


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname


def _value(element: etree._Element) -> Value:
    if len(element) == 0:
        return (element.text or "").strip() or None
    fields: dict[str, Value] = {}
    for child in element:
        _add(fields, _name(child), _value(child))
        for attribute, text in child.attrib.items():
            _add(fields, f"{_name(child)}@{etree.QName(attribute).localname}", str(text))
    stray = " ".join(part.strip() for part in (element.text, *(child.tail for child in element)) if part)
    if stray.strip():
        _add(fields, "#text", stray.strip())
    return fields


def _add(fields: dict[str, Value], name: str, value: Value) -> None:
    if name not in fields:
        fields[name] = value
        return
    known = fields[name]
    # In place: copied for every element, a hostile list takes minutes.
    if isinstance(known, list):
        known.append(value)
    else:
        fields[name] = [known, value]
