"""Every event: listed, exemplified, and its schema, model and example agree."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from leadbus.contracts import EVENTS, SOURCES, EventContract, raw_routing_key, source_of
from leadbus.contracts.events import LeadReceived
from leadbus.contracts.examples import CONTACTATONCE, EVENT_EXAMPLES
from leadbus.contracts.lead_events import lead_event_json
from leadbus.contracts.publishing.schemas import json_schema, models, schema_id

_BY_TYPE = pytest.mark.parametrize("contract", EVENTS.values(), ids=EVENTS.keys())

_MUST_ROUTE = {
    "lead.received.v1",
    "lead.updated.v1",
    "lead.enriched.v1",
    "lead.consent_changed.v1",
    "lead.erased.v1",
    "vehicle_feed.rows.v1",
    "vehicle_feed.completed.v1",
    "vehicle_feed.rejected.v1",
}
_FACTS = {
    "raw.quarantined.v1",
    "raw.released.v1",
    "delivery.succeeded.v1",
    "delivery.failed.v1",
    "delivery.skipped.v1",
    "delivery.recovered.v1",
    "destination.suspended.v1",
    "destination.resumed.v1",
    "connection.needs_person.v1",
    "connection.mended.v1",
    "service_request.opened.v1",
    "service_request.updated.v1",
    "service_request.closed.v1",
}


def test_the_list_is_complete_and_says_what_must_be_routed() -> None:
    assert {name for name, contract in EVENTS.items() if contract.must_route} == _MUST_ROUTE
    assert {name for name, contract in EVENTS.items() if not contract.must_route} == _FACTS


@_BY_TYPE
def test_example_is_valid_by_schema_and_by_model(contract: EventContract) -> None:
    schema = json_schema(contract.type, contract.model)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(contract.example, schema, cls=jsonschema.Draft202012Validator)
    parsed = contract.model.model_validate(contract.example)
    jsonschema.validate(parsed.wire(), schema, cls=jsonschema.Draft202012Validator)
    assert contract.model.model_validate_json(parsed.to_json()) == parsed


@_BY_TYPE
def test_example_tells_every_field_it_has(contract: EventContract) -> None:
    """An example with a misspelt field would pass a tolerant model: nothing of it may get lost."""
    wire = contract.model.model_validate(contract.example).wire()
    assert _lost(contract.example, wire) == []


def _lost(told: Any, kept: Any, where: str = "") -> list[str]:
    if isinstance(told, dict):
        return [
            gone
            for name, value in told.items()
            for gone in (_lost(value, kept[name], f"{where}.{name}") if name in kept else [f"{where}.{name}"])
        ]
    if isinstance(told, list | tuple):
        return [
            gone for index, value in enumerate(told) for gone in _lost(value, kept[index], f"{where}.{index}")
        ]
    return []


@pytest.mark.parametrize("name", models())
def test_every_field_says_what_it_is(name: str) -> None:
    schema = json_schema(name, models()[name])
    bare = [
        f"{title}.{field}"
        for title, each in {name: schema, **schema.get("$defs", {})}.items()
        for field, described in each.get("properties", {}).items()
        if not described.get("description")
    ]
    assert bare == []
    assert schema["$id"] == schema_id(name)


@pytest.mark.parametrize("payload", CONTACTATONCE.values(), ids=CONTACTATONCE.keys())
def test_raw_example_is_valid_by_schema(payload: dict[str, Any]) -> None:
    name = "raw.contactatonce.v1"
    jsonschema.validate(payload, json_schema(name, models()[name]), cls=jsonschema.Draft202012Validator)


def test_facts_about_deliveries_and_quarantine_hold_no_personal_data() -> None:
    person = json.dumps([EVENTS["lead.received.v1"].example["lead"]["customer"]])
    assert "jose.nunez" in person
    for name in _FACTS:
        assert "jose" not in json.dumps(dict(EVENTS[name].example)).lower()


@pytest.mark.parametrize("source", SOURCES)
def test_a_routing_key_proves_its_source(source: str) -> None:
    assert source_of(raw_routing_key(source)) == source


@pytest.mark.parametrize("key", ["", "raw.", "raw.nobody", "bdk", "raw.bdk.x", "RAW.bdk", "lead.received.v1"])
def test_other_keys_prove_nothing(key: str) -> None:
    assert source_of(key) is None


def test_no_key_for_a_source_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="no such source"):
        raw_routing_key("nobody")


@pytest.mark.parametrize("changed", [(), ("customer", "vehicles")])
def test_a_lead_that_is_written_already_is_not_written_again(changed: tuple[str, ...]) -> None:
    event = LeadReceived.model_validate({**EVENT_EXAMPLES["lead.received.v1"], "changed": changed})
    written = event.lead.model_dump_json(exclude_none=True)
    assert lead_event_json(written, changed) == event.to_json()
