"""CloudEvents 1.0 on RabbitMQ: accepted in every form that is in use, emitted in one.

Accepted: binary with ``cloudEvents_`` or ``cloudEvents:`` headers (the AMQP binding), binary with ``ce-``
headers (the RabbitMQ binding that Knative uses), structured ``application/cloudevents+json``, bare bodies.
Emitted: binary with ``cloudEvents_`` headers. Nothing is read from ``x-*`` headers or ``reply_to``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Protocol

from pydantic import ValidationError

from leadbus.contracts.raw import RawAttributes, source_of
from leadbus.envelope_values import (
    CONTEXT,
    SHORT_STRING_BYTES,
    EnvelopeError,
    as_text,
    check_all,
    check_text,
    invalid,
    is_name,
    optional_text,
    parse_time,
    utc,
)
from leadbus.json_members import NotAnObjectError, members

__all__ = [
    "DIRECT_ACCOUNT",
    "Envelope",
    "EnvelopeError",
    "Properties",
    "Received",
    "decode",
    "encode",
    "raw_attributes",
]

DIRECT_ACCOUNT: Final = "direct"
"""Account of a raw message whose publisher named none."""

_SPEC_VERSION: Final = "1.0"
_EMITTED_PREFIX: Final = "cloudEvents_"
_PREFIXES: Final = ("cloudevents_", "cloudevents:", "ce-")
_HEADERS_KEPT: Final = 1024
_STRUCTURED: Final = "application/cloudevents"
_STRUCTURED_JSON: Final = "application/cloudevents+json"
_JSON_TYPE: Final = re.compile(r"^[^;]*(/|\+)json\s*(;|$)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One CloudEvent.

    ``time`` is aware. ``extensions`` are strings by lower-case name: ``account``, ``receivedat``, ``test``,
    ``trial``, ``categories``, ``location``, ``locationalways``, ``letters``, ``snapshot``, ``chunk``,
    ``correlationid``, ``causationid``, ``traceparent`` and what else a sender adds. ``data`` is the body
    untouched.
    """

    id: str
    source: str
    type: str
    time: datetime | None = None
    subject: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Properties:
    """AMQP properties that Leadbus reads and writes. ``reply_to`` is not among them."""

    content_type: str | None = None
    message_id: str | None = None
    correlation_id: str | None = None
    timestamp: datetime | None = None
    type: str | None = None
    app_id: str | None = None


