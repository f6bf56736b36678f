"""From a message off the queue, or out of the store, to a raw message with an identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, get_args

from leadbus.contracts.raw import RawAttributes, source_of
from leadbus.contracts.vocabulary import QuarantineReason
from leadbus.envelope import DIRECT_ACCOUNT, Envelope, EnvelopeError, Properties, decode, raw_attributes
from leadbus.messages import IncomingMessage

from normalizer.domain import escaping
from normalizer.domain.identity import raw_key
from normalizer.domain.raw import UNKNOWN_SOURCE, Raw
from normalizer.domain.rejection import Rejection
from normalizer.domain.way import Way

_DEAD_LETTER_MARKS = ("x-death", "x-first-death", "x-last-death")
_LONGEST_ACCOUNT_BYTES = 255
_PROPERTIES = tuple(field.name for field in fields(Properties))
_NAMES_KEPT = 1024
_REASONS = frozenset(get_args(QuarantineReason))


@dataclass(frozen=True, slots=True)
class Limits:
    """What is not even looked into."""

    body_bytes: int


def receive(message: IncomingMessage, limits: Limits, now: datetime) -> Raw:
    """The identity of `message`; whatever is wrong with the message itself is its `rejection`.

    Raises nothing: what cannot be decoded is known by the digest of its body.
    """
    source = source_of(message.routing_key)
    try:
        envelope = decode(message)
        _check_account(envelope)
        attributes = raw_attributes(source, envelope) if source else None
    except EnvelopeError as error:
        raw = _unread(message, source, now)
        return replace(raw, rejection=_of_message(message, limits) or _of_envelope(error))
    return _raw(message, source or UNKNOWN_SOURCE, envelope, attributes, now, _of_message(message, limits))


def receive_again(kept: Raw, limits: Limits) -> Raw:
    """A kept raw message under today's rules, its identity as it was.

    A person asked for it, so marks of a foreign sender do not count any more.
    """
    message = _message(kept)
    too_large = _too_large(message, limits)
    try:
        envelope = decode(message)
    except EnvelopeError as error:
        return replace(kept, rejection=too_large or _of_envelope(error))
    return replace(
        kept,
        data=envelope.data,
        content_type=envelope.datacontenttype,
        way=Way.told(kept.account, {**_way_of_part(kept), **envelope.extensions}),
        rejection=too_large,
    )


def as_poison(message: IncomingMessage, limits: Limits, now: datetime, error: Exception) -> Raw:
    """A message that cannot be handled; only the error's class is told."""
    try:
        raw = receive(message, limits, now)
    except Exception:  # noqa: BLE001 -- it may be what failed; the bytes are to be kept all the same
        raw = _unread(message, source_of(message.routing_key), now)
    return replace(raw, rejection=raw.rejection or failed(error))


def failed(error: Exception) -> Rejection:
    """The verdict on a message that our own code fails on."""
    return Rejection("undecodable", f"failed with {type(error).__name__}")


def _raw(
    message: IncomingMessage,
    source: str,
    envelope: Envelope,
    attributes: RawAttributes | None,
    now: datetime,
    rejection: Rejection | None,
) -> Raw:
    account = attributes.account if attributes else envelope.extensions.get("account", DIRECT_ACCOUNT)
    digest = _digest(envelope.data)
    return Raw(
        key=raw_key(source, account, envelope.id, digest),
        source=source,
        account=account,
        wire_id=envelope.id,
        digest=digest,
        body=message.body,
        data=envelope.data,
        attributes=_attributes(message),
        content_type=envelope.datacontenttype,
        received_at=_at_the_door(attributes, now),
        way=Way.told(account, envelope.extensions),
        test=bool(attributes and attributes.test),
        trial=bool(attributes and attributes.trial),
        bare=envelope.extensions.get("bare") == "true",
        rejection=rejection,
    )


def _at_the_door(attributes: RawAttributes | None, now: datetime) -> datetime:
    """When our first service saw it; a direct publisher's clock does not send it into the future."""
    told = attributes.received_at if attributes else None
    return min(told, now) if told else now


def _unread(message: IncomingMessage, source: str | None, now: datetime) -> Raw:
    digest = _digest(message.body)
    named = source or UNKNOWN_SOURCE
    return Raw(
        key=raw_key(named, DIRECT_ACCOUNT, digest, digest),
        source=named,
        account=DIRECT_ACCOUNT,
        wire_id=digest,
        digest=digest,
        body=message.body,
        data=message.body,
        attributes=_attributes(message),
        content_type=None,
        received_at=now,
        bare=True,
    )


def _check_account(envelope: Envelope) -> None:
    """It is part of the identity, and an index cannot hold any length."""
    if len(envelope.extensions.get("account", "").encode()) > _LONGEST_ACCOUNT_BYTES:
        raise EnvelopeError("envelope_invalid", "account", f"more than {_LONGEST_ACCOUNT_BYTES} bytes")


def _of_message(message: IncomingMessage, limits: Limits) -> Rejection | None:
    if source_of(message.routing_key) is None:
        return Rejection("source_unknown", "the routing key names no source", field="routing_key")
    return _too_large(message, limits) or _foreign(message)


def _too_large(message: IncomingMessage, limits: Limits) -> Rejection | None:
    if len(message.body) <= limits.body_bytes:
        return None
    return Rejection("too_large", f"more than {limits.body_bytes} bytes", field="body")


def _foreign(message: IncomingMessage) -> Rejection | None:
    """Marks that no publisher of leads has a reason to set; they are never acted upon."""
    if message.unreadable is not None:
        return Rejection("envelope_invalid", "not valid AMQP", field="properties")
    if any(map(_marks_a_dead_letter, message.headers)):
        return Rejection("foreign_message", "it claims to be a dead letter", field="headers.x-death")
    if message.reply_to is not None:
        return Rejection("foreign_message", "it asks for a reply", field="reply_to")
    return None


@lru_cache(_NAMES_KEPT)
def _marks_a_dead_letter(header: object) -> bool:
    return str(header).lower().startswith(_DEAD_LETTER_MARKS)


def _of_envelope(error: EnvelopeError) -> Rejection:
    reason: Any = error.code if error.code in _REASONS else "envelope_invalid"
    return Rejection(reason, error.detail, field=error.field)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _attributes(message: IncomingMessage) -> str:
    told: dict[str, Any] = {
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "user_id": message.user_id,
        "reply_to": message.reply_to,
        "properties": {name: getattr(message.properties, name) for name in _PROPERTIES},
    }
    try:
        return escaping.dump({**told, "headers": dict(message.headers)})
    except ValueError:
        return escaping.dump({**told, "headers": {}, "headers_left_out": "nested too deep"})


def _way_of_part(raw: Raw) -> Mapping[str, str]:
    """What the whole told of its way, where `raw` is a part of it (`parting`)."""
    told: Mapping[str, Mapping[str, str]] = escaping.load(raw.attributes)
    return told.get("way", {})


def _message(raw: Raw) -> IncomingMessage:
    told: Mapping[str, Any] = escaping.load(raw.attributes)
    return IncomingMessage(
        body=raw.body,
        exchange=told["exchange"],
        routing_key=told["routing_key"],
        headers=told["headers"],
        properties=Properties(**told["properties"]),
        redelivered=False,
        delivery_count=0,
        delivery_tag=0,
        user_id=told["user_id"],
        reply_to=told["reply_to"],
    )
