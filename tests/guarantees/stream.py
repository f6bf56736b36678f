"""A stream of leads on both ways in, by clients that try again until they are told yes.

They know the published contract only: an Idempotency-Key for HTTP, a message id for AMQP.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

import aio_pika
import httpx2

from tests.guarantees.fates import Fate, dealer_of, fate_of
from tests.guarantees.system import System

LEAD_TYPES = ("ClickForCallBack", "Chat", "TextToChat", "TrackedCall")
_RETRY_SECONDS = 0.2
_TRY_SECONDS = 5.0
_PATIENCE_SECONDS = 150.0
_HTTP_CLIENTS = 3


@dataclass
class Stream:
    """`accepted` grows as leads are accepted: a 202, or a confirm of the broker.

    `total` leads, or leads until `end`. `varied`: three of ten have another fate than a mail. Even numbers
    come by HTTP, odd ones through the queue; `pace_seconds` lies between two leads of one client.
    """

    system: System
    total: int | None = None
    varied: bool = False
    pace_seconds: float = 0.01
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    accepted: set[str] = field(default_factory=set)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: bool = False
    _in_hand: int = 0

    async def flow(self) -> None:
        """Send until all are accepted, or until `end` and what was begun by then is accepted."""
        self._open.set()
        by_http = self._lead_ids(0)
        async with httpx2.AsyncClient(timeout=_TRY_SECONDS) as client, asyncio.TaskGroup() as ways:
            http = _HttpClient(self.system, client)
            for _ in range(_HTTP_CLIENTS):
                ways.create_task(self._send_all(by_http, http.post))
            ways.create_task(self._send_all(self._lead_ids(1), _QueueClient(self.system).publish))

    @contextlib.asynccontextmanager
    async def flowing(self) -> AsyncIterator[Stream]:
        """The stream flows while the body runs; at the end everything that was begun is accepted."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.flow())
            yield self
            self.end()

    def end(self) -> None:
        self._ended = True
        self._open.set()

    async def pause(self) -> None:
        """Begin nothing more; returns when what was begun is accepted."""
        self._open.clear()
        async with asyncio.timeout(_PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: self._in_hand == 0)

    def go_on(self) -> None:
        self._open.set()

    async def reached(self, count: int) -> None:
        """Returns when `count` leads have been accepted. AssertionError when that takes too long."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._news:
                await self._news.wait_for(lambda: len(self.accepted) >= count)
        except TimeoutError:
            raise AssertionError(f"only {len(self.accepted)} leads were accepted, not {count}") from None

    async def more(self, count: int) -> None:
        """Returns when `count` further leads have been accepted."""
        await self.reached(len(self.accepted) + count)

    def fate(self, lead_id: str) -> Fate:
        """What has to become of an accepted lead."""
        return fate_of(_number(lead_id), varied=self.varied)

    def _lead_ids(self, first: int) -> Iterator[str]:
        for number in itertools.count(first, 2):
            if self._ended or (self.total is not None and number >= self.total):
                return
            yield f"{self.run}-{number:05d}"

    async def _send_all(self, lead_ids: Iterator[str], send: Callable[[str, bytes], Awaitable[bool]]) -> None:
        while True:
            await self._open.wait()
            if (lead_id := next(lead_ids, None)) is None:
                return
            await self._send(lead_id, send)
            await asyncio.sleep(self.pace_seconds)

    async def _send(self, lead_id: str, send: Callable[[str, bytes], Awaitable[bool]]) -> None:
        body = payload(lead_id, dealer_of(_number(lead_id), varied=self.varied))
        self._in_hand += 1
        while not await send(lead_id, body):  # noqa: ASYNC110 -- the other side rings no bell
            await asyncio.sleep(_RETRY_SECONDS)
        async with self._news:
            self._in_hand -= 1
            self.accepted.add(lead_id)
            self._news.notify_all()


class _HttpClient:
    """Any replica of ingest, another one at every try."""

    def __init__(self, system: System, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._urls = itertools.cycle([process.url for process in system.stack.replicas_of("ingest")])
        self._key = system.stack.api_keys["contactatonce"]

    async def post(self, lead_id: str, body: bytes) -> bool:
        try:
            answer = await self._client.post(
                f"{next(self._urls)}/v1/raw/contactatonce",
                content=body,
                headers={
                    "Authorization": f"Bearer {self._key}",
                    "Content-Type": "application/json",
                    "Idempotency-Key": lead_id,
                },
            )
        except httpx2.TransportError:
            return False
        assert answer.status_code in (200, 202, 503), f"{lead_id}: {answer.status_code} {answer.text}"
        return answer.status_code != 503


class _QueueClient:
    def __init__(self, system: System) -> None:
        self._url = system.stack.endpoints().publishers["contactatonce"]
        self._connection: aio_pika.abc.AbstractConnection | None = None
        self._exchange: aio_pika.abc.AbstractExchange | None = None

    async def publish(self, lead_id: str, body: bytes) -> bool:
        message = aio_pika.Message(
            body,
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
            await self._disconnect()
            return False
        return True

    async def _connect(self) -> aio_pika.abc.AbstractExchange:
        self._connection = await aio_pika.connect(self._url, timeout=_TRY_SECONDS)
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self._exchange = await channel.get_exchange("leadbus.raw", ensure=False)
        return self._exchange

    async def _disconnect(self) -> None:
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            await asyncio.wait([asyncio.ensure_future(connection.close())], timeout=1)


def payload(lead_id: str, dealer: str | None = None) -> bytes:
    """A lead that no other is like, of one of the four types and for one of the dealers."""
    number = _number(lead_id)
    return json.dumps(
        {
            "lead_type": LEAD_TYPES[number % len(LEAD_TYPES)],
            "lead_id": lead_id,
            "occurred_at": "2026-11-20T09:30:00-06:00",
            "dealer": {"id": dealer or dealer_of(number, varied=False)},
            "customer": {"name": f"Shopper Number{number}", "phone": _phone(lead_id)},
            "vehicle": {"year": "2025", "make": "Kia", "model": "EV9", "status": "new"},
            "comments": f"Lead {lead_id}",
        }
    ).encode()


def _phone(lead_id: str) -> str:
    """A number that no lead of any other run gives: leads of one person are linked, and not ordinary."""
    drawn = int(sha256(lead_id.encode()).hexdigest(), 16)
    return f"+1312{2 + drawn % 8}{2 + drawn // 8 % 8}{drawn // 64 % 100_000:05d}"


def _number(lead_id: str) -> int:
    return int(lead_id.rpartition("-")[2])
