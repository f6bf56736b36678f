"""A stream of leads on both ways in, by clients that try again until they are told yes.

They know the published contract only: an Idempotency-Key for HTTP, a message id for AMQP.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aio_pika
import httpx2

from tests.guarantees.system import DEALERS, System

LEAD_TYPES = ("ClickForCallBack", "Chat", "TextToChat", "TrackedCall")
_RETRY_SECONDS = 0.2
_PACE_SECONDS = 0.01
_TRY_SECONDS = 5.0


@dataclass
class Stream:
    """`accepted` grows as leads are accepted: a 202, or a confirm of the broker."""

    system: System
    total: int
    accepted: set[str] = field(default_factory=set)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def lead_ids(self) -> list[str]:
        return [f"{self.system.run}-{number:05d}" for number in range(self.total)]

    async def flow(self) -> None:
        """Send all, alternating between the two ways; returns when every one is accepted."""
        by_http, by_queue = self.lead_ids[::2], self.lead_ids[1::2]
        async with httpx2.AsyncClient(timeout=_TRY_SECONDS) as client, asyncio.TaskGroup() as ways:
            for part in range(4):
                ways.create_task(
                    self._send_all(by_http[part::4], lambda lead_id: self._post(client, lead_id))
                )
            ways.create_task(self._send_all(by_queue, _QueueClient(self).publish))

    async def reached(self, count: int) -> None:
        """Returns when `count` leads have been accepted."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.accepted) >= count)

    async def _send_all(self, lead_ids: list[str], send: Callable[[str], Awaitable[bool]]) -> None:
        for lead_id in lead_ids:
            for _ in itertools.count():
                if await send(lead_id):
                    break
                await asyncio.sleep(_RETRY_SECONDS)
            async with self._news:
                self.accepted.add(lead_id)
                self._news.notify_all()
            await asyncio.sleep(_PACE_SECONDS)

    async def _post(self, client: httpx2.AsyncClient, lead_id: str) -> bool:
        try:
            answer = await client.post(
                f"{self.system.stack.services['ingest'].url}/v1/raw/contactatonce",
                content=payload(lead_id),
                headers={
                    "Authorization": f"Bearer {self.system.stack.api_keys['contactatonce']}",
                    "Content-Type": "application/json",
                    "Idempotency-Key": lead_id,
                },
            )
        except httpx2.TransportError:
            return False
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        assert answer.status_code in (200, 202, 503), answer.text
        return answer.status_code != 503


class _QueueClient:
    def __init__(self, stream: Stream) -> None:
        self._url = stream.system.stack.endpoints().publishers["contactatonce"]
        self._connection: aio_pika.abc.AbstractConnection | None = None
        self._exchange: aio_pika.abc.AbstractExchange | None = None

    async def publish(self, lead_id: str) -> bool:
        message = aio_pika.Message(
            payload(lead_id),
            content_type="application/json",
            message_id=lead_id,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        try:
            async with asyncio.timeout(_TRY_SECONDS):
                exchange = self._exchange or await self._connect()
                await exchange.publish(message, "raw.contactatonce", mandatory=True)
        # aio-pika leaks CancelledError out of a publish whose connection died.
        except (
            asyncio.CancelledError,
            TimeoutError,
            OSError,
            aio_pika.exceptions.AMQPException,
            RuntimeError,
        ):
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._exchange = None
            return False
        return True

    async def _connect(self) -> aio_pika.abc.AbstractExchange:
        self._connection = await aio_pika.connect(self._url, timeout=_TRY_SECONDS)
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self._exchange = await channel.get_exchange("leadbus.raw", ensure=False)
        return self._exchange


def payload(lead_id: str) -> bytes:
    """A lead that no other is like, of one of the four types and for one of the dealers."""
    number = int(lead_id.rpartition("-")[2])
    kinds = itertools.cycle(LEAD_TYPES)
    lead_type = next(itertools.islice(kinds, number % len(LEAD_TYPES), None))
    return json.dumps(
        {
            "lead_type": lead_type,
            "lead_id": lead_id,
            "occurred_at": "2026-11-20T09:30:00-06:00",
            "dealer": {"id": DEALERS[number % len(DEALERS)]},
            "customer": {"name": f"Shopper Number{number}", "phone": f"+1312555{number % 10_000:04d}"},
            "vehicle": {"year": "2025", "make": "Kia", "model": "EV9", "status": "new"},
            "comments": f"Lead {lead_id}",
        }
    ).encode()
