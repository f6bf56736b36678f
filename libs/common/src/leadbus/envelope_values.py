"""Values of CloudEvents attributes: what a sender may write, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,12})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_NAME: Final = re.compile(r"[a-z0-9]{1,40}", re.ASCII)
_NAMES_KEPT: Final = 1024
# CloudEvents 1.0, type system: control characters, surrogates and noncharacters are not strings.
_NOT_A_STRING: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_MAX_EXTENSIONS: Final = 50
_MAX_EXTENSION_BYTES: Final = 4096
SHORT_STRING_BYTES: Final = 255
_MAX_BYTES: Final[Mapping[str, int]] = MappingProxyType(
    {
        # Written as AMQP properties too, which hold at most 255 bytes.
        "id": SHORT_STRING_BYTES,
        "type": SHORT_STRING_BYTES,
        "datacontenttype": SHORT_STRING_BYTES,
        "source": 1024,
        "subject": 1024,
        "dataschema": 1024,
    }
)
CONTEXT: Final = frozenset({"specversion", "time", *_MAX_BYTES})


class EnvelopeError(ValueError):
    """The attributes of a message cannot be read.

    ``code`` is ``undecodable`` (a structured body that is not JSON) or ``envelope_invalid``; ``field`` names
    the attribute, or ``headers`` or ``body``; ``detail`` says what is wrong. None of them holds a value of
    the message.
    """

    def __init__(self, code: str, field: str, detail: str) -> None:
        super().__init__(f"{code}: {field}: {detail}")
        self.code = code
        self.field = field
        self.detail = detail


def invalid(field: str, detail: str) -> EnvelopeError:
    return EnvelopeError("envelope_invalid", field, detail)


@lru_cache(_NAMES_KEPT)
def is_name(text: str) -> bool:
    """Whether `text` is an attribute's name. Senders use few of them."""
    return _NAME.fullmatch(text) is not None


def check_all(attributes: Mapping[str, str]) -> None:
    if len(attributes) > _MAX_EXTENSIONS + len(CONTEXT):
        raise invalid("headers", "too many attributes")
    for name in ("id", "source", "type"):
        if not attributes.get(name):
            raise invalid(name, "missing")
    for name, value in attributes.items():
        if not is_name(name):
            raise invalid("headers", "an attribute's name is not made of lower-case letters and digits")
        check_text(name, value)


def optional_text(name: str, value: str | None) -> str | None:
    if value is not None:
        check_text(name, value)
    return value


def check_text(name: str, value: str) -> None:
    ordinary = value.isascii() and value.isprintable()
    if not ordinary and _NOT_A_STRING.search(value):
        raise invalid(name, "holds a control character or a code point that is none")
    limit = _MAX_BYTES.get(name, _MAX_EXTENSION_BYTES)
    if len(value) > limit or (not ordinary and len(value.encode()) > limit):
        raise invalid(name, f"longer than {limit} bytes")


def as_text(name: str, value: object) -> str:
    if type(value) is str:
        return value
    convert = _CANONICAL.get(type(value))
    if convert is None:
        raise invalid(name, f"a {type(value).__name__} is not an attribute's value")
    return convert(name, value)


def _text_of_int(name: str, value: Any) -> str:
    # AMQP's integers have 64 bits at most; longer ones come from structured JSON only.
    if abs(value) >= 2**64:
        raise invalid(name, "number out of range")
    return str(value)


def _text_of_bytes(name: str, value: Any) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise invalid(name, "not UTF-8") from None


_CANONICAL: Final[Mapping[type, Callable[[str, Any], str]]] = MappingProxyType(
    {
        bool: lambda _, value: "true" if value else "false",
        int: _text_of_int,
        bytes: _text_of_bytes,
        bytearray: _text_of_bytes,
        datetime: lambda _, value: utc(value).isoformat().replace("+00:00", "Z"),
    }
)


def parse_time(value: object) -> datetime:
    """RFC 3339 text, an AMQP timestamp, or milliseconds since 1970 as the CloudEvents AMQP binding sends."""
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return _EPOCH + timedelta(milliseconds=value)
        except OverflowError:
            raise invalid("time", "out of range") from None
    text = as_text("time", value)
    if not _RFC3339.fullmatch(text):
        raise invalid("time", "not RFC 3339 with an offset")
    try:
        return utc(datetime.fromisoformat(text.upper()))
    except ValueError:
        raise invalid("time", "no such time") from None


def utc(value: datetime) -> datetime:
    """AMQP timestamps have no zone and mean UTC."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):
        raise invalid("time", "out of range") from None
