"""Ingest as a bare loop: what was taken or stored is published, with the product's rows and durability.

A request is an HTTP/1.1 POST with Content-Length, its key and its content are believed. What waits is stored
by one statement (raw and outbox rows), committed, answered 202, published with confirms; then one statement
deletes the outbox rows and marks the raw rows published. Rows that it finds in the outbox are published in
the same way, as many at a time as the product's relay takes.

    python -m tests.bench.bare_ingest <AMQP URL> <database URL> <port>
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast
from uuid import UUID, uuid4

import asyncpg
import uvloop
from ingest.domain.raw import Offer, envelope_of
from leadbus.envelope import Properties
from leadbus.messages import OutgoingMessage, raw_message
from leadbus.outbox.relay import LEADS_PER_CLAIM

from tests.bench import amqp_frames, leads
from tests.bench.amqp_link import Link

BATCH = LEADS_PER_CLAIM
_LOOK_SECONDS = 0.05
_ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

_STORE = """
WITH m AS (
    SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[], $5::text[])
        AS m (raw_id, body, digest, headers, properties)
), kept AS (
    INSERT INTO raw (raw_id, source, account, key_id, content_type, body, digest, size_bytes, test,
                     accepted_at)
    SELECT raw_id, 'contactatonce', 'main', 'bench', 'application/json', body, digest, octet_length(body),
           false, $6
      FROM m
)
INSERT INTO outbox (lane, exchange, routing_key, headers, properties, body, mandatory, subject)
SELECT 0, 'leadbus.raw', 'raw.contactatonce', headers::json, properties::json, body, true, raw_id::text FROM m
RETURNING id, subject
"""
_LOOK = f"""
SELECT id, subject, headers::text, properties::text, body FROM outbox ORDER BY id LIMIT {BATCH}
"""
_PUBLISHED = """
WITH gone AS (DELETE FROM outbox WHERE id = ANY($1::bigint[]) RETURNING subject)
UPDATE raw SET published_at = $2 FROM gone WHERE raw_id = gone.subject::uuid
"""


class Request(asyncio.Protocol):
    """One connection; puts (body, itself) into `waiting`."""

    def __init__(self, waiting: asyncio.Queue[tuple[bytes, Request]]) -> None:
        self._waiting = waiting
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, ended, rest = self._data.partition(b"\r\n\r\n")
        if not ended:
            return
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(rest) >= size:
            self._waiting.put_nowait((rest[:size], self))
            self._data = rest[size:]

    def answer(self) -> None:
        self._transport.write(_ANSWER)


class BareIngest:
    """`run` never returns."""

    def __init__(self, amqp_url: str, database_url: str, port: int) -> None:
        self._amqp_url, self._database_url, self._port = amqp_url, database_url, port
        self._waiting: asyncio.Queue[tuple[bytes, Request]] = asyncio.Queue()
        self._publish = amqp_frames.publish_method("leadbus.raw", "raw.contactatonce", mandatory=True)

    async def run(self) -> None:
        self._connection = await asyncpg.connect(self._database_url)
        self._link = await Link.open(self._amqp_url)
        await self._link.confirm()
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: Request(self._waiting), "127.0.0.1", self._port)
        while True:
            if not await self._relay():
                await self._take()

    async def _take(self) -> None:
        """What was posted, or nothing after a while."""
        try:
            first = await asyncio.wait_for(self._waiting.get(), _LOOK_SECONDS)
        except TimeoutError:
            return
        batch = [first]
        while not self._waiting.empty() and len(batch) < BATCH:
            batch.append(self._waiting.get_nowait())
        now = datetime.now(UTC)
        raw_ids = [uuid4() for _ in batch]
        bodies = [body for body, _ in batch]
        messages = [_message(body, raw_id, now) for body, raw_id in zip(bodies, raw_ids, strict=True)]
        stored = await self._connection.fetch(
            _STORE,
            raw_ids,
            bodies,
            [hashlib.sha256(body).digest() for body in bodies],
            [json.dumps(dict(message.headers)) for message in messages],
            [_written(message.properties) for message in messages],
            now,
        )
        for _, request in batch:
            request.answer()
        await self._send([amqp_frames.publication(message) for message in messages], stored)

    async def _relay(self) -> bool:
        """Publish what the outbox holds; False when it is empty."""
        rows = await self._connection.fetch(_LOOK)
        if rows:
            await self._send([self._publication(row) for row in rows], rows)
        return bool(rows)

    def _publication(self, row: asyncpg.Record) -> bytes:
        properties = json.loads(row["properties"])
        message = OutgoingMessage(
            exchange="",
            routing_key="",
            body=row["body"],
            headers=json.loads(row["headers"]),
            properties=Properties(
                content_type=properties["content_type"],
                message_id=properties["message_id"],
                timestamp=datetime.fromisoformat(properties["timestamp"]),
                type=properties["type"],
            ),
            mandatory=True,
        )
        return self._publish + amqp_frames.content(amqp_frames.properties(message), message.body)

    async def _send(self, publications: Sequence[bytes], rows: Sequence[asyncpg.Record]) -> None:
        await self._link.publish(publications)
        await self._connection.execute(_PUBLISHED, [row["id"] for row in rows], datetime.now(UTC))


def _message(body: bytes, raw_id: UUID, now: datetime) -> OutgoingMessage:
    offer = Offer(leads.SOURCE, leads.ACCOUNT, "bench", "application/json", body, False, None)
    return raw_message(leads.SOURCE, envelope_of(offer, raw_id, now))


def _written(properties: Properties) -> str:
    assert properties.timestamp is not None
    return json.dumps(
        {
            "content_type": properties.content_type,
            "message_id": properties.message_id,
            "timestamp": properties.timestamp.isoformat(),
            "type": properties.type,
        }
    )


if __name__ == "__main__":
    uvloop.run(BareIngest(sys.argv[1], sys.argv[2], int(sys.argv[3])).run())
