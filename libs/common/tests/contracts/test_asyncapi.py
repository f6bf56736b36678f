"""The AsyncAPI document: complete, closed in itself, and its examples pass its own schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from leadbus.contracts import EVENTS, SOURCES
from leadbus.contracts.publishing.asyncapi import asyncapi_document
from leadbus.envelope import Properties, decode
from leadbus.messages import IncomingMessage

DOCUMENT = asyncapi_document()
_KEYS = [*EVENTS, *(f"raw.{source}" for source in SOURCES)]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def _found(reference: str) -> Any:
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_every_key_has_its_channel_and_its_operation() -> None:
    assert set(DOCUMENT["channels"]) == set(_KEYS)
    assert {channel["address"] for channel in DOCUMENT["channels"].values()} == set(_KEYS)
    actions = {name: operation["action"] for name, operation in DOCUMENT["operations"].items()}
    assert actions == {f"consume.{name}": "receive" for name in EVENTS} | {
        f"publish.raw.{source}": "send" for source in SOURCES
    }


def test_every_reference_leads_somewhere() -> None:
    references = set(_references(DOCUMENT))
    assert references
    for reference in references:
        assert _found(reference)


def _examples() -> list[Any]:
    return [
        pytest.param(message, example, id=f"{name}:{example['name']}")
        for name, message in DOCUMENT["components"]["messages"].items()
        for example in message.get("examples", [])
    ]


@pytest.mark.parametrize(("message", "example"), _examples())
def test_an_example_passes_the_documents_own_schemas_and_our_reader(
    message: dict[str, Any], example: dict[str, Any]
) -> None:
    whole = {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator({**message["payload"], **whole}).validate(example["payload"])
    trait = DOCUMENT["components"]["messageTraits"]["CloudEventsBinary"]
    jsonschema.Draft202012Validator(trait["headers"]).validate(example["headers"])
    incoming = IncomingMessage(
        body=b"{}",
        exchange="",
        routing_key=message["name"],
        headers=example["headers"],
        properties=Properties(content_type=message["contentType"]),
        redelivered=False,
        delivery_count=0,
        delivery_tag=1,
    )
    assert decode(incoming).type == message["name"]


def test_every_event_has_an_example() -> None:
    messages = DOCUMENT["components"]["messages"]
    assert [name for name in EVENTS if not messages[name].get("examples")] == []
