"""Alfa-Track's pushes: the contract, and the reader that lets nothing but the essentials cost a push."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from leadbus.contracts.alfatrack import LABELS, AlfaTrackKnowledge, AlfaTrackLead, AtParameters
from leadbus.contracts.alfatrack_reading import read_json
from leadbus.contracts.attribution import Attribution
from leadbus.contracts.examples.alfatrack import ALFATRACK_KNOWLEDGE, ALFATRACK_LEADS
from pydantic import ValidationError

LEAST = {"event": "lead", "type": "form", "lead_id": "1", "project": {"id": "P"}}
LEAST_KNOWLEDGE = {"event": "knowledge", "lead_id": "1"}
PARTS = ("name", "id", "email", "value", "as_of", "source", "speaker", "text", "at", "answered", "x\x00")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS), inner, max_size=4),
    max_leaves=10,
)
optional = sorted(AlfaTrackLead.model_fields.keys() - LEAST.keys())


def body(told: Any) -> bytes:
    return json.dumps(told).encode()


@pytest.mark.parametrize("name", ALFATRACK_LEADS)
def test_what_is_as_published_is_read_as_published(name: str) -> None:
    reading = read_json(body(ALFATRACK_LEADS[name]))
    assert reading.unread == ()
    assert reading.payload == AlfaTrackLead.model_validate(ALFATRACK_LEADS[name])
    assert isinstance(reading.payload, AlfaTrackLead)
    assert reading.payload.type == name


def test_knowledge_is_read_as_published() -> None:
    reading = read_json(body(ALFATRACK_KNOWLEDGE))
    assert reading.unread == ()
    assert isinstance(reading.payload, AlfaTrackKnowledge)
    keyword = reading.payload.parameters.keyword
    assert keyword is not None
    assert (keyword.value, keyword.as_of is not None) == ("купить кроссовер", True)


def test_the_parameters_are_those_of_an_attribution() -> None:
    keys = set(Attribution.model_fields) - {"known_at"}
    assert len(keys) == 18
    assert keys == set(AtParameters.model_fields) == set(LABELS.values())


@pytest.mark.parametrize(("label", "key"), LABELS.items(), ids=LABELS.values())
def test_each_parameter_may_stand_under_its_label(label: str, key: str) -> None:
    for written in (label, label.upper(), f" {label.replace(' ', '  ')} "):
        payload = read_json(body({**LEAST_KNOWLEDGE, "parameters": {written: "v"}})).payload
        assert getattr(payload.parameters, key).value == "v"
        assert payload.parameters.model_extra == {}


def test_a_label_does_not_replace_its_key() -> None:
    payload = read_json(body({**LEAST_KNOWLEDGE, "parameters": {"Город": "B", "city": "A"}})).payload
    assert payload.parameters.city is not None
    assert payload.parameters.city.value == "A"
    assert payload.parameters.model_extra == {"Город": "B"}


@pytest.mark.parametrize(
    ("case", "told", "unread"),
    [
        ("null", {"client": None, "as_of": None}, []),
        ("number for text", {"client": {"name": 7, "phone": 491711234567}}, []),
        ("nul", {"message": "a\x00b", "client": {"name": "c\x00d"}}, []),
        ("bare client", {"client": "Ann"}, [("client", "Ann")]),
        ("client list", {"client": ["a"]}, [("client", '["a"]')]),
        ("moment", {"as_of": "soon"}, [("as_of", "soon")]),
        ("moment without offset", {"as_of": "2026-04-14T10:00:00"}, [("as_of", "2026-04-14T10:00:00")]),
        ("parameters", {"parameters": ["a"]}, [("parameters", '["a"]')]),
        ("parameter", {"parameters": {"city": ["a"]}}, [("parameters.city", '["a"]')]),
        ("parameter number", {"parameters": {"city": 1.5}}, [("parameters.city", "1.5")]),
        ("no value", {"parameters": {"city": {"as_of": None}}}, [("parameters.city", '{"as_of":null}')]),
        (
            "its moment",
            {"parameters": {"city": {"value": "A", "as_of": 1e30}}},
            [("parameters.city.as_of", "1e+30")],
        ),
        ("line", {"transcript": ["Hi", {"text": "b"}]}, [("transcript.0", "Hi")]),
        ("lines", {"transcript": ["a", {}, "c"]}, [("transcript.2", "c"), ("transcript.0", "a")]),
        ("speaker", {"transcript": [{"speaker": "robot", "text": "b"}]}, [("transcript.0.speaker", "robot")]),
        ("link", {"call": {"recording_url": "file:///x"}}, [("call.recording_url", "file:///x")]),
        ("many", {"transcript": ["a"] * 51}, [("transcript", json.dumps(["a"] * 51, separators=(",", ":")))]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_told_and_costs_itself_only(case: str, told: Any, unread: Any) -> None:
    reading = read_json(body(LEAST | told))
    assert [(one.path, one.value) for one in reading.unread] == unread
    assert reading.payload.lead_id == "1"


def test_a_text_loses_its_nul_and_nothing_else() -> None:
    payload = read_json(body({**LEAST, "message": "a\x00b"})).payload
    assert isinstance(payload, AlfaTrackLead)
    assert payload.message == "ab"


def test_above_a_thousand_faults_containers_go_whole_and_the_rest_stays() -> None:
    told = {**LEAST, "message": "Hello", "transcript": [1] * 1_001, "client": {"name": "Ann"}}
    reading = read_json(body(told))
    assert sorted(one.path for one in reading.unread) == ["client", "transcript"]
    assert isinstance(reading.payload, AlfaTrackLead)
    assert reading.payload.message == "Hello"


@pytest.mark.parametrize(
    ("told", "location"),
    [
        ({"event": "news"}, ("event",)),
        ({"event": None}, ("event",)),
        ({"type": " "}, ("type",)),
        ({"type": None}, ("type",)),
        ({"lead_id": {}}, ("lead_id",)),
        ({"lead_id": " \x01"}, ("lead_id",)),
        ({"project": None}, ("project",)),
        ({"project": {}, "client": 1}, ("project", "id")),
        ({"project": {"id": "x" * 201, "name": []}}, ("project", "id")),
    ],
    ids=["event", "no event", "type", "no type", "lead id", "blank id", "project", "no project id", "long"],
)
def test_without_an_essential_nothing_else_is_complained_about(told: Any, location: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        read_json(body(LEAST | told))
    assert [error["loc"] for error in caught.value.errors()] == [location]


def test_knowledge_needs_no_project_and_no_type() -> None:
    reading = read_json(body({**LEAST_KNOWLEDGE, "project": {"name": "N"}}))
    assert [(one.path, one.value) for one in reading.unread] == [("project", '{"name":"N"}')]
    assert isinstance(reading.payload, AlfaTrackKnowledge)
    assert reading.payload.project is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'"lead"', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_no_push(data: bytes) -> None:
    with pytest.raises(ValidationError):
        read_json(data)


@settings(max_examples=400, deadline=None)
@given(told=st.dictionaries(st.sampled_from(optional), values, max_size=5))
@example(told={"parameters": {"source": {"value": {}}, "Источник": {"value": 1}}})
@example(told={"transcript": [{"text": "\x00", "at": "\x00"}], "call": {"answered": "\x00"}})
@example(told={"project": {"id": "P", "name": {"x\x00": float("nan")}}})
def test_nothing_but_the_essentials_can_cost_a_push(told: dict[str, Any]) -> None:
    told = {name: value for name, value in told.items() if name != "project"}
    for least in (LEAST, LEAST_KNOWLEDGE):
        reading = read_json(body(least | told))
        assert reading.payload.lead_id == "1"
        assert read_json(reading.payload.to_json()).unread == ()