class Received(Protocol):
    """What ``decode`` reads of a message; ``user_id`` was checked by the broker."""

    @property
    def headers(self) -> Mapping[str, Any]: ...
    @property
    def properties(self) -> Properties: ...
    @property
    def routing_key(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def user_id(self) -> str | None: ...


def encode(envelope: Envelope, *, app_id: str | None = None) -> tuple[dict[str, Any], Properties]:
    """Headers and properties of the binary form; the body is ``envelope.data``.

    Every header is a string, ``time`` in RFC 3339 and UTC. Raises EnvelopeError for an envelope that no
    receiver would accept.
    """
    attributes = dict(envelope.extensions)
    if CONTEXT & attributes.keys():
        raise invalid("extensions", "an extension has the name of a context attribute")
    attributes |= {"id": envelope.id, "source": envelope.source, "type": envelope.type}
    optional = {"subject": envelope.subject, "dataschema": envelope.dataschema}
    attributes |= {name: value for name, value in optional.items() if value is not None}
    time = None if envelope.time is None else utc(envelope.time)
    check_all(attributes)
    if envelope.datacontenttype is not None:
        check_text("datacontenttype", envelope.datacontenttype)
    headers: dict[str, Any] = {f"{_EMITTED_PREFIX}specversion": _SPEC_VERSION}
    headers |= {f"{_EMITTED_PREFIX}{name}": value for name, value in attributes.items()}
    if time is not None:
        headers[f"{_EMITTED_PREFIX}time"] = time.isoformat().replace("+00:00", "Z")
    correlation_id = envelope.extensions.get("correlationid")
    if correlation_id is not None and len(correlation_id.encode()) > SHORT_STRING_BYTES:
        correlation_id = None
    return headers, Properties(
        content_type=envelope.datacontenttype,
        message_id=envelope.id,
        correlation_id=correlation_id,
        timestamp=time,
        type=envelope.type,
        app_id=app_id,
    )


def decode(message: Received) -> Envelope:
    """The envelope of a message in any accepted form; raises EnvelopeError and nothing else.

    A bare body gets the digest of source and body as id, and ``extensions["bare"] == "true"``. An account is
    taken from the extension, else from the header ``account``, else from the user the broker checked. A bare
    body may be marked as a test by the header ``test``.
    """
    content_type = optional_text("datacontenttype", message.properties.content_type)
    if content_type is not None and content_type.lower().startswith(_STRUCTURED):
        return _structured(message, content_type)
    attributes = _header_attributes(message.headers)
    if not attributes:
        return _bare(message, content_type)
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    return _envelope(attributes, message, message.body)


def raw_attributes(source: str, envelope: Envelope) -> RawAttributes:
    """Our attributes of a raw message whose routing key proved ``source``; EnvelopeError if unreadable."""
    extensions = envelope.extensions
    named = {
        "source": source,
        "account": extensions.get("account") or DIRECT_ACCOUNT,
        "received_at": extensions.get("receivedat"),
        "trial": extensions.get("trial", "false"),
        "test": extensions.get("test", "false"),
        "categories": [word.strip() for word in extensions.get("categories", "").split(",") if word.strip()],
        "location": extensions.get("location"),
        "location_always": extensions.get("locationalways", "false"),
        "letters": extensions.get("letters", "false"),
        "snapshot": extensions.get("snapshot"),
        "chunk": extensions.get("chunk"),
    }
    try:
        return RawAttributes.model_validate(named)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        name = str(first["loc"][0]).replace("_", "")
        raise invalid(name, str(first["type"])) from None


def _structured(message: Received, content_type: str) -> Envelope:
    if content_type.partition(";")[0].strip().lower() != _STRUCTURED_JSON:
        raise invalid("datacontenttype", "the only structured format read is JSON, one event per message")
    try:
        found = members(message.body)
    except NotAnObjectError as error:
        raise EnvelopeError("undecodable", "body", str(error)) from None
    plain = {name: member.value for name, member in found.items() if name not in {"data", "data_base64"}}
    attributes = _attributes(plain.items())
    if "data" in found and "data_base64" in found:
        raise invalid("data", "given twice, as data and as data_base64")
    data = b""
    if "data_base64" in found:
        data = _from_base64(found["data_base64"].value)
    elif "data" in found:
        declared = attributes.setdefault("datacontenttype", "application/json")
        member = found["data"]
        is_text = isinstance(member.value, str) and not _JSON_TYPE.match(str(declared))
        data = _utf8("data", member.value) if is_text else member.text.encode()
    return _envelope(attributes, message, data)


def _from_base64(value: object) -> bytes:
    if not isinstance(value, str):
        raise invalid("data_base64", "not a string")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("data_base64", "not base64") from None


def _utf8(field: str, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise invalid(field, "not encodable as UTF-8") from None


def _bare(message: Received, content_type: str | None) -> Envelope:
    source = source_of(message.routing_key) or "unknown"
    timestamp = message.properties.timestamp
    test = _test(message)
    # A test and the real message after it are two, however equal their bodies.
    marks = (source, *test)
    return Envelope(
        id=hashlib.sha256("\0".join((*marks, "")).encode() + message.body).hexdigest(),
        source=source,
        type=f"raw.{source}",
        time=None if timestamp is None else utc(timestamp),
        datacontenttype=content_type,
        extensions=MappingProxyType({**_account(message), **test, "bare": "true"}),
        data=message.body,
    )


def _test(message: Received) -> dict[str, str]:
    """A plain header `test` as an account is: a test whose mark is not seen would reach a dealer."""
    named = message.headers.get("test") if message.headers else None
    return {} if named is None else {"test": as_text("test", named)}


def _account(message: Received) -> dict[str, str]:
    named = message.headers.get("account") if message.headers else None
    account = as_text("account", named) if named is not None else message.user_id
    if not account:
        return {}
    check_text("account", account)
    return {"account": account}


def _header_attributes(headers: Mapping[str, Any] | None) -> dict[str, Any]:
    found = list(_prefixed(headers or {}))
    if len({prefix for prefix, _, _ in found}) > 1:
        raise invalid("headers", "two kinds of CloudEvents headers")
    return _attributes((name, value) for _, name, value in found)


def _prefixed(headers: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for key, value in headers.items():
        if isinstance(key, str) and (parts := _parts(key)):
            yield *parts, value


@lru_cache(_HEADERS_KEPT)
def _parts(header: str) -> tuple[str, str] | None:
    """Prefix and attribute in the name of a CloudEvents header; None for any other. Senders use few."""
    lowered = header.lower()
    prefix = next((prefix for prefix in _PREFIXES if lowered.startswith(prefix)), None)
    return (prefix, lowered.removeprefix(prefix)) if prefix else None


def _attributes(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for name, value in pairs:
        if value is None:
            continue
        lowered = name.lower()
        if not is_name(lowered):
            raise invalid("headers", "an attribute's name is not made of letters and digits")
        if lowered in attributes:
            raise invalid(lowered, "given twice")
        attributes[lowered] = value
    return attributes


def _envelope(attributes: dict[str, Any], message: Received, data: bytes) -> Envelope:
    time = attributes.pop("time", None)
    texts = {name: as_text(name, value) for name, value in attributes.items()}
    if texts.pop("specversion", None) != _SPEC_VERSION:
        raise invalid("specversion", f"not {_SPEC_VERSION}")
    check_all(texts)
    extensions = {name: value for name, value in texts.items() if name not in CONTEXT and name != "bare"}
    if "account" not in extensions:
        extensions |= _account(message)
    return Envelope(
        id=texts["id"],
        source=texts["source"],
        type=texts["type"],
        time=None if time is None else parse_time(time),
        subject=texts.get("subject"),
        datacontenttype=texts.get("datacontenttype"),
        dataschema=texts.get("dataschema"),
        extensions=MappingProxyType(extensions),
        data=data,
    )
