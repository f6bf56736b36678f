"""What the BDK Leadservice tells, as published and as it comes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from leadbus.contracts.bdk import BdkLead, BdkNotification
from leadbus.contracts.bdk_figures import plain_count, plain_figure
from leadbus.contracts.bdk_reading import read_lead, read_notification
from leadbus.contracts.examples.bdk import BDK, BDK_THIN
from leadbus.contracts.publishing.schemas import json_schema
from pydantic import ValidationError

LEAST = {"leadId": "1", "partnerNumber": "P"}


def tell(**fields: Any) -> Any:
    return read_lead(json.dumps(LEAST | fields).encode())


@pytest.mark.parametrize("type_id", BDK)
def test_what_is_as_published_is_read_as_published(type_id: str) -> None:
    reading = read_lead(json.dumps(BDK[type_id]).encode())
    assert reading.notes == ()
    assert reading.payload == BdkLead.model_validate(BDK[type_id])
    assert reading.payload.lead_type_id == type_id
    assert reading.payload.model_extra == {}


def test_a_thin_notification_names_its_lead() -> None:
    notification = read_notification(json.dumps(BDK_THIN).encode()).payload
    assert (notification.lead_id, notification.partner_number) == ("LS-4400181", "0047110")
    assert (notification.lead_type_id, notification.fat) == ("1e", False)


@pytest.mark.parametrize(
    ("told", "fat"),
    [
        ({}, False),
        ({"customer": None, "vehicle": {}, "message": ""}, False),
        ({"event": "created", "version": 3}, False),
        ({"customer": {"name": "A"}}, True),
        ({"contract": {"endsOn": "2026-07-31"}}, True),
        ({"message": "Hallo"}, True),
    ],
)
def test_a_fat_notification_is_the_lead(told: Any, fat: bool) -> None:
    assert read_notification(json.dumps({"leadId": 7} | told).encode()).payload.fat is fat


def test_of_a_notification_only_the_lead_id_matters() -> None:
    reading = read_notification(json.dumps({"leadId": 7, "partnerNumber": [], "occurredAt": {}}).encode())
    assert reading.payload == BdkNotification(lead_id="7")
    assert [note.path for note in reading.notes] == ["partnerNumber", "occurredAt"]
    with pytest.raises(ValidationError):
        read_notification(b'{"partnerNumber": "P"}')


@pytest.mark.parametrize(
    ("told", "type_id", "kept"),
    [
        ({"bdkLeadTypeId": "1a"}, "1a", {}),
        ({"bdkLeadTypeld": "1a"}, "1a", {}),
        ({"bdkLeadTypeId": "1a", "bdkLeadTypeld": "1b"}, "1a", {"bdkLeadTypeld": "1b"}),
        ({"bdkLeadTypeld": "1b", "bdkLeadTypeId": "1a"}, "1a", {"bdkLeadTypeld": "1b"}),
        ({"bdkLeadTypeId": None, "bdkLeadTypeld": "1b"}, "1b", {}),
        ({"bdkLeadTypeId": [], "bdkLeadTypeld": "1b"}, "1b", {}),
        ({"bdkLeadTypeId": [], "bdkLeadTypeld": {}}, None, {}),
        ({"lead_type_id": "1a"}, "1a", {}),
        ({}, None, {}),
    ],
)
def test_both_spellings_of_the_type(told: Any, type_id: str | None, kept: Any) -> None:
    payload = tell(**told).payload
    assert (payload.lead_type_id, payload.model_extra) == (type_id, kept)


def test_it_is_written_by_its_right_name() -> None:
    assert json.loads(tell(bdkLeadTypeld="1a").payload.to_json())["bdkLeadTypeId"] == "1a"


def test_names_in_snake_case() -> None:
    payload = tell(
        created_at="2026-04-14T10:00:00Z",
        customer={"first_name": "A", "last": "B", "address": {"postal_code": 24103}},
        finance={"down_payment": 5, "downPayment": 6},
    ).payload
    assert (payload.created_at, payload.customer.first_name) == ("2026-04-14T10:00:00Z", "A")
    assert payload.customer.last_name == "B"
    assert payload.customer.address.postal_code == "24103"
    assert payload.finance.down_payment == 6
    assert payload.finance.model_extra == {"down_payment": 5}


@pytest.mark.parametrize(
    ("told", "at", "kept"),
    [
        ({"occurredAt": "a"}, "a", {}),
        ({"occurredAt": "a", "createdAt": "b"}, "b", {"occurredAt": "a"}),
    ],
)
def test_when_it_came_into_being(told: Any, at: str, kept: Any) -> None:
    assert (tell(**told).payload.created_at, tell(**told).payload.model_extra) == (at, kept)


@pytest.mark.parametrize(
    ("written", "figure", "count"),
    [
        ("24990", "24990", "24990"),
        ("24990.00", "24990.00", "24990"),
        ("24990,5", "24990.5", None),
        ("24.990", "24990", "24990"),
        ("24.990,00 €", "24990.00", "24990"),
        ("1.024.990", "1024990", "1024990"),
        ("24.990,-", "24990", "24990"),
        ("24.990,-- EUR", "24990", "24990"),
        ("EUR 24 990", "24990", "24990"),
        ("24,990.00", "24990.00", "24990"),
        ("1.5", "1.5", None),
        ("12.000 km", "12000", "12000"),
        ("48 Monate", "48", "48"),
        ("24,990", None, None),
        ("1234.567", None, None),
        ("24.99.0", None, None),
        ("-5", None, None),
        ("24.990 USD", None, None),
        ("12 leagues", None, None),
        ("1e3", None, None),
        ("²", None, None),
        ("1" * 50, None, None),
        ("", None, None),
    ],
)
def test_figures_as_written_in_germany(written: str, figure: str | None, count: str | None) -> None:
    assert (plain_figure(written), plain_count(written)) == (figure, count)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({"price": 24990.5}, Decimal("24990.5")),
        ({"price": "24.990"}, Decimal(24990)),
        ({"price": -1}, None),
        ({"price": 1e300}, None),
        ({"price": float("nan")}, None),
        ({"price": True}, None),
    ],
)
def test_a_sum(told: Any, read: Any) -> None:
    reading = tell(vehicle=told)
    assert reading.payload.vehicle.price == read
    assert [note.path for note in reading.notes] == ([] if read is not None else ["vehicle.price"])


@pytest.mark.parametrize(
    ("field", "written", "read"),
    [
        ("mileage", "12.000", 12000),
        ("mileage", 12.0, 12),
        ("mileage", 12.5, None),
        ("mileage", True, None),
        ("mileage", 10**12, None),
        ("isNew", "Neu", True),
        ("isNew", "gebraucht", False),
        ("isNew", "Jahreswagen", None),
        ("currency", "€", "EUR"),
        ("currency", "chf", "CHF"),
        ("currency", "Franken", None),
        ("model", 911, "911"),
        ("make", ["VW", "Audi"], None),
    ],
)
def test_values_of_a_vehicle(field: str, written: Any, read: Any) -> None:
    reading = tell(vehicle={field: written})
    assert reading.payload.vehicle.model_dump(by_alias=True).get(field) == read
    assert [note.path for note in reading.notes] == ([] if read is not None else [f"vehicle.{field}"])


def test_what_does_not_fit_is_told_word_for_word() -> None:
    reading = tell(customer={"phone": ["1", "ü"], "email": "a@example.org"}, vehicle="ein Audi", test="?")
    assert reading.payload.customer.email == "a@example.org"
    assert {note.path: note.value for note in reading.notes} == {
        "customer.phone": '["1","ü"]',
        "vehicle": "ein Audi",
        "test": "?",
    }


@pytest.mark.parametrize(
    "told",
    [
        {"customer": {"dateOfBirth": "1980-02-03"}},
        {"customer": {"Geburtsdatum": "03.02.1980", "geburtsort": "Kiel"}},
        {"applicants": [{"birth_date": "1980-02-03"}, {"dob": "1980-02-03"}]},
    ],
)
def test_no_lead_carries_data_of_birth(told: Any) -> None:
    reading = tell(**told)
    assert "1980" not in reading.payload.model_dump_json()
    assert [(note.code, note.value) for note in reading.notes] == [("birth_data_left_out", "")]


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (b"", ()),
        (b"{", ()),
        (b"[]", ()),
        (b"null", ()),
        (b'"lead"', ()),
        (b"\xff", ()),
        (b"[" * 10_000, ()),
        (b"{}", ("leadId",)),
        (b'{"leadId": null, "partnerNumber": "P"}', ("leadId",)),
        (b'{"leadId": " ", "partnerNumber": "P"}', ("leadId",)),
        (b'{"leadId": 1e400, "partnerNumber": "P"}', ("leadId",)),
        (b'{"leadId": 1.5, "partnerNumber": "P", "bdkLeadTypeId": []}', ("leadId",)),
        (b'{"leadId": 1}', ("partnerNumber",)),
        (b'{"leadId": 1, "partnerNumber": {}}', ("partnerNumber",)),
        (b'{"leadId": 1, "partner_number": {}, "customer": 5}', ("partnerNumber",)),
        (b'{"leadId": 1, "partnerNumber": "%s"}' % (b"9" * 201), ("partnerNumber",)),
    ],
)
def test_what_is_no_lead(body: bytes, location: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        read_lead(body)
    assert caught.value.errors()[0]["loc"] == location


def test_nul_characters_cost_nothing() -> None:
    payload = tell(customer={"name": "A\x00B", "nick\x00": ["\x00c"]}, **{"x\x00": "\x00"}).payload
    assert (payload.customer.name, payload.customer.model_extra) == ("AB", {"nick": ["c"]})
    assert payload.model_extra == {"x": ""}


NAMES = sorted(
    {*BdkLead.model_json_schema()["properties"], "bdkLeadTypeld", "first", "price", "name", "x\x00"}
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=10,
)
optional = [name for name in NAMES if name not in LEAST]


@settings(max_examples=300, deadline=None)
@given(told=st.dictionaries(st.sampled_from(optional), values, max_size=5))
@example(told={"bdkLeadTypeId": [], "bdkLeadTypeld": []})
def test_nothing_but_the_essentials_can_cost_the_lead(told: dict[str, Any]) -> None:
    payload = tell(**told).payload
    assert (payload.lead_id, payload.partner_number) == ("1", "P")
    assert BdkLead.model_validate_json(payload.to_json()).lead_id == "1"


@settings(max_examples=200, deadline=None)
@given(written=st.text(alphabet="0123456789.,' €-EURkm", max_size=12))
def test_a_figure_is_a_plain_decimal_of_the_same_digits(written: str) -> None:
    plain = plain_figure(written)
    if plain is not None:
        assert Decimal(plain) >= 0
        assert plain.replace(".", "") == "".join(char for char in written if char.isdigit())


@pytest.mark.parametrize("told", [*BDK.values(), {**BDK["1e"], "bdkLeadTypeId": "99z", "score": 1}])
def test_the_published_schema_takes_what_is_published(told: Any) -> None:
    Draft202012Validator(json_schema("raw.bdk.v1", BdkLead)).validate(json.loads(json.dumps(told)))


@pytest.mark.parametrize("told", [{"leadId": "1"}, {**BDK["1e"], "vehicle": 5}, {**BDK["1e"], "leadId": []}])
def test_the_published_schema_refuses_what_is_not_meant(told: Any) -> None:
    assert not Draft202012Validator(json_schema("raw.bdk.v1", BdkLead)).is_valid(told)
