"""ContactAtOnce: a body against the published contract, for publishers who try their first message."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from leadbus.contracts import json_text
from leadbus.contracts.contactatonce import ContactAtOnceLead
from leadbus.web import FieldError
from leadbus.web.failures import field_errors
from pydantic import ValidationError

from ingest.domain.media_type import Form, MediaType

_ENTRIES = {"vehicles": "vehicle", "transcript": "line"}
_BOM = b"\xef\xbb\xbf"


def faults(body: bytes, media_type: MediaType) -> list[FieldError]:
    """What the normalizer would quarantine the body for; empty when it would read it.

    ``body`` is well-formed and without a DOCTYPE already. Fields that the contract does not list are none.
    """
    try:
        if media_type.form is Form.JSON:
            ContactAtOnceLead.model_validate_json(json_text.without_half_pairs(body.removeprefix(_BOM)))
            return []
        root = _root(body, media_type.charset)
        if _name(root) != "lead":
            return [FieldError("the root element is not <lead>", "root_element", pointer="")]
        ContactAtOnceLead.model_validate(_fields(root))
    except ValidationError as error:
        return field_errors(error.errors(include_url=False, include_context=False, include_input=False))
    return []


def _root(body: bytes, charset: str | None) -> ET.Element:
    marked = body.startswith((_BOM, b"\xfe\xff", b"\xff\xfe"))
    parser = ET.XMLParser(encoding=None if marked else charset)  # noqa: S314 -- the door refused every DOCTYPE
    return ET.fromstring(body, parser)  # noqa: S314


def _fields(element: ET.Element) -> dict[str, Any]:
    told: dict[str, list[Any]] = {}
    for child in element:
        told.setdefault(_name(child), []).append(_value(child))
    # What stands twice is a list, and no field of the contract takes one in that place.
    fields = {name: values if len(values) > 1 else values[0] for name, values in told.items()}
    return {name: value for name, value in fields.items() if value is not None}


def _value(element: ET.Element) -> Any:
    entry = _ENTRIES.get(_name(element))
    if entry is not None:
        return [_fields(child) for child in element if _name(child) == entry]
    return _fields(element) if len(element) else (element.text or "").strip() or None


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
