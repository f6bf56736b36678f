"""The normalizer as a bare loop: what this machine gives for the same transaction.

One process: frames by hand on an asyncio.Protocol, one set-based statement of asyncpg per batch that writes
the product's inbox, raw, lead, lead_term, lead_revision and outbox rows and deletes the outbox rows of the
batch before, the commit with the server's own durability, then one frame that acknowledges the batch, then
its events with confirms. Batches are as large as the product's. It knows one source and one form of lead,
trusts what it reads, and has no quarantine, no updates, no faults, no metrics and no log.

    python -m tests.bench.reference_stage <AMQP URL> <database URL> <key of finding> <sample file>
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from normalizer.domain import identity
from normalizer.domain.terms import Terms
from normalizer.settings import NormalizerSettings
from pydantic_core import from_json

from tests.bench import amqp_frames, leads
from tests.bench.amqp_link import Delivery, Link
from tests.bench.reference_rows import Templates, moment
from tests.bench.sample import Sample

BATCH: int = NormalizerSettings.model_fields["batch_size"].default
PREFETCH: int = NormalizerSettings.model_fields["prefetch"].default
_IDLE_SECONDS = 0.05
_EVENT = "lead.received.v1"

_STORE = """
WITH gone AS (
    DELETE FROM outbox WHERE id = ANY($1::bigint[])
), m AS (
    SELECT * FROM unnest($3::uuid[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::timestamptz[],
                         $9::uuid[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
                         $15::bytea[])
        AS m (raw_key, wire_id, digest, body, attributes, received_at,
              lead_id, dealer_id, terms, document, headers, properties, event)
), fresh AS (
    INSERT INTO inbox (consumer, source, account, id, digest, seen_at)
    SELECT 'normalizer.raw', 'contactatonce', 'main', wire_id, digest, $2 FROM m
    ON CONFLICT DO NOTHING RETURNING id
), kept AS (
    INSERT INTO raw (raw_key, source, account, wire_id, digest, body, size_bytes, content_type, attributes,
                     received_at, stored_at, test, trial, bare, lead_id)
    SELECT raw_key, 'contactatonce', 'main', wire_id, digest, body, octet_length(body), 'application/json',
           attributes::jsonb, received_at, $2, false, false, false, lead_id
      FROM m JOIN fresh ON fresh.id = m.wire_id
), leads AS (
    INSERT INTO lead (lead_id, revision, source, account, dealer_id, test, received_at, last_raw_at,
                      updated_at, terms, terms_by)
    SELECT lead_id, 1, 'contactatonce', 'main', dealer_id, false, received_at, received_at, $2,
           string_to_array(terms, ' '), $16
      FROM m JOIN fresh ON fresh.id = m.wire_id
), found_by AS (
    INSERT INTO lead_term (term, received_at, lead_id)
    SELECT term, received_at, lead_id
      FROM m JOIN fresh ON fresh.id = m.wire_id, string_to_table(terms, ' ') AS term
), revisions AS (
    INSERT INTO lead_revision (lead_id, revision, raw_key, event_type, changed, at, document)
    SELECT lead_id, 1, raw_key, 'lead.received.v1', '{}', $2, document::jsonb
      FROM m JOIN fresh ON fresh.id = m.wire_id
)
INSERT INTO outbox (lane, exchange, routing_key, headers, properties, body, mandatory)
SELECT 0, 'leadbus.events', 'lead.received.v1', headers::json, properties::json, event, true
  FROM m JOIN fresh ON fresh.id = m.wire_id
RETURNING id
"""
_DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"


class ReferenceStage:
    """`run` never returns."""

    def __init__(self, amqp_url: str, database_url: str, finding_key: str, sample: Sample) -> None:
        self._amqp_url, self._database_url = amqp_url, database_url
        self._terms = Terms(finding_key.encode())
        self._templates = Templates.of(sample)
        self._publish = amqp_frames.publish_method("leadbus.events", _EVENT, mandatory=True)
        self._published: list[int] = []

    async def run(self) -> None:
        connection = await asyncpg.connect(self._database_url)
        self._store = await connection.prepare(_STORE)
        self._delete = await connection.prepare(_DELETE)
        publishing = await Link.open(self._amqp_url)
        await publishing.confirm()
        consuming = await Link.open(self._amqp_url)
        await consuming.consume("normalizer.raw", PREFETCH)
        while True:
            batch = await self._take(consuming)
            await self._handle(batch, consuming, publishing)

    async def _take(self, link: Link) -> list[Delivery]:
        while not link.arrived:
            link.news.clear()
            try:
                await asyncio.wait_for(link.news.wait(), _IDLE_SECONDS if self._published else None)
            except TimeoutError:
                await self._delete.fetch(self._published)
                self._published = []
        return [link.arrived.popleft() for _ in range(min(BATCH, len(link.arrived)))]

    async def _handle(self, batch: Sequence[Delivery], consuming: Link, publishing: Link) -> None:
        now = datetime.now(UTC)
        rows, publications = self._rows(batch, now)
        stored = await self._store.fetch(self._published, now, *rows, self._terms.mark)
        consuming.ack(batch[-1].tag)
        await publishing.publish(publications)
        self._published = [row["id"] for row in stored]

    def _rows(self, batch: Sequence[Delivery], now: datetime) -> tuple[list[list[object]], list[bytes]]:
        columns: list[list[object]] = [[] for _ in range(13)]
        publications = []
        same = moment(now)
        for delivery in batch:
            row, publication = self._row(delivery, same)
            for column, value in zip(columns, row, strict=True):
                column.append(value)
            publications.append(publication)
        return columns, publications

    def _row(self, delivery: Delivery, same: dict[str, str]) -> tuple[tuple[object, ...], bytes]:
        wire_id, headers = amqp_frames.read_strings(delivery.header)
        assert wire_id is not None
        told = from_json(delivery.body)
        digest = hashlib.sha256(delivery.body).hexdigest()
        external_id: str = told["lead_id"]
        raw_key = identity.raw_key(leads.SOURCE, leads.ACCOUNT, wire_id, digest)
        lead_id = identity.lead_id(leads.SOURCE, leads.ACCOUNT, leads.SOURCE, external_id)
        places = same | {
            "number": external_id.removeprefix("CAO-"),
            "vin": told["vehicle"]["vin"],
            "dealer": told["dealer"]["id"],
            "wire_id": wire_id,
            "raw_key": str(raw_key),
            "lead_id": str(lead_id),
            "event_id": str(identity.event_id(lead_id, 1, _EVENT)),
        }
        known = self._templates
        event = known.event.fill(places).encode()
        row = (
            raw_key,
            wire_id,
            digest,
            delivery.body,
            known.attributes.fill(places),
            datetime.fromisoformat(headers["cloudEvents_receivedat"]),
            lead_id,
            f"dealer-{places['dealer']}",
            self._found_by(told),
            known.document.fill(places),
            known.headers.fill(places),
            known.properties.fill(places),
            event,
        )
        properties = known.publish_properties.fill(places).encode("latin-1")
        return row, self._publish + amqp_frames.content(properties, event)

    def _found_by(self, told: dict[str, Any]) -> str:
        customer = told["customer"]
        terms = (
            self._terms.vin(told["vehicle"]["vin"]),
            self._terms.phone(customer["phone"]),
            self._terms.email(customer["email"]),
        )
        return " ".join(sorted(terms))


if __name__ == "__main__":
    amqp_url, database_url, finding_key, sample_file = sys.argv[1:]
    uvloop.run(ReferenceStage(amqp_url, database_url, finding_key, Sample.read(Path(sample_file))).run())
