"""The AsyncAPI document: what a team outside may publish and consume, and how.

Operations are written from that team's side: ``send`` is publishing a raw message, ``receive`` consuming an
event. Exchanges and queues are read from ``leadbus.topology``, so the document agrees with the broker.
"""

from __future__ import annotations

from typing import Any

from leadbus.contracts.events import EVENTS, EventContract
from leadbus.contracts.publishing.raw_payloads import RAW, xml_schema_path
from leadbus.contracts.publishing.schemas import schema_id, shared_definitions
from leadbus.contracts.raw import raw_routing_key
from leadbus.contracts.vocabulary import SOURCES
from leadbus.topology import EVENTS_EXCHANGE, RAW_EXCHANGE, TOPOLOGY, UNROUTED

CONTRACTS_VERSION = "1.4.0"
"""Of the document. Additions raise the middle figure; what would break a reader is a new event version."""

_SCHEMA_REF = "#/components/schemas/{model}"
_TRAIT_REF = {"$ref": "#/components/messageTraits/CloudEventsBinary"}
_JSON = "application/json"

_DESCRIPTION = """\
Leadbus carries car dealers' leads from wherever they arise to wherever they have to go. This document is for
teams that publish leads straight to the broker or consume its events; `README.md` beside it explains both on
one page.

Operations are written from your side: *send* publishes a raw message, *receive* consumes an event. Fields are
only ever added inside a version; ignore those you do not know. A field that is null says the same as one that
is absent. Money is a decimal string."""


def asyncapi_document() -> dict[str, Any]:
    """The whole document as JSON values."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Leadbus",
            "version": CONTRACTS_VERSION,
            "description": _DESCRIPTION,
            "tags": [{"name": "raw"}, {"name": "events"}],
        },
        "defaultContentType": _JSON,
        "servers": {"broker": _server()},
        "channels": {
            **{raw_routing_key(source): _raw_channel(source) for source in SOURCES},
            **{name: _event_channel(contract) for name, contract in EVENTS.items()},
        },
        "operations": {
            **{f"publish.{raw_routing_key(source)}": _publish(source) for source in SOURCES},
            **{f"consume.{name}": _consume(contract) for name, contract in EVENTS.items()},
        },
        "components": {
            "messages": {
                **{raw_routing_key(source): _raw_message(source) for source in SOURCES},
                **{name: _event_message(contract) for name, contract in EVENTS.items()},
            },
            "messageTraits": {"CloudEventsBinary": _cloud_events_trait()},
            "schemas": shared_definitions(_SCHEMA_REF),
            "securitySchemes": {
                "user": {
                    "type": "userPassword",
                    "description": "One broker user per publisher, with write permission on "
                    f"`{RAW_EXCHANGE}` and topic permission for its own `raw.<source>` only.",
                }
            },
        },
    }


def _server() -> dict[str, Any]:
    return {
        "host": "{host}:{port}",
        "protocol": "amqp",
        "protocolVersion": "0.9.1",
        "title": "RabbitMQ 3.10 or later, or 4.x",
        "description": "Durable topic exchanges and quorum queues; applied by `leadbus topology apply`.",
        "variables": {
            "host": {"description": "Host of the broker.", "default": "localhost"},
            "port": {"description": "AMQP port; 5671 with TLS.", "default": "5672"},
        },
        "security": [{"$ref": "#/components/securitySchemes/user"}],
    }


def _queues_of(exchange: str, routing_key: str) -> list[str]:
    return sorted(
        binding.queue
        for binding in TOPOLOGY.bindings
        if binding.exchange == exchange and _matches(binding.routing_key, routing_key)
    )


def _matches(pattern: str, routing_key: str) -> bool:
    """AMQP topic match for the patterns in use: exact words, and ``#`` as the last one."""
    if pattern.endswith(".#"):
        return routing_key.startswith(pattern[:-1]) or routing_key == pattern[:-2]
    return pattern in {"#", routing_key}


def _exchange_binding(name: str) -> dict[str, Any]:
    kind = next(exchange.kind for exchange in TOPOLOGY.exchanges if exchange.name == name)
    exchange = {"name": name, "type": kind, "durable": True, "autoDelete": False}
    return {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}}


def _raw_channel(source: str) -> dict[str, Any]:
    key = raw_routing_key(source)
    return {
        "address": key,
        "title": f"Raw messages of {source}",
        "description": f"{RAW[source].note} What no queue takes goes to `{UNROUTED}`.",
        "messages": {"raw": {"$ref": f"#/components/messages/{key}"}},
        "tags": [{"name": "raw"}],
        "bindings": _exchange_binding(RAW_EXCHANGE),
        "x-leadbus-queues": _queues_of(RAW_EXCHANGE, key),
        "x-leadbus-permissions": {
            "configure": "^$",
            "write": "^leadbus\\.raw$",
            "read": "^$",
            "topic": {"exchange": RAW_EXCHANGE, "write": f"^raw\\.{source}$", "read": "^$"},
        },
    }


