"""The CloudEvents project's own SDK as the other side: we read what it writes, it reads what we write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import amqp, rabbitmq
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from leadbus.envelope import Envelope, Properties, decode, encode
from leadbus.messages import IncomingMessage

NOON = datetime(2026, 4, 14, 12, 0, 0, 125000, tzinfo=UTC)


def sdk_event() -> CloudEvent:
    return CloudEvent(
        attributes={
            "id": "CAO-1",
            "source": "https://partner.example/leads",
            "type": "raw.contactatonce",
            "specversion": "1.0",
            "time": NOON,
            "datacontenttype": "application/json",
            "account": "prairie-group",
        },
        data={"lead_id": "CAO-1"},
    )


def received(headers: dict[str, Any], content_type: str | None, body: bytes) -> IncomingMessage:
    return IncomingMessage(
        body=body,
        exchange="leadbus.raw",
        routing_key="raw.contactatonce",
        headers=headers,
        properties=Properties(content_type=content_type),
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
    )


def _amqp(message: amqp.AMQPMessage) -> IncomingMessage:
    content_type = message.properties.get("content-type")
    return received(message.application_properties, content_type, message.application_data)


def _rabbitmq(message: rabbitmq.RabbitMQMessage) -> IncomingMessage:
    return received(dict(message.headers), message.content_type, message.body)


@pytest.mark.parametrize(
    "message",
    [
        _amqp(amqp.to_binary(sdk_event(), JSONFormat())),
        _amqp(amqp.to_structured(sdk_event(), JSONFormat())),
        _rabbitmq(rabbitmq.to_binary(sdk_event(), JSONFormat())),
        _rabbitmq(rabbitmq.to_structured(sdk_event(), JSONFormat())),
    ],
    ids=["amqp binary", "amqp structured", "rabbitmq binary", "rabbitmq structured"],
)
def test_we_read_what_the_sdk_writes(message: IncomingMessage) -> None:
    assert decode(message) == Envelope(
        id="CAO-1",
        source="https://partner.example/leads",
        type="raw.contactatonce",
        time=NOON,
        datacontenttype="application/json",
        extensions={"account": "prairie-group"},
        data=b'{"lead_id": "CAO-1"}',
    )


def test_the_sdk_reads_what_we_write() -> None:
    envelope = Envelope(
        id="1",
        source="/normalizer",
        type="lead.received.v1",
        time=NOON,
        subject="prairie-motors",
        datacontenttype="application/json",
        dataschema="https://leadbus.dev/schemas/lead.received.v1.json",
        extensions={"correlationid": "c-1"},
        data=b'{"lead": {}}',
    )
    headers, properties = encode(envelope)
    found = amqp.from_binary(
        amqp.AMQPMessage({"content-type": properties.content_type}, headers, envelope.data), JSONFormat()
    )
    assert found.get_data() == {"lead": {}}
    assert found.get_attributes() == {
        "specversion": "1.0",
        "id": "1",
        "source": "/normalizer",
        "type": "lead.received.v1",
        "time": NOON,
        "subject": "prairie-motors",
        "datacontenttype": "application/json",
        "dataschema": "https://leadbus.dev/schemas/lead.received.v1.json",
        "correlationid": "c-1",
    }
