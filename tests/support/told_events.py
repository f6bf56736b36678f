"""Events as whoever is interested hears them: a queue of its own on the exchange, read to its end."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import aio_pika
from leadbus.topology import EVENTS_EXCHANGE

_QUEUE = "told-to-a-test"


@dataclass
class ToldEvents:
    """Hears what is told of deliveries after `listen`. `url`: of a user who may configure the broker."""

    url: str
    _heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def listen(self) -> None:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(_QUEUE, durable=True)
            await queue.bind(EVENTS_EXCHANGE, "delivery.#")

    async def of(self, subject_id: str) -> list[tuple[str, str]]:
        """Type and outcome of each, in the order in which they became so."""
        await self._fetch()
        told = [(type_, event) for type_, event in self._heard if event["subject_id"] == subject_id]
        told.sort(key=lambda one: str(one[1]["finished_at"]))
        return [(type_, str(event["outcome"])) for type_, event in told]

    async def _fetch(self) -> None:
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(_QUEUE)
            while (message := await queue.get(no_ack=True, fail=False)) is not None:
                self._heard.append((str(message.routing_key), json.loads(message.body)))