def _event_channel(contract: EventContract) -> dict[str, Any]:
    routed = "somebody must take it" if contract.must_route else "a fact for whoever listens"
    return {
        "address": contract.type,
        "title": contract.summary.rstrip("."),
        "description": f"Emitted by {', '.join(contract.emitted_by)}; {routed}.",
        "messages": {"event": {"$ref": f"#/components/messages/{contract.type}"}},
        "tags": [{"name": "events"}],
        "bindings": _exchange_binding(EVENTS_EXCHANGE),
        "x-leadbus-queues": _queues_of(EVENTS_EXCHANGE, contract.type),
        "x-leadbus-must-route": contract.must_route,
    }


def _publish(source: str) -> dict[str, Any]:
    key = raw_routing_key(source)
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{key}"},
        "title": f"Publish a {source} message",
        "summary": "Persistent, mandatory and confirmed; retry with the same id until confirmed.",
        "messages": [{"$ref": f"#/channels/{key}/messages/raw"}],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": "0.3.0"}},
    }


def _consume(contract: EventContract) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{contract.type}"},
        "title": f"Consume {contract.type}",
        "summary": "From a durable queue of your own, bound by whoever owns the topology.",
        "messages": [{"$ref": f"#/channels/{contract.type}/messages/event"}],
        "bindings": {"amqp": {"ack": True, "bindingVersion": "0.3.0"}},
    }


def _event_message(contract: EventContract) -> dict[str, Any]:
    return {
        "name": contract.type,
        "title": contract.type,
        "summary": contract.summary,
        "contentType": _JSON,
        "traits": [_TRAIT_REF],
        "payload": {"$ref": _SCHEMA_REF.format(model=contract.model.__name__)},
        "examples": [
            {
                "name": contract.type,
                "headers": _headers(contract.type, f"/{contract.emitted_by[0]}", schema_id(contract.type)),
                "payload": dict(contract.example),
            }
        ],
    }


def _raw_message(source: str) -> dict[str, Any]:
    key, payload = raw_routing_key(source), RAW[source]
    message: dict[str, Any] = {
        "name": key,
        "title": f"Raw message of {source}",
        "summary": payload.note,
        "traits": [_TRAIT_REF],
        "contentType": payload.content_type,
    }
    schemas = [{"$ref": _SCHEMA_REF.format(model=model.__name__)} for model in payload.models.values()]
    if schemas:
        message["payload"] = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
        message["examples"] = [
            {
                "name": name,
                "headers": _headers(key, "https://partner.example/leads"),
                "payload": dict(example),
            }
            for name, example in payload.examples.items()
        ]
    if payload.xml_schema:
        message["x-xml-schema"] = xml_schema_path(source)
    for example in payload.xml_examples.values():
        message["x-xml-example"] = example
    return message


def _headers(event_type: str, source: str, dataschema: str | None = None) -> dict[str, str]:
    attributes = {
        "specversion": "1.0",
        "id": "3f1de8d4-1d0d-4a37-8f2c-5b0d0b1a7e42",
        "source": source,
        "type": event_type,
        "time": "2026-04-14T16:03:07Z",
    }
    if dataschema:
        attributes["dataschema"] = dataschema
    return {f"cloudEvents_{name}": value for name, value in attributes.items()}


def _cloud_events_trait() -> dict[str, Any]:
    def text(description: str, **more: Any) -> dict[str, Any]:
        return {"type": "string", "description": description, **more}

    attributes = {
        "specversion": text("CloudEvents version.", const="1.0"),
        "id": text("Unique per source: the same id again is the same message.", minLength=1, maxLength=255),
        "source": text("Who says so, as a URI reference.", minLength=1),
        "type": text("Type of the event; of a raw message, its routing key.", minLength=1, maxLength=255),
        "time": text("When it happened, RFC 3339 with offset.", format="date-time"),
        "subject": text("What it is about."),
        "dataschema": text("Schema of the body."),
        "account": text("Raw: which subscription, connection, project, mailbox or key it came through."),
        "receivedat": text("Raw: when the first Leadbus service saw it.", format="date-time"),
        "test": text("Raw: `true` marks a test lead."),
        "trial": text("Raw: `true` means map and report, never emit."),
        "categories": text("Raw, VirtualExpo: what the subscription selected, separated by commas."),
        "location": text("Raw: dealer reference of the way it came, for a body that names none."),
        "locationalways": text("Raw: `true`: that reference counts also where the body names another."),
        "letters": text("Raw: `true`: a person's own mail is a lead."),
        "snapshot": text("Raw, feeds: id of the whole file."),
        "chunk": text("Raw, feeds: number of this part, from 1."),
        "correlationid": text("Id that everything in one story shares; also AMQP `correlation_id`."),
        "causationid": text("Id of the message that caused this one."),
        "traceparent": text("W3C trace context of the origin."),
    }
    return {
        "headers": {
            "type": "object",
            "description": "CloudEvents 1.0, binary mode; the content type is the AMQP property. Also read: "
            "`cloudEvents:` and `ce-` headers, structured `application/cloudevents+json`, and bare bodies.",
            "properties": {f"cloudEvents_{name}": schema for name, schema in attributes.items()},
            "required": [f"cloudEvents_{name}" for name in ("specversion", "id", "source", "type")],
        }
    }
