"""adf-mailer as a bare loop: the same rows, the same mail, the same durability.

One statement per batch, as large as the product's, writes inbox, lead, delivery and mail rows; it is
committed, then acknowledged by one frame. With a mail port, deliveries are written as being sent, with their
attempt, before the first byte leaves; as many kept connections as the product has send the mails; one
statement writes how they ended, and their events are published with confirms and deleted by the next. It
knows one form of lead and one route per dealer.

    python -m tests.bench.bare_mailer <AMQP URL> <database URL> <destination> <sample file> [<mail port>]
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import asyncpg
import uvloop
from adf_mailer.settings import AdfMailerSettings
from leadbus.contracts import NAMESPACE
from leadbus.envelope import Envelope, encode
from leadbus.messages import OutgoingMessage
from pydantic_core import from_json

from tests.bench import amqp_frames
from tests.bench.amqp_link import Delivery, Link
from tests.bench.bare_mail_rows import MailTemplates, places_of
from tests.bench.bare_smtp import SmtpLine
from tests.bench.leads import FROM_ADDRESS
from tests.bench.sample import Sample

BATCH: int = AdfMailerSettings.model_fields["batch_size"].default
PREFETCH = 2 * BATCH
CONNECTIONS: int = AdfMailerSettings.model_fields["smtp_max_connections"].default
_EVENT = "delivery.succeeded.v1"

_PLAN = """
WITH gone AS (
    DELETE FROM outbox WHERE id = ANY($1::bigint[])
), m AS (
    SELECT * FROM unnest($3::text[], $4::text[], $5::uuid[], $6::text[], $7::timestamptz[], $8::uuid[],
                         $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[],
                         $15::text[])
        AS m (event_id, digest, lead_id, data, received_at, id, key, route, dealer, recipient, message_id,
              raw, sha256)
), fresh AS (
    INSERT INTO inbox (consumer, source, account, id, digest, seen_at)
    SELECT 'adf-mailer.leads', 'leadbus/normalizer', '', event_id, digest, $2 FROM m
    ON CONFLICT DO NOTHING RETURNING id AS event_id
), leads AS (
    INSERT INTO lead (lead_id, revision, data, contactable, erased, received_at,
                      counted_for, updated_at)
    SELECT lead_id, 1, data::jsonb, true, false, received_at, dealer, $2
      FROM m JOIN fresh USING (event_id)
), planned AS (
    INSERT INTO delivery (id, key, subject_id, destination, route, dealer, priority, ordering_key, phase,
                          planned_at, not_before, attempts, lease_token, lease_expires_at)
    SELECT id, key, lead_id::text, $16, route, dealer, 1, lead_id::text || '/' || recipient,
           CASE WHEN $17 THEN 'sending' ELSE 'queued' END, $2, $2, CASE WHEN $17 THEN 1 ELSE 0 END,
           CASE WHEN $17 THEN id END, CASE WHEN $17 THEN $2 + interval '90 s' END
      FROM m JOIN fresh USING (event_id)
), begun AS (
    INSERT INTO attempt (delivery_id, n, repeat_number, started_at)
    SELECT id, 1, 0, $2 FROM m JOIN fresh USING (event_id) WHERE $17
)
INSERT INTO mail (delivery_id, repeat_number, lead_id, revision, route, status, sender, recipient, message_id,
                  sha256, size_bytes, raw, warnings, written_at)
SELECT id, 0, lead_id, 1, route, 'new', $18, recipient, message_id, sha256, octet_length(raw), raw, '{}', $2
  FROM m JOIN fresh USING (event_id)
"""
_ENDED = """
WITH ended AS (
    UPDATE delivery SET phase = 'delivered', outcome = 'delivered', announced = 'succeeded',
                        announcements = 1, finished_at = $1, lease_token = NULL, lease_expires_at = NULL
     WHERE id = ANY($2::uuid[])
), tried AS (
    UPDATE attempt SET finished_at = $1, duration_ms = 1, outcome = 'delivered', answer = '250 2.0.0 taken'
     WHERE delivery_id = ANY($2::uuid[])
)
INSERT INTO outbox (lane, exchange, routing_key, headers, properties, body, mandatory)
SELECT 0, 'leadbus.events', 'delivery.succeeded.v1', headers::json, properties::json, body, true
  FROM unnest($3::text[], $4::text[], $5::bytea[]) AS m (headers, properties, body)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Planned:
    """A delivery and its mail."""

    delivery_id: UUID
    lead_id: str
    route: str
    recipient: str
    raw: bytes


