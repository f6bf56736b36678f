"""JSON Schemas of everything that crosses a queue, drawn from the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import DEFAULT_REF_TEMPLATE, GenerateJsonSchema, models_json_schema
from pydantic_core import CoreSchema

from leadbus.contracts.events import EVENTS
from leadbus.contracts.publishing.raw_payloads import RAW
from leadbus.contracts.wire import WireModel

SCHEMA_BASE = "https://leadbus.dev/schemas/"
"""Base of every ``$id``; also the ``dataschema`` of an event."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

RAW_PAYLOADS: Mapping[str, type[WireModel]] = {
    name: model for payload in RAW.values() for name, model in payload.models.items()
}
"""Raw payloads as models; what else a source sends are its own bytes."""


class _Plain(GenerateJsonSchema):
    """Without the titles that pydantic derives from field names: they say nothing that the name does not."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def generate(self, schema: CoreSchema, mode: Any = "validation") -> dict[str, Any]:
        plain: dict[str, Any] = _plain_text(super().generate(schema, mode))
        return plain

    def generate_definitions(self, inputs: Any) -> Any:
        by_model, definitions = super().generate_definitions(inputs)
        return by_model, {name: _plain_text(each) for name, each in definitions.items()}


def _plain_text(node: Any) -> Any:
    """Descriptions come from docstrings: here one line each, with single backquotes as in Markdown."""
    if isinstance(node, dict):
        return {
            key: _sentence(value) if key == "description" and isinstance(value, str) else _plain_text(value)
            for key, value in node.items()
        }
    return [_plain_text(each) for each in node] if isinstance(node, list) else node


def _sentence(text: str) -> str:
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(paragraphs).replace("``", "`")


def schema_id(name: str) -> str:
    """The ``$id`` of an event type or a raw payload."""
    return f"{SCHEMA_BASE}{name}.json"


def models() -> dict[str, type[WireModel]]:
    """Every published model by name."""
    return {name: contract.model for name, contract in EVENTS.items()} | dict(RAW_PAYLOADS)


def json_schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    """One self-contained document in the 2020-12 dialect."""
    schema = model.model_json_schema(ref_template=DEFAULT_REF_TEMPLATE, schema_generator=_Plain)
    return {"$schema": _DIALECT, "$id": schema_id(name), **schema}


def shared_definitions(ref_template: str) -> dict[str, Any]:
    """Every model by class name, with references after ``ref_template``, for one document."""
    _, document = models_json_schema(
        [(model, "validation") for model in models().values()],
        ref_template=ref_template,
        schema_generator=_Plain,
    )
    definitions: dict[str, Any] = document["$defs"]
    return definitions
