"""Looking at a broker over AMQP: exact numbers, now; the management API's are seconds old."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import aiormq
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity


class LookError(Exception):
    """The broker cannot be looked at; the message says why, without the address."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages that nobody was given, and consumers."""

    messages: int
    consumers: int


@dataclass(frozen=True, slots=True)
class Looked:
    """`version` of the server; `depths` of the queues that are there, by name."""

    version: str
    depths: dict[str, Depth]


async def look(amqp_url: str, queues: Iterable[str]) -> Looked:
    """Raises LookError. Changes nothing and needs no right but to use the virtual host."""
    depths = {}
    try:
        async with aiormq.connect(amqp_url) as connection:
            version = connection.server_properties.get("version", b"")
            for queue in queues:
                channel = await connection.channel()
                try:
                    found = await channel.queue_declare(queue, passive=True)
                    await channel.close()
                except ChannelNotFoundEntity:
                    continue  # which closed the channel
                depths[queue] = Depth(found.message_count or 0, found.consumer_count or 0)
    except (AMQPError, OSError, ValueError) as error:
        raise LookError(f"{type(error).__name__}: {_plain(error)}") from error
    return Looked(version.decode() if isinstance(version, bytes) else str(version), depths)


def _plain(error: Exception) -> str:
    """What the broker said; an operating system's words hold the address and may hold more."""
    return str(error) if isinstance(error, AMQPError) else getattr(error, "strerror", None) or ""
