"""What lies in a holding queue, as an operator is shown it: who it is and why it lies there, no content."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from leadbus.parked.held import Held, shown
from leadbus.parked.reader import HoldingReader, Walk

MOST_MESSAGES = 5_000
MOST_BYTES = 64 * 1024 * 1024
"""How deep a look goes. Where more lies, it is a part of it, and not always the same."""

_AT_ONCE = 100
_PREFIXES = ("cloudevents_", "cloudevents:", "ce-")
_SHOWN = frozenset(
    {"id", "source", "type", "time", "specversion", "account", "receivedat", "test", "trial", "correlationid"}
)
"""Attributes that say what a message is. Others, such as a subject, may say whom it is about."""
_REASONS = frozenset({"rejected", "delivery_limit", "expired", "maxlen"})


class Death(BaseModel):
    """How it was dead-lettered. On RabbitMQ 3.10 its sender may have written this; nothing depends on it."""

    reason: str | None = Field(description="rejected, delivery_limit, expired, maxlen; null: something else.")
    at: datetime | None
    count: int | None


class HeldMessage(BaseModel):
    """A message without its content."""

    id: str = Field(description="From message id and body; copies share it. Names it in redrive and discard.")
    position: int = Field(description="Place in the queue at this look, 0 is the oldest.")
    message_id: str | None
    exchange: str = Field(description="The exchange it came through.")
    routing_key: str = Field(description="As the broker checked it when it was published.")
    size_bytes: int
    digest: str = Field(description="SHA-256 of the body.")
    content_type: str | None
    type: str | None
    app_id: str | None
    user_id: str | None = Field(
        description="Broker user of the sender, checked by the broker; often not set."
    )
    timestamp: datetime | None
    death: Death | None
    attributes: dict[str, str] = Field(description="CloudEvents attributes that name no person.")
    other_headers: list[str] = Field(description="Names of further headers, not their values.")
    unreadable: str | None = Field(description="Why its properties cannot be read.")
    refusal: str | None = Field(description="Code of why a redrive would refuse it; null: it would try.")


@dataclass(frozen=True, slots=True)
class Looked:
    """``depth`` counts what was there; ``more``: there is something behind what is shown, within reach."""

    messages: list[HeldMessage]
    depth: int
    more: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """All that a look met: ``ids``, copies as often as they lie there; ``some`` of it; ``depth`` as above."""

    ids: list[str]
    some: list[HeldMessage]
    depth: int


class Looker:
    """Looks into one holding queue. ``refusal`` says why a redrive would refuse a message."""

    def __init__(self, reader: HoldingReader, queue: str, refusal: Any) -> None:
        self._reader = reader
        self._queue = queue
        self._refusal = refusal

    async def depth(self) -> int:
        """Raises BrokerAway, NoQueue, as everything here."""
        return await self._reader.depth(self._queue)

    async def look(self, *, skip: int, limit: int) -> Looked:
        """Up to ``limit`` messages after the first ``skip``, each described; the queue is as before."""
        found: list[HeldMessage] = []
        met = 0
        async with self._reader.looks, self._reader.walk(self._queue) as walk:
            async for met, held in _within_reach(walk):
                if skip < met <= skip + limit:
                    found.append(self.described(held, met - 1))
            depth = met + await walk.depth()
        return Looked(found, depth, more=met > skip + limit)

    async def reach(self, *, some: int) -> Reach:
        """All within reach by their ids, the first ``some`` of them described."""
        ids: list[str] = []
        described: list[HeldMessage] = []
        async with self._reader.looks, self._reader.walk(self._queue) as walk:
            async for met, held in _within_reach(walk):
                ids.append(held.id)
                if met <= some:
                    described.append(self.described(held, met - 1))
            depth = len(ids) + await walk.depth()
        return Reach(ids, described, depth)

    async def find(self, wanted: frozenset[str]) -> list[HeldMessage]:
        """All within reach that have one of these ids."""
        found: list[HeldMessage] = []
        async with self._reader.looks, self._reader.walk(self._queue) as walk:
            async for met, held in _within_reach(walk):
                if held.id in wanted:
                    found.append(self.described(held, met - 1))
        return found

    async def body(self, id_: str) -> bytes | None:
        """The bytes of one within reach that has this id."""
        body: bytes | None = None
        async with self._reader.looks, self._reader.walk(self._queue) as walk:
            async for _, held in _within_reach(walk):
                if held.id == id_:
                    body = held.message.body
        return body

    def described(self, held: Held, position: int) -> HeldMessage:
        message, properties = held.message, held.message.properties
        attributes, others = _headers(message.headers)
        return HeldMessage(
            id=held.id,
            position=position,
            message_id=shown(properties.message_id),
            exchange=message.exchange,
            routing_key=shown(message.routing_key) or "",
            size_bytes=held.size_bytes,
            digest=held.digest,
            content_type=shown(properties.content_type),
            type=shown(properties.type),
            app_id=shown(properties.app_id),
            user_id=shown(message.user_id),
            timestamp=properties.timestamp,
            death=_death(message.headers.get("x-death")),
            attributes=attributes,
            other_headers=others,
            unreadable=message.unreadable,
            refusal=self._refusal(message),
        )


async def _within_reach(walk: Walk) -> AsyncIterator[tuple[int, Held]]:
    """The messages a look gets to see, counted from 1.

    Always all of them, whichever is looked for: a quorum queue puts what is given back behind what was given
    back before, so that looks of different depth would turn the order round and round.
    """
    met = size_bytes = 0
    while met < MOST_MESSAGES and size_bytes < MOST_BYTES:
        taken = await walk.take(min(_AT_ONCE, MOST_MESSAGES - met))
        if not taken:
            return
        for held in taken:
            met += 1
            size_bytes += held.size_bytes
            yield met, held


def _headers(headers: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    attributes: dict[str, str] = {}
    others: list[str] = []
    for name, value in headers.items():
        attribute = _attribute(name)
        if attribute in _SHOWN and isinstance(value, str | int | datetime):
            attributes[attribute] = shown(str(value)) or ""
        elif not name.startswith("x-"):
            others.append(shown(name) or "")
    return attributes, sorted(others)[:50]


def _attribute(name: str) -> str:
    lowered = name.lower()
    for prefix in _PREFIXES:
        if lowered.startswith(prefix):
            return lowered.removeprefix(prefix)
    return lowered if lowered == "account" else ""


def _death(told: Any) -> Death | None:
    """The latest entry, of which nothing is taken for granted."""
    if not isinstance(told, list) or not told or not isinstance(told[0], Mapping):
        return None
    reason, at, count = (told[0].get(name) for name in ("reason", "time", "count"))
    return Death(
        reason=reason if isinstance(reason, str) and reason in _REASONS else None,
        at=at if isinstance(at, datetime) else None,
        count=count if isinstance(count, int) and abs(count) < 2**53 else None,
    )
