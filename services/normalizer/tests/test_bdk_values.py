"""What BDK leads tell of vehicles, money, persons and times: read where its meaning is plain, else kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from leadbus.contracts.examples.bdk import BDK
from normalizer.domain.placing import Origin, place
from normalizer.sources.bdk import read

from tests.support.bdk import AT, JSON, codes, tell


@pytest.mark.parametrize(
    ("type_id", "finance", "interest"),
    [
        ("2c", None, "lease"),
        ("6c", None, "lease"),
        ("1a", {"product": "Leasing"}, "lease"),
        ("2b", None, "buy"),
        ("1a", None, "buy"),
        ("3d", None, "trade_in"),
    ],
)
def test_what_the_person_wants_to_do_with_the_vehicle(type_id: str, finance: Any, interest: str) -> None:
    assert tell(type_id, vehicle={"make": "VW"}, finance=finance).vehicles[0].interest == interest


def test_without_a_sum_there_is_no_currency() -> None:
    finance = tell(finance={"termMonths": 48}).finance
    assert finance is not None
    assert (finance.term_months, finance.currency) == (48, None)


def test_figures_of_a_financing(dealer: Any) -> None:
    draft = read(json.dumps(BDK["6b"]).encode(), JSON)
    finance = draft.finance
    assert finance is not None
    assert (finance.product, finance.currency, finance.term_months) == ("financing", "EUR", 48)
    assert (finance.down_payment, finance.monthly) == (Decimal("5000.00"), Decimal("389.00"))
    assert finance.distance_per_year is not None
    assert (finance.distance_per_year.value, finance.distance_per_year.units) == (12000, "km")
    assert draft.vehicles[0].prices[0].amount == Decimal("34250.00")
    assert (draft.name.first, draft.name.last) == ("Ayşe", "Yıldız-Petersen")


def test_the_contract_that_ends(dealer: Any) -> None:
    lead = place(read(json.dumps(BDK["3d"]).encode(), JSON), Origin("bdk", "a", AT), dealer)
    assert lead.contract is not None
    assert lead.contract.wire() == {"number": "L-20230418", "kind": "Leasing", "ends_on": "2026-07-31"}
    assert "inquiry" not in lead.intents


@pytest.mark.parametrize(
    ("written", "ends_on", "warnings"),
    [
        ("31.07.2026", "2026-07-31", []),
        ("2026-07-31", "2026-07-31", []),
        ("im Sommer", None, [("value_unread", "contract.ends_on")]),
    ],
)
def test_when_a_contract_ends(written: str, ends_on: str | None, warnings: Any) -> None:
    draft = tell("3d", contract={"endsOn": written})
    assert draft.contract is not None
    assert (draft.contract.ends_on, codes(draft)) == (ends_on, warnings)
    assert draft.extras.get("contract.endsOn") == (None if written == ends_on else written)


@pytest.mark.parametrize(
    ("type_id", "told", "product", "precheck", "warnings"),
    [
        ("1a", {"product": "Leasing"}, "leasing", "not_stated", []),
        ("1a", {"product": "Abo"}, None, "not_stated", [("value_unread", "finance.product")]),
        ("2a", {"product": "Barkauf"}, "cash", "not_stated", [("lead_type_unknown", "source_type")]),
        ("6a", {"product": "cash"}, "cash", "not_stated", []),
        ("6a", {"product": "leasing"}, "cash", "not_stated", [("finance_conflict", "finance.product")]),
        ("1a", {"precheck": "positiv"}, None, "positive", []),
        ("8b", {"precheck": "positive"}, None, "negative", [("finance_conflict", "finance.precheck")]),
        ("1a", {"precheck": "approved"}, None, "not_stated", [("value_unread", "finance.precheck")]),
        ("1a", {"precheck": "genehmigt"}, None, "not_stated", [("value_unread", "finance.precheck")]),
    ],
)
def test_what_the_lead_says_of_paying(
    type_id: str, told: Any, product: Any, precheck: str, warnings: Any
) -> None:
    draft = tell(type_id, finance=told)
    stated = (draft.finance.product, draft.finance.precheck) if draft.finance else (None, "not_stated")
    assert stated == (product, precheck)
    assert codes(draft) == warnings
    assert (product in draft.intents) == (product is not None)
    assert {f"finance.{name}": value for name, value in told.items()}.items() <= draft.extras.items()


@pytest.mark.parametrize(
    ("written", "at", "warning"),
    [
        ("2026-04-14T10:22:31", datetime(2026, 4, 14, 8, 22, 31, tzinfo=UTC), "zone_assumed"),
        ("14.04.2026 10:22", datetime(2026, 4, 14, 8, 22, tzinfo=UTC), "zone_assumed"),
        ("gestern", None, "value_unread"),
        ("0001-01-01T00:00:00Z", None, "time_implausible"),
    ],
)
def test_a_doubtful_time_is_kept(written: str, at: Any, warning: str) -> None:
    draft = tell(createdAt=written)
    assert (draft.occurred_at, draft.consent.at) == (at, at)
    assert (draft.extras["createdAt"], codes(draft)) == (written, [(warning, "occurred_at")])


@pytest.mark.parametrize(
    ("customer", "full", "first", "last", "salutation"),
    [
        ({"name": "Herr Jan de Vries"}, "Herr Jan de Vries", "Jan", "de Vries", "Herr"),
        ({"salutation": "Frau", "lastName": "Öztürk"}, "Öztürk", None, "Öztürk", "Frau"),
        ({"firstName": "Anna Maria Koch"}, "Anna Maria Koch", "Anna", "Koch", None),
        ({"first": "Anna", "last": "Koch"}, "Anna Koch", "Anna", "Koch", None),
        ({"salutation": "Herr"}, None, None, None, "Herr"),
        ({}, None, None, None, None),
    ],
)
def test_names(customer: Any, full: Any, first: Any, last: Any, salutation: Any) -> None:
    name = tell(customer=customer).name
    assert (name.full, name.first, name.last, name.salutation) == (full, first, last, salutation)


@pytest.mark.parametrize(
    ("customer", "kept"),
    [
        ({"name": "Jan Koch", "firstName": "Johannes"}, {"customer.firstName": "Johannes"}),
        ({"name": "Jan Koch", "lastName": "Kochmann"}, {"customer.lastName": "Kochmann"}),
        ({"name": "Jan Koch", "firstName": "Jan"}, {}),
        ({"name": "J. K.", "firstName": "Jan", "lastName": "Koch"}, {}),
        ({"firstName": "Jan Koch"}, {"customer.firstName": "Jan Koch"}),
    ],
)
def test_a_part_of_a_name_that_was_read_otherwise_is_kept(customer: Any, kept: Any) -> None:
    extras = tell(customer=customer).extras
    assert {name: value for name, value in extras.items() if name.startswith("customer.")} == kept


def test_a_currency_without_a_price_is_kept() -> None:
    assert tell(vehicle={"currency": "CHF"}).extras["vehicle.currency"] == "CHF"
    assert "vehicle.currency" not in tell(vehicle={"currency": "CHF", "price": 1}).extras


def test_one_number_told_as_both_is_a_mobile() -> None:
    (phone,) = tell(customer={"phone": "0151 5550148", "mobile": "0151 5550148"}).phones
    assert phone.type == "cellphone"


def test_a_business() -> None:
    company = tell(customer={"company": "Kutter Kiel GmbH"}).company
    assert company is not None
    assert company.name == "Kutter Kiel GmbH"


def test_doubtful_values_warn_and_stay(dealer: Any) -> None:
    draft = tell(
        customer={"phone": "frag Bob", "email": "keine", "mobile": ["1"], "address": 5},
        vehicle={"vin": "1M8GDM9AXKPO42788", "listingUrl": "javascript:alert(1)", "mileage": "viele"},
        finance={"monthlyRate": "wenig"},
        test="vielleicht",
    )
    lead = place(draft, Origin("bdk", "a", AT), dealer)
    assert {(warning.code, warning.field) for warning in lead.warnings} == {
        ("value_unread", "customer.phones"),
        ("value_unread", "customer.addresses"),
        ("value_unread", "vehicles.0.odometer"),
        ("value_unread", "finance.monthly"),
        ("value_unread", "test"),
        ("phone_unreadable", "customer.phones.0"),
        ("email_invalid", "customer.emails.0"),
        ("vin_alphabet", "vehicles.0.vin"),
        ("link_unusable", "vehicles.0.url"),
    }
    assert {
        "customer.mobile": '["1"]',
        "customer.address": "5",
        "vehicle.vin": "1M8GDM9AXKPO42788",
        "vehicle.listingUrl": "javascript:alert(1)",
        "vehicle.mileage": "viele",
        "finance.monthlyRate": "wenig",
        "test": "vielleicht",
    }.items() <= lead.extras.items()
    assert lead.customer.phones[0].raw == "frag Bob"


def test_a_wrong_check_digit_only_warns() -> None:
    draft = tell(vehicle={"vin": "WVWZZZ1JZXW000001"})
    assert (draft.vehicles[0].vin, draft.vehicles[0].vin_warning) == ("WVWZZZ1JZXW000001", "check_digit")


def test_what_has_no_field_is_kept() -> None:
    draft = tell(
        score=0.75,
        partner={"name": "Nord"},
        vehicle={"make": "VW", "firstRegistration": "03/2021", "features": ["AHK", {"code": 7}]},
        customer={"preferredContact": "phone"},
    )
    assert {
        "score": "0.75",
        "partner.name": "Nord",
        "vehicle.firstRegistration": "03/2021",
        "vehicle.features.0": "AHK",
        "vehicle.features.1.code": "7",
        "customer.preferredContact": "phone",
    }.items() <= draft.extras.items()


def test_data_of_birth_is_in_no_lead(dealer: Any) -> None:
    draft = tell(customer={"dateOfBirth": "1980-02-03", "name": "Jan Koch"})
    assert "1980" not in place(draft, Origin("bdk", "a", AT), dealer).model_dump_json()
    assert codes(draft) == [("birth_data_left_out", "customer")]


def test_a_message_in_html_is_read_as_text() -> None:
    assert tell(message="<p>Guten Tag,</p><p>a &lt; b</p>").message == "Guten Tag,\n\na < b"
    assert tell(message="a < b").message == "a < b"


def test_half_of_an_emoji_does_not_cost_the_lead() -> None:
    draft = tell(message="Bis dann \ud83d")
    assert (draft.message, codes(draft)) == ("Bis dann \ufffd", [("half_surrogate", "raw")])
