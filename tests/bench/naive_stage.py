"""The normalizer as one would write it on a first afternoon with FastStream and SQLModel.

A subscriber, fifty messages at a time, and for each message: a session in which the inbox is asked, the
dealer is looked up, and the inbox, raw, lead, lead_term, lead_revision and outbox rows are added and
committed; then the event is published, confirmed; then a second session deletes the outbox row. Reading
and placing are the product's own pure functions, so that the two differ in how they do it and not
in what. Nothing is made slow on purpose, and nothing is tuned: FastStream and SQLAlchemy as their tutorials
show them.

    python -m tests.bench.naive_stage <AMQP URL> <database URL> <key of finding>
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from faststream import FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue
from leadbus.contracts.events import LeadReceived
from leadbus.contracts.lead import Dealer
from leadbus.envelope import Envelope, Properties
from leadbus.inbox import Inbox
from leadbus.messages import IncomingMessage, OutgoingMessage, event_message
from leadbus.outbox.table import Outbox
from leadbus.settings.tables import Setting
from normalizer.domain.draft import Draft
from normalizer.domain.identity import event_id
from normalizer.domain.placing import Origin, place
from normalizer.domain.raw import Raw
from normalizer.domain.revisions import Reading, Revision, advance
from normalizer.domain.terms import Terms
from normalizer.reading import read_raw
from normalizer.receiving import Limits, receive
from normalizer.store.tables import LeadRevisionRow, LeadRow, LeadTermRow, RawRow
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

PREFETCH = 50
_LIMITS = Limits(body_bytes=4_194_304)


class NaiveStage:
    """One message, one transaction."""

    def __init__(self, amqp_url: str, database_url: str, finding_key: str) -> None:
        self._terms = Terms(finding_key.encode())
        engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
        self._session = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
        self._broker = RabbitBroker(
            amqp_url,
            default_channel=Channel(prefetch_count=PREFETCH),
            decoder=_raw,
            log_level=logging.DEBUG,  # no lines per message; failures are still told
        )
        queue = RabbitQueue("normalizer.raw", queue_type=QueueType.QUORUM, durable=True, declare=False)
        self._broker.subscriber(queue)(self.take)

    async def run(self) -> None:
        await FastStream(self._broker).run()

    async def take(self, message: RabbitMessage) -> None:
        """Store and publish; FastStream acknowledges when this returns."""
        now = datetime.now(UTC)
        raw = receive(_incoming(message.raw_message), _LIMITS, now)
        draft = read_raw(raw).draft
        assert isinstance(draft, Draft)
        async with self._session() as session:
            if await session.get(Inbox, ("normalizer.raw", raw.source, raw.account, raw.wire_id)):
                return
            dealer = await self._dealer(session, draft)
            lead = place(draft, Origin(raw.source, raw.account, raw.received_at), dealer)
            (revision,) = advance(None, [Reading(raw.key, lead)])
            event = _event(revision, raw, now)
            row = _outbox_row(event)
            lead_row = _lead_row(revision, self._terms, now)
            session.add_all([_inbox_row(raw, now), _raw_row(raw, revision, now), lead_row])
            await session.flush()
            session.add_all([_revision_row(revision, now), *_term_rows(lead_row), row])
            await session.commit()
        await self._publish(event)
        async with self._session() as session:
            await session.exec(delete(Outbox).where(col(Outbox.id) == row.id))
            await session.commit()

    async def _dealer(self, session: AsyncSession, draft: Draft) -> Dealer:
        reference = Setting.spec["external_id"].astext
        location = (
            await session.exec(select(Setting).where(Setting.kind == "Location", reference == draft.location))
        ).one()
        dealer = await session.get(Setting, ("Dealer", location.spec["dealer"]))
        assert dealer is not None
        return Dealer.model_validate({**dealer.spec, "dealer_id": dealer.name})

    async def _publish(self, event: OutgoingMessage) -> None:
        await self._broker.publish(
            event.body,
            exchange=RabbitExchange(event.exchange, declare=False),
            routing_key=event.routing_key,
            headers=dict(event.headers),
            message_id=event.properties.message_id,
            content_type=event.properties.content_type,
            persist=True,
            mandatory=True,
        )


def _event(revision: Revision, raw: Raw, now: datetime) -> OutgoingMessage:
    lead_id = revision.lead.lead_id
    return event_message(
        Envelope(
            id=str(event_id(lead_id, revision.lead.revision, revision.event_type)),
            source="leadbus/normalizer",
            type=revision.event_type,
            time=now,
            subject=str(lead_id),
            datacontenttype="application/json",
            extensions={"correlationid": raw.wire_id, "causationid": str(raw.key)},
            data=LeadReceived(lead=revision.lead, changed=revision.changed).to_json(),
        )
    )


async def _raw(message: Any) -> bytes:
    body: bytes = message.body
    return body


def _incoming(message: Any) -> IncomingMessage:
    """`message` as aio-pika gives it."""
    told = Properties(
        content_type=message.content_type,
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        timestamp=message.timestamp,
        type=message.type,
        app_id=message.app_id,
    )
    return IncomingMessage(
        body=message.body,
        exchange=message.exchange,
        routing_key=message.routing_key,
        headers=message.headers,
        properties=told,
        redelivered=message.redelivered,
        delivery_count=0,
        delivery_tag=message.delivery_tag,
    )


def _inbox_row(raw: Raw, now: datetime) -> Inbox:
    return Inbox(
        consumer="normalizer.raw",
        source=raw.source,
        account=raw.account,
        id=raw.wire_id,
        digest=raw.digest,
        seen_at=now,
    )


def _raw_row(raw: Raw, revision: Revision, now: datetime) -> RawRow:
    return RawRow(
        raw_key=raw.key,
        source=raw.source,
        account=raw.account,
        wire_id=raw.wire_id,
        digest=raw.digest,
        body=raw.body,
        size_bytes=len(raw.body),
        content_type=raw.content_type,
        attributes=json.loads(raw.attributes),
        received_at=raw.received_at,
        stored_at=now,
        test=raw.test,
        trial=raw.trial,
        bare=raw.bare,
        lead_id=revision.lead.lead_id,
    )


def _lead_row(revision: Revision, terms: Terms, now: datetime) -> LeadRow:
    lead = revision.lead
    return LeadRow(
        lead_id=lead.lead_id,
        revision=lead.revision,
        source=lead.source,
        account=lead.account,
        dealer_id=lead.dealer.dealer_id,
        test=lead.test,
        received_at=lead.received_at,
        last_raw_at=lead.received_at,
        updated_at=now,
        state="waiting",
        terms=terms.of(lead),
        terms_by=terms.mark,
    )


def _term_rows(lead: LeadRow) -> list[LeadTermRow]:
    return [LeadTermRow(term=term, received_at=lead.received_at, lead_id=lead.lead_id) for term in lead.terms]


def _revision_row(revision: Revision, now: datetime) -> LeadRevisionRow:
    return LeadRevisionRow(
        lead_id=revision.lead.lead_id,
        revision=revision.lead.revision,
        raw_key=revision.raw_key,
        event_type=revision.event_type,
        changed=list(revision.changed),
        at=now,
        document=revision.lead.model_dump(mode="json", exclude_none=True),
    )


def _outbox_row(event: OutgoingMessage) -> Outbox:
    return Outbox(  # type: ignore[call-arg]  # the database gives id and created_at
        lane=0,
        exchange=event.exchange,
        routing_key=event.routing_key,
        headers=dict(event.headers),
        properties={"message_id": event.properties.message_id, "type": event.properties.type},
        body=event.body,
        mandatory=event.mandatory,
    )


if __name__ == "__main__":
    asyncio.run(NaiveStage(*sys.argv[1:4]).run())