class BareMailer:
    """`run` never returns."""

    def __init__(
        self, amqp_url: str, database_url: str, destination: str, sample: Sample, mail_port: int | None
    ) -> None:
        self._amqp_url, self._database_url = amqp_url, database_url
        self._destination, self._mail_port = destination, mail_port
        self._templates = MailTemplates.of(sample)
        self._published: list[int] = []
        self._idle: asyncio.Queue[SmtpLine] = asyncio.Queue()

    async def run(self) -> None:
        connection = await asyncpg.connect(self._database_url)
        self._plan = await connection.prepare(_PLAN)
        self._end = await connection.prepare(_ENDED)
        self._publishing = await Link.open(self._amqp_url)
        await self._publishing.confirm()
        if self._mail_port is not None:
            for _ in range(CONNECTIONS):
                self._idle.put_nowait(await SmtpLine.open(self._mail_port))
        link = await Link.open(self._amqp_url)
        await link.consume("adf-mailer.leads", PREFETCH)
        while True:
            while not link.arrived:
                link.news.clear()
                await link.news.wait()
            batch = [link.arrived.popleft() for _ in range(min(BATCH, len(link.arrived)))]
            planned = await self._store(batch)
            link.ack(batch[-1].tag)
            if self._mail_port is not None:
                await asyncio.gather(*map(self._send, planned))
                await self._tell(planned)

    async def _store(self, batch: Sequence[Delivery]) -> list[Planned]:
        now = datetime.now(UTC)
        columns: list[list[Any]] = [[] for _ in range(13)]
        planned = []
        for delivery in batch:
            row, one = self._row(delivery, now)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
            planned.append(one)
        sending = self._mail_port is not None
        await self._plan.fetch(self._published, now, *columns, self._destination, sending, FROM_ADDRESS)
        self._published = []
        return planned

    def _row(self, delivery: Delivery, now: datetime) -> tuple[tuple[Any, ...], Planned]:
        event_id, _ = amqp_frames.read_strings(delivery.header)
        told = from_json(delivery.body)["lead"]
        digest = hashlib.sha256(delivery.body).hexdigest()
        known = self._templates
        places = places_of(told, now)
        key = known.key.fill(places)
        message_id = places["message_id"] = f"<{uuid5(NAMESPACE, f'adf-mail {key}')}@leadbus.example>"
        raw = known.raw.fill(places).encode("latin-1")
        delivery_id = uuid4()
        one = Planned(
            delivery_id, told["lead_id"], known.route.fill(places), known.recipient.fill(places), raw
        )
        row = (
            event_id,
            digest,
            UUID(told["lead_id"]),
            delivery.body[len(b'{"lead":') : delivery.body.rindex(b',"changed"')].decode(),
            datetime.fromisoformat(told["received_at"]),
            delivery_id,
            key,
            one.route,
            told["dealer"]["dealer_id"],
            one.recipient,
            message_id,
            raw,
            hashlib.sha256(raw).hexdigest(),
        )
        return row, one

    async def _send(self, one: Planned) -> None:
        line = await self._idle.get()
        await line.send(FROM_ADDRESS, one.recipient, one.raw)
        self._idle.put_nowait(line)

    async def _tell(self, planned: Sequence[Planned]) -> None:
        now = datetime.now(UTC)
        events = [_event(one, now) for one in planned]
        stored = await self._end.fetch(
            now,
            [one.delivery_id for one in planned],
            [json.dumps(dict(event.headers)) for event in events],
            [json.dumps({"message_id": event.properties.message_id}) for event in events],
            [event.body for event in events],
        )
        await self._publishing.publish([amqp_frames.publication(event) for event in events])
        self._published = [row["id"] for row in stored]


def _event(one: Planned, now: datetime) -> OutgoingMessage:
    body = (
        f'{{"delivery_id":"{one.delivery_id}","sink":"adf-mailer","subject_id":"{one.lead_id}",'
        f'"route":"{one.route}","outcome":"delivered","attempts":1,"ambiguous":false,"repeat":false,'
        f'"planned_at":"{now.isoformat()}","finished_at":"{now.isoformat()}"}}'
    ).encode()
    headers, properties = encode(
        Envelope(
            id=str(uuid5(NAMESPACE, str(one.delivery_id))),
            source="/leadbus/adf-mailer",
            type=_EVENT,
            time=now,
            subject=one.lead_id,
            datacontenttype="application/json",
            data=body,
        )
    )
    return OutgoingMessage("leadbus.events", _EVENT, body, headers, properties, mandatory=True)


if __name__ == "__main__":
    amqp_url, database_url, destination, sample_file, *port = sys.argv[1:]
    mail_port = int(port[0]) if port else None
    uvloop.run(
        BareMailer(amqp_url, database_url, destination, Sample.read(Path(sample_file)), mail_port).run()
    )
