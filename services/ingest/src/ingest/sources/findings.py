"""What is to be said about a payload before it is brought."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from leadbus.contracts import json_text
from leadbus.web import FieldError
from leadbus.web.failures import field_errors
from pydantic import ValidationError

from ingest.domain.media_type import Form, MediaType

BOM = b"\xef\xbb\xbf"
_WORDS = {
    "value_unread": "not as published: kept as it is beside the lead, in its extras",
    "link_unusable": "not an http or https address: kept as text, no link is made of it",
    "birth_data_left_out": "data of birth: no lead carries it",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """`faults` keep it from becoming a lead; `warnings` are values that will not reach their field."""

    faults: list[FieldError] = field(default_factory=list)
    warnings: list[FieldError] = field(default_factory=list)

    @classmethod
    def of_faults(cls, error: ValidationError) -> Findings:
        """Why a source's reader refused a payload."""
        told = error.errors(include_url=False, include_context=False, include_input=False)
        return cls(faults=field_errors(told))


def warning(location: Sequence[str | int], code: str = "value_unread") -> FieldError:
    """Of a value that the source's reader left out of its field."""
    return field_errors([{"loc": location, "type": code, "msg": _WORDS[code]}])[0]


def of_json(body: bytes, media_type: MediaType, read: Callable[[bytes], list[FieldError]]) -> Findings:
    """What is to be said of a payload of a source that takes JSON alone.

    `read` runs the reader that the normalizer uses itself over the body and returns its warnings; where it
    raises ValidationError, no lead comes of the body.
    """
    if media_type.form is not Form.JSON:
        return Findings(faults=[FieldError("this source takes JSON", "unsupported_type", pointer="")])
    try:
        return Findings(warnings=read(json_text.without_half_pairs(body.removeprefix(BOM))))
    except ValidationError as error:
        return Findings.of_faults(error)
