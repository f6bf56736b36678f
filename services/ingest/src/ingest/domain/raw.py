"""A raw message: what a sender gave us, byte for byte, and who the sender is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from leadbus.envelope import Envelope

EVENT_TYPE = "raw.received.v1"


@dataclass(frozen=True, slots=True)
class Offer:
    """A checked body at the door, not taken yet. The body shows in no ``repr``.

    ``digest`` is its SHA-256.
    """

    source: str
    account: str
    key_id: str
    content_type: str
    body: bytes
    test: bool
    idempotency_key: str | None
    correlation_id: str | None = None
    traceparent: str | None = None
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.body).digest())

    def __repr__(self) -> str:
        return f"Offer(source={self.source!r}, account={self.account!r}, size_bytes={len(self.body)})"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A raw message that was taken, without its body. ``digest`` is the SHA-256 of the body."""

    raw_id: UUID
    source: str
    account: str
    content_type: str
    digest: bytes
    size_bytes: int
    test: bool
    accepted_at: datetime
    published_at: datetime | None = None


def envelope_of(offer: Offer, raw_id: UUID, accepted_at: datetime) -> Envelope:
    """The CloudEvent that carries an accepted body; ``source`` names the door and the account."""
    extensions: dict[str, str] = {}
    if offer.test:
        extensions["test"] = "true"
    if offer.correlation_id is not None:
        extensions["correlationid"] = offer.correlation_id
    if offer.traceparent is not None:
        extensions["traceparent"] = offer.traceparent
    return raw_envelope(offer, raw_id, accepted_at, extensions)


class Content(Protocol):
    """What of a raw message its envelope tells, whichever way it came."""

    @property
    def source(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def body(self) -> bytes: ...


def raw_envelope(
    content: Content, raw_id: UUID, accepted_at: datetime, extensions: Mapping[str, str]
) -> Envelope:
    """The CloudEvent of a raw message; ``extensions`` beside those that every one of ours has."""
    return Envelope(
        id=str(raw_id),
        source=f"/ingest/{content.source}/{content.account}",
        type=EVENT_TYPE,
        time=accepted_at,
        datacontenttype=content.content_type,
        extensions={"account": content.account, "receivedat": accepted_at.isoformat(), **extensions},
        data=content.body,
    )
