"""The reader that the door and the normalizer share."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.contracts.contactatonce import ContactAtOnceLead
from leadbus.contracts.contactatonce_reading import read_json, read_xml
from leadbus.contracts.examples import CONTACTATONCE
from leadbus.contracts.web_link import is_web_link
from pydantic import ValidationError

LEAST = {"lead_type": "Chat", "lead_id": "1", "dealer": {"id": "D"}}
PARTS = ("name", "id", "price", "mileage", "speaker", "text", "at", "status", "currency", "url", "x\x00")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS), inner, max_size=4),
    max_leaves=10,
)
optional = [name for name in ContactAtOnceLead.model_fields if name not in LEAST]


@pytest.mark.parametrize("name", CONTACTATONCE)
def test_what_is_as_published_is_read_as_published(name: str) -> None:
    reading = read_json(json.dumps(CONTACTATONCE[name]).encode())
    assert reading.unread == ()
    assert reading.payload == ContactAtOnceLead.model_validate(CONTACTATONCE[name])


@settings(max_examples=400, deadline=None)
@given(told=st.dictionaries(st.sampled_from(optional), values, max_size=5))
def test_nothing_but_the_essentials_can_cost_the_lead(told: dict[str, Any]) -> None:
    reading = read_json(json.dumps(LEAST | told).encode())
    assert reading.payload.lead_id == "1"
    assert ContactAtOnceLead.model_validate_json(reading.payload.to_json())
    assert read_xml(json.loads(json.dumps(LEAST | told))).unread == reading.unread


@pytest.mark.parametrize(
    ("told", "locations"),
    [
        ({"lead_type": "chat", "customer": 1}, [("lead_type",)]),
        ({"lead_id": None, "test": "?"}, [("lead_id",)]),
        ({"lead_id": " \x01"}, [("lead_id",)]),
        ({"dealer": [], "vehicles": [1] * 2_000}, [("dealer",)]),
        ({"dealer": {"id": 1.5, "name": {}}}, [("dealer", "id")]),
    ],
    ids=["type", "id", "blank", "dealer", "dealer_id"],
)
def test_without_an_essential_nothing_else_is_complained_about(told: Any, locations: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        read_json(json.dumps(LEAST | told).encode())
    assert [error["loc"] for error in caught.value.errors()] == locations


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"lead"', b"\xff"])
def test_what_is_no_object_is_no_lead(body: bytes) -> None:
    with pytest.raises(ValidationError):
        read_json(body)


@pytest.mark.parametrize(
    ("text", "is_link"),
    [
        ("https://calls.example/1?a=b#c", True),
        (" HTTP://calls.example ", True),
        ("https://bücher.example/ä b", True),
        ("https://", False),
        ("https:///path", False),
        ("//calls.example", False),
        ("www.calls.example", False),
        ("ftp://calls.example/1", False),
        ("javascript:alert(1)//https://a.example", False),
        ("data:text/html,x", False),
        ("https://a.example/\r\nBcc: b@example.com", False),
        ("https://a.example/\x00", False),
        ("https://a.example/\u202egpj.exe", False),
        ("", False),
    ],
)
def test_web_links(text: str, is_link: bool) -> None:
    assert is_web_link(text) is is_link
