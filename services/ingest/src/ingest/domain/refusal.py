"""Why the door did not take a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Closed vocabulary: problem type on the wire, label in the metrics, word in the log."""

    UNKNOWN_SOURCE = "unknown_source"
    KEY_MISSING = "key_missing"
    KEY_INVALID = "key_invalid"
    KEY_OF_OTHER_SOURCE = "key_of_other_source"
    SOURCE_DISABLED = "source_disabled"
    ACCOUNT_NOT_SERVED = "account_not_served"
    TEST_NOT_ALLOWED = "test_not_allowed"
    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    INCOMPLETE = "incomplete"
    UNSUPPORTED_TYPE = "unsupported_type"
    NOT_JSON = "not_json"
    NOT_XML = "not_xml"
    XML_FORBIDDEN = "xml_forbidden"
    TOO_DEEP = "too_deep"
    HEADER_INVALID = "header_invalid"
    KEY_REUSED = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a body something is wrong: line and column count from 1, byte from 0."""

    line: int
    column: int
    byte: int


class Refusal(Exception):  # noqa: N818 -- an answer of the door, not a fault
    """The request is not taken and nothing of it is stored.

    ``detail`` is for people and never holds a value of the body; ``facts`` are what a program can use,
    such as the limit that was passed.
    """

    def __init__(
        self, reason: Reason, detail: str, position: Position | None = None, **facts: str | int
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.position = position
        self.facts = facts
