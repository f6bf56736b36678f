"""Raw messages: a source's own bytes on ``leadbus.raw``, key ``raw.<source>``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from leadbus.contracts.vocabulary import SOURCES, Source
from leadbus.contracts.wire import Text, WireModel

_PREFIX = "raw."


def raw_routing_key(source: str) -> str:
    """``raw.<source>``; ValueError when there is no such source."""
    if source not in SOURCES:
        raise ValueError("no such source")
    return f"{_PREFIX}{source}"


def source_of(routing_key: str) -> str | None:
    """The source that a routing key proves, or None. The broker lets each publisher use only its own key."""
    source = routing_key.removeprefix(_PREFIX)
    return source if source in SOURCES and routing_key != source else None


class RawIdentity(WireModel):
    """What a raw message is known by: the same identity with another body is ``id_reused``."""

    source: Text
    """The source that the routing key proved."""
    account: Text
    """Which subscription, connection, project, mailbox, API key or broker user it came through."""
    id: Annotated[Text, Field(min_length=1, max_length=255)]
    """CloudEvents id; for a bare body the digest of source and body."""


class RawAttributes(WireModel):
    """CloudEvents attributes of a raw message beside the standard ones."""

    source: Source
    """The source that the routing key proved."""
    account: Text
    """Which subscription, connection, project, mailbox, API key or broker user it came through."""
    received_at: AwareDatetime | None = None
    """When the first of our services saw it (attribute ``receivedat``); absent from a direct publisher."""
    trial: bool = False
    """Map and report, never emit."""
    test: bool = False
    """A test lead."""
    categories: tuple[Text, ...] = ()
    """VirtualExpo: what the subscription selected (attribute ``categories``, comma-separated)."""
    location: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    """Dealer reference of the address it came through (attribute ``location``), for a body without."""
    location_always: bool = False
    """That reference counts also where the body tells another (attribute ``locationalways``)."""
    letters: bool = False
    """A person's own mail is a lead (attribute ``letters``)."""
    snapshot: Text | None = None
    """Feeds: id of the complete file this is part of."""
    chunk: Annotated[int, Field(ge=1)] | None = None
    """Feeds: which part, from 1."""
