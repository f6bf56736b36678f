"""The payload that ContactAtOnce pushes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from leadbus.contracts.contactatonce import ContactAtOnceLead
from leadbus.contracts.examples import CONTACTATONCE
from pydantic import ValidationError

_LEAST = {"lead_type": "Chat", "lead_id": "1", "dealer": {"id": "D"}}


@pytest.mark.parametrize("lead_type", ["ClickForCallBack", "Chat", "TextToChat", "TrackedCall"])
def test_each_lead_type_is_exemplified_and_kept_byte_for_byte(lead_type: str) -> None:
    payload = ContactAtOnceLead.model_validate_json(json.dumps(CONTACTATONCE[lead_type]))
    assert payload.lead_type == lead_type
    assert payload.model_extra == {}


def test_the_least_a_lead_says() -> None:
    payload = ContactAtOnceLead.model_validate(_LEAST)
    assert (payload.all_vehicles, payload.transcript, payload.test) == ((), (), False)


@pytest.mark.parametrize(
    ("number", "text"), [("12", "12"), ("1.0", "1"), ("1e3", "1000"), ("9" * 30, "9" * 30)]
)
def test_a_whole_number_is_an_id_however_it_is_written(number: str, text: str) -> None:
    document = json.dumps({**_LEAST, "lead_id": "#"}).replace('"#"', number)
    assert ContactAtOnceLead.model_validate_json(document).lead_id == text


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1.5", "9007199254740993.0", "1e21"])
def test_a_number_that_is_not_exact_is_no_id(number: str) -> None:
    """Two senders' 1e400 would be one lead, called inf."""
    document = json.dumps({**_LEAST, "lead_id": "#"}).replace('"#"', number)
    with pytest.raises(ValidationError) as caught:
        ContactAtOnceLead.model_validate_json(document)
    assert [error["loc"] for error in caught.value.errors()] == [("lead_id",)]


def test_text_is_read_as_the_fields_type_because_xml_has_nothing_else() -> None:
    payload = ContactAtOnceLead.model_validate(
        _LEAST
        | {
            "test": "true",
            "vehicle": {"mileage": "21840", "price": "27995.00"},
            "call": {"duration_seconds": "187", "answered": "false"},
        }
    )
    assert payload.test
    assert payload.vehicle is not None
    assert (payload.vehicle.mileage, str(payload.vehicle.price)) == (21840, "27995.00")
    assert payload.call is not None
    assert (payload.call.duration_seconds, payload.call.answered) == (187, False)


def test_numbers_are_read_as_ids() -> None:
    payload = ContactAtOnceLead.model_validate(
        {"lead_type": "Chat", "lead_id": 88120977, "dealer": {"id": 40217}, "related_ids": {"call_id": 5}}
    )
    assert (payload.lead_id, payload.dealer.id, payload.related_ids) == (
        "88120977",
        "40217",
        {"call_id": "5"},
    )


def test_the_vehicle_of_interest_comes_first() -> None:
    payload = ContactAtOnceLead.model_validate(
        _LEAST | {"vehicle": {"make": "A"}, "vehicles": [{"make": "B"}, {"make": "C"}]}
    )
    assert [vehicle.make for vehicle in payload.all_vehicles] == ["A", "B", "C"]


def test_what_is_not_listed_stays_where_it_stood() -> None:
    payload = ContactAtOnceLead.model_validate(
        _LEAST
        | {
            "mood": "curious",
            "dealer": {"id": "D", "tags": ["a", {"b": None, "c": True}]},
            "transcript": [{"speaker": "customer", "text": "Hi", "sentiment": 0.5}],
        }
    )
    assert payload.model_extra == {"mood": "curious"}
    assert payload.dealer.model_extra == {"tags": ["a", {"b": None, "c": True}]}
    assert payload.transcript[0].model_extra == {"sentiment": 0.5}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lead_id": None}, "lead_id"),
        ({"lead_id": ""}, "lead_id"),
        ({"lead_type": "chat"}, "lead_type"),
        ({"lead_type": None}, "lead_type"),
        ({"dealer": None}, "dealer"),
        ({"dealer": {}}, "dealer"),
        ({"dealer": {"id": {"a": 1}}}, "dealer"),
        ({"occurred_at": "2026-04-14T11:03:05"}, "occurred_at"),
        ({"transcript": "Hi"}, "transcript"),
        ({"transcript": [{"speaker": "dog", "text": "Wuff"}]}, "transcript"),
        ({"call": {"duration_seconds": -1}}, "call"),
        ({"comments": "a\x00"}, "comments"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_read_as_a_lead(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ContactAtOnceLead.model_validate(_LEAST | change)
    assert caught.value.errors()[0]["loc"][0] == field
