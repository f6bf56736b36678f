"""BDK leads that are none: what is refused, and that nothing else ever happens."""

from __future__ import annotations

import codecs
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from leadbus.contracts.bdk import BdkLead
from leadbus.contracts.examples.bdk import BDK
from normalizer.domain.placing import Origin, place
from normalizer.domain.rejection import Rejection
from normalizer.sources.bdk import read

from tests.support.bdk import AT, JSON, LEAST, tell


@pytest.mark.parametrize("content_type", [JSON, "application/vnd.bdk+json;charset=utf-8", None, "text/plain"])
def test_the_content_type_may_say_little(content_type: str | None) -> None:
    body = codecs.BOM_UTF8 + json.dumps(LEAST, ensure_ascii=False).encode()
    assert read(body, content_type).external_id == "LS-1"


@pytest.mark.parametrize(
    ("told", "field", "kind"),
    [
        ({"leadId": None}, "leadId", "null"),
        ({"leadId": " "}, "leadId", "string"),
        ({"leadId": ["mats@example.org"]}, "leadId", "array"),
        ({"partnerNumber": None, "customer": 5}, "partnerNumber", "null"),
        ({"partnerNumber": {"mats@example.org": 1}}, "partnerNumber", "object"),
        ({"partnerNumber": "9" * 5000, "bdkLeadTypeId": []}, "partnerNumber", "string"),
    ],
)
def test_unreadable_leads_say_where_and_nothing_of_what(told: Any, field: str, kind: str) -> None:
    with pytest.raises(Rejection) as caught:
        tell(**told)
    refused = caught.value
    assert (refused.reason, refused.field, refused.kind) == ("payload_invalid", field, kind)
    assert "mats" not in str(refused)


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"", JSON, "undecodable"),
        (b"{", JSON, "undecodable"),
        (b'{"leadId": "\xff"}', JSON, "undecodable"),
        (b"[" * 100_000, JSON, "undecodable"),
        (b"[]", JSON, "payload_invalid"),
        (b"null", JSON, "payload_invalid"),
        (b"{}", JSON, "payload_invalid"),
        (b"<lead/>", None, "unsupported_type"),
        (b"<lead/>", "text/xml", "unsupported_type"),
        (b"<html>", "text/html", "unsupported_type"),
    ],
)
def test_what_is_no_lead(body: bytes, content_type: Any, reason: str) -> None:
    with pytest.raises(Rejection) as caught:
        read(body, content_type)
    assert caught.value.reason == reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    sorted(
        {
            *(field.serialization_alias or "" for field in BdkLead.model_fields.values()),
            *("bdkLeadTypeld", "first_name", "email", "phone", "vin", "price", "product", "endsOn", "number"),
        }
    )
)
nearly = st.dictionaries(names, json_values | st.dictionaries(names, json_values, max_size=4), max_size=6)


@st.composite
def damaged_leads(draw: Any) -> dict[str, Any]:
    base = json.loads(json.dumps(draw(st.sampled_from(list(BDK.values())))))
    base |= draw(nearly)
    for part in ("customer", "vehicle", "finance", "contract"):
        if isinstance(base.get(part), dict):
            base[part] |= draw(st.dictionaries(names, json_values, max_size=3))
    return dict(base)


def outcome(body: bytes, content_type: str | None, dealer: Any) -> None:
    """Either a draft that makes a lead which can be written down, or the named error."""
    try:
        draft = read(body, content_type)
    except Rejection:
        return
    lead = place(draft, Origin("bdk", "a", AT), dealer)
    document = lead.to_json()
    assert b"\\u0000" not in document
    assert type(lead).model_validate_json(document) == lead


@settings(max_examples=200, deadline=None)
@given(told=damaged_leads())
@example(told={**BDK["1e"], "vehicle": {"price": 1e308, "mileage": 10**30, "modelYear": 10**30}})
def test_any_json_is_a_lead_or_a_rejection(dealer: Any, told: Any) -> None:
    outcome(json.dumps(told).encode(), JSON, dealer)


@settings(max_examples=200, deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.tuples(st.binary(max_size=20), st.integers(0, 700)).map(
        lambda cut: (
            json.dumps(BDK["6b"]).encode()[: cut[1]] + cut[0] + json.dumps(BDK["6b"]).encode()[cut[1] :]
        )
    ),
    content_type=st.sampled_from([None, JSON, "application/xml", "text/plain", ";", "é"]),
)
def test_any_bytes_are_a_lead_or_a_rejection(dealer: Any, body: bytes, content_type: Any) -> None:
    outcome(body, content_type, dealer)
