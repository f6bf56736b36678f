"""The gate against breaking changes: one planted break of each kind, and every addition that must pass."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from leadbus.contracts.publishing.breaking import document_breaks, schema_breaks
from leadbus.contracts.publishing.schemas import json_schema, models

_OLD: dict[str, Any] = {
    "type": "object",
    "$defs": {
        "Person": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "age": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            },
            "required": ["name"],
        },
        "Node": {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/Node"}, "value": {"type": "number"}},
        },
    },
    "properties": {
        "id": {"type": "string", "maxLength": 255},
        "kind": {"enum": ["a", "b"], "type": "string"},
        "version": {"const": "1.0"},
        "amount": {"type": ["string", "number"]},
        "person": {"$ref": "#/$defs/Person"},
        "people": {"type": "array", "items": {"$ref": "#/$defs/Person"}},
        "maybe": {"anyOf": [{"$ref": "#/$defs/Person"}, {"type": "null"}]},
        "extras": {"type": "object", "additionalProperties": {"type": "string"}},
        "tree": {"$ref": "#/$defs/Node"},
        "free": {},
    },
    "required": ["id"],
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """A copy of the old schema with one thing set, or removed where ``value`` is None."""
    new = deepcopy(_OLD)
    *way, last = path.split("/")
    node = new
    for part in way:
        node = node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return new


@pytest.mark.parametrize(
    ("path", "value", "kind", "where"),
    [
        ("properties/id", None, "property_removed", "x.id"),
        ("$defs/Person/properties/name", None, "property_removed", "x.person.name"),
        ("required", ["id", "kind"], "newly_required", "x.kind"),
        ("$defs/Person/required", ["name", "age"], "newly_required", "x.people[].age"),
        ("properties/id", {"type": "integer"}, "type_narrowed", "x.id"),
        ("properties/amount", {"type": "string"}, "type_narrowed", "x.amount"),
        ("$defs/Node/properties/value", {"type": "integer"}, "type_narrowed", "x.tree.value"),
        ("properties/free", {"type": "string"}, "type_narrowed", "x.free"),
        ("properties/maybe", {"$ref": "#/$defs/Person"}, "type_narrowed", "x.maybe"),
        ("$defs/Person/properties/age", {"type": "integer"}, "type_narrowed", "x.person.age"),
        ("properties/kind/enum", ["a"], "values_narrowed", "x.kind"),
        ("properties/id", {"type": "string", "enum": ["a"]}, "values_narrowed", "x.id"),
        ("properties/version", {"const": "2.0"}, "values_narrowed", "x.version"),
        ("properties/id/maxLength", 64, "limit_narrowed", "x.id"),
        ("properties/id", {"type": "string", "maxLength": 255, "pattern": "^a"}, "limit_narrowed", "x.id"),
        ("properties/id", {"type": "string", "maxLength": 255, "minLength": 1}, "limit_narrowed", "x.id"),
        ("properties/people", {"type": "array", "uniqueItems": True}, "limit_narrowed", "x.people"),
        ("properties/extras/additionalProperties", {"type": "integer"}, "type_narrowed", "x.extras.*"),
        ("properties/extras/additionalProperties", False, "type_narrowed", "x.extras"),
        ("additionalProperties", False, "type_narrowed", "x"),
    ],
)
def test_a_planted_break_is_found(path: str, value: Any, kind: str, where: str) -> None:
    found = schema_breaks(_OLD, changed(path, value), "x")
    assert (kind, where) in {(each.kind, each.where) for each in found}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("properties/new", {"type": "string"}),
        ("$defs/Person/properties/new", {"type": "string"}),
        ("required", []),
        ("properties/kind/enum", ["a", "b", "c"]),
        ("properties/kind", {"type": "string"}),
        ("properties/version", {"enum": ["1.0", "1.1"]}),
        ("properties/id", {"type": ["string", "integer"], "maxLength": 255}),
        ("properties/id", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("properties/id/maxLength", 300),
        ("properties/id/maxLength", None),
        ("$defs/Node/properties/value", {}),
        ("properties/extras", {"type": "object"}),
        ("properties/id/description", "Better words."),
    ],
)
def test_an_addition_passes(path: str, value: Any) -> None:
    assert schema_breaks(_OLD, changed(path, value), "x") == []


def test_removed_and_moved_channels_are_found() -> None:
    exchange = {"amqp": {"exchange": {"name": "leadbus.events"}}}
    old = {"channels": {name: {"address": name, "bindings": exchange} for name in ("a.v1", "b.v1", "c.v1")}}
    new = deepcopy(old)
    del new["channels"]["a.v1"]
    new["channels"]["b.v1"]["address"] = "b"
    new["channels"]["c.v1"]["bindings"] = {"amqp": {"exchange": {"name": "other"}}}
    found = {(each.kind, each.where) for each in document_breaks(old, new)}
    assert found == {
        ("channel_removed", "channels.a.v1"),
        ("channel_moved", "channels.b.v1.address"),
        ("channel_moved", "channels.c.v1.bindings"),
    }
    assert document_breaks({"channels": {}}, old) == []


@pytest.mark.parametrize("name", models())
def test_a_real_schema_breaks_nothing_of_itself(name: str) -> None:
    schema = json_schema(name, models()[name])
    assert schema_breaks(schema, deepcopy(schema), name) == []
