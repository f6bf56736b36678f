"""Ids that come out the same however often they are derived. Cases I1.. in the README."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from leadbus.contracts import NAMESPACE
from pydantic_core import to_json

_IN_NAMESPACE = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What tells one lead from another when its source gives no id."""

    occurred_at: datetime | None
    email: str | None
    phone: str | None
    item: str | None
    """Key of the vehicle or product: VIN, stock number, URL or year-make-model."""
    channel: str


def lead_id(source: str, account: str, issuer: str, external_id: str, *, test: bool = False) -> UUID:
    """The lead that `issuer` calls `external_id`, as told by `source` through `account`.

    A test lead is never the real lead of the same id: who tries the way first must not lose the lead that
    follows, and what a test says must not get into a real one.
    """
    return _derive(_kind(test=test), source, account, issuer, external_id)


def lead_id_by_circumstances(source: str, account: str, told: Circumstances, *, test: bool = False) -> UUID:
    """A lead without any id: the same circumstances to the second are the same lead, tests apart."""
    when = told.occurred_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if told.occurred_at else ""
    email = (told.email or "").casefold()
    parts = (source, account, when, email, told.phone or "", told.item or "", told.channel)
    return _derive(_kind(test=test), *parts)


def event_id(lead: UUID, revision: int, event_type: str) -> UUID:
    """The event of this type about this revision; sent again, it is still the same event."""
    return _derive("event", str(lead), str(revision), event_type)


def raw_key(source: str, account: str, wire_id: str, digest: str) -> UUID:
    """One raw message: its identity and its content, so that a reused id keeps a row of its own."""
    return _derive("raw", source, account, wire_id, digest)


def raw_event_id(key: UUID, event_type: str, occasion: int) -> UUID:
    """The `occasion`-th event of this type about one raw message."""
    return _derive("raw-event", str(key), event_type, str(occasion))


def act_id(told_by: str, *proof: str) -> UUID:
    """One act of consent; told again by the same message, page or request it is still the same act."""
    return _derive("consent", told_by, *proof)


def _kind(*, test: bool) -> str:
    return "test lead" if test else "lead"


def _derive(*parts: str) -> UUID:
    """UUIDv5 (RFC 9562) over a JSON list: no separator that a part could contain."""
    digest = _IN_NAMESPACE.copy()
    digest.update(to_json(parts))
    return UUID(bytes=digest.digest()[:16], version=5)
