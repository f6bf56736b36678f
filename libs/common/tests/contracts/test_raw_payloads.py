"""What is published of raw payloads is what is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from leadbus.contracts.publishing.files import rendered
from leadbus.contracts.publishing.raw_payloads import RAW, xml_schema_path
from leadbus.contracts.vocabulary import SOURCES
from lxml import etree

EXAMPLES = [
    pytest.param(payload.models, example, id=f"{source} {name}")
    for source, payload in RAW.items()
    for name, example in payload.examples.items()
]


def test_every_source_says_what_it_sends() -> None:
    assert tuple(RAW) == SOURCES


@pytest.mark.parametrize(("models", "example"), EXAMPLES)
def test_an_example_is_one_of_its_models(models: Any, example: Any) -> None:
    schemas = [json.loads(rendered()[f"schemas/{name}.json"]) for name in models]
    assert any(Draft202012Validator(schema).is_valid(example) for schema in schemas)


@pytest.mark.parametrize("source", [source for source, payload in RAW.items() if payload.xml_schema])
def test_an_xml_example_follows_the_published_schema(source: str) -> None:
    schema = etree.XMLSchema(etree.fromstring(rendered()[xml_schema_path(source)].encode()))
    for text in RAW[source].xml_examples.values():
        schema.assertValid(etree.fromstring(text.encode()))
