"""ContactAtOnce: a body against the published contract, for publishers who try their first message."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from leadbus.contracts import json_text
from leadbus.contracts.contactatonce_reading import Reading, read_json, read_xml
from leadbus.web import FieldError
from pydantic import ValidationError

from ingest.domain.media_type import Form, MediaType
from ingest.sources.findings import BOM, Findings, warning


def check(body: bytes, media_type: MediaType) -> Findings:
    """What the normalizer would make of the body, found by the reader that it uses itself.

    ``body`` is well-formed and without a DOCTYPE already. Fields beside the contract are no finding.
    """
    try:
        if media_type.form is Form.JSON:
            return _findings(read_json(json_text.without_half_pairs(body.removeprefix(BOM))))
        root = _root(body, media_type.charset)
        if _name(root) != "lead":
            fault = FieldError("the root element is not <lead>", "root_element", pointer="")
            return Findings(faults=[fault])
        fields = _value(root)
        return _findings(read_xml(fields if isinstance(fields, dict) else {}))
    except ValidationError as error:
        return Findings.of_faults(error)


def _findings(reading: Reading) -> Findings:
    return Findings(warnings=[warning(unread.location, unread.code) for unread in reading.unread])


def _root(body: bytes, charset: str | None) -> ET.Element:
    marked = body.startswith((BOM, b"\xfe\xff", b"\xff\xfe"))
    parser = ET.XMLParser(encoding=None if marked else charset)  # noqa: S314 -- the door refused every DOCTYPE
    return ET.fromstring(body, parser)  # noqa: S314


def _value(element: ET.Element) -> Any:
    if len(element) == 0:
        return (element.text or "").strip() or None
    told: dict[str, list[Any]] = {}
    for child in element:
        told.setdefault(_name(child), []).append(_value(child))
    return {name: values if len(values) > 1 else values[0] for name, values in told.items()}


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
