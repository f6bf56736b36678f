"""BDK leads: every type by its id, what is kept, what is refused, and that nothing else happens."""

from __future__ import annotations

import codecs
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from leadbus.contracts.bdk import BdkLead
from leadbus.contracts.examples.bdk import BDK
from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, place
from normalizer.domain.rejection import Rejection
from normalizer.sources.bdk import PROVIDER, read
from normalizer.sources.bdk_types import TYPES

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
JSON = "application/json"
LEAST = {"leadId": "LS-1", "partnerNumber": "0047110"}


def tell(type_id: Any = "1a", /, **fields: Any) -> Draft:
    return read(json.dumps({**LEAST, "bdkLeadTypeId": type_id, **fields}).encode(), JSON)


def codes(draft: Draft) -> list[tuple[str, str]]:
    return [(warning.code, warning.field) for warning in draft.warnings]


INQUIRIES: list[tuple[Any, ...]] = [
    ("1a", "portal", [], "normal", "form", None, "not_stated"),
    ("1b", "portal", ["test_drive"], "high", "form", None, "not_stated"),
    ("1c", "portal", [], "normal", "form", None, "done_unknown"),
    ("1d", "portal", [], "high", "form", None, "positive"),
    ("1e", "portal", ["test_drive"], "high", "form", None, "positive"),
    ("1f", "portal", ["callback"], "high", "form", None, "not_stated"),
    ("2b", "form", ["financing"], "normal", "form", "financing", "not_stated"),
    ("2c", "form", ["leasing"], "normal", "form", "leasing", "not_stated"),
    ("3a", "unknown", [], "normal", "request", None, "not_stated"),
    ("3b", "unknown", [], "normal", "request", None, "not_stated"),
    ("5a", "unknown", ["campaign"], "normal", "request", None, "not_stated"),
    ("6a", "form", ["configuration", "cash"], "normal", "form", "cash", "not_stated"),
    ("6b", "form", ["configuration", "financing"], "normal", "form", "financing", "not_stated"),
    ("6c", "form", ["configuration", "leasing"], "normal", "form", "leasing", "not_stated"),
    ("7a", "portal", [], "high", "form", None, "not_stated"),
    ("7b", "portal", ["test_drive"], "high", "form", None, "not_stated"),
    ("7c", "portal", [], "high", "form", None, "done_unknown"),
    ("7d", "portal", [], "high", "form", None, "positive"),
    ("7e", "portal", ["test_drive"], "highest", "form", None, "positive"),
    ("7f", "portal", ["callback"], "high", "form", None, "not_stated"),
    ("8a", "portal", [], "high", "form", None, "positive"),
    ("8b", "portal", [], "normal", "form", None, "negative"),
    ("8c", "portal", [], "normal", "form", None, "none"),
]
"""Channel, wishes beside the inquiry, urgency, consent, product, credit check beforehand."""


@pytest.mark.parametrize(
    ("case", "channel", "wishes", "urgency", "consent", "product", "precheck"),
    INQUIRIES,
    ids=[row[0] for row in INQUIRIES],
)
def test_a_lead_type_is_an_inquiry(
    case: str, channel: str, wishes: list[str], urgency: str, consent: str, product: Any, precheck: str
) -> None:
    draft = tell(case)
    assert draft.source_type == case
    assert (draft.channel, draft.urgency, draft.answer_expected) == (channel, urgency, True)
    assert sorted(draft.intents) == sorted(["inquiry", *wishes])
    assert (draft.consent.basis, draft.consent.purposes) == (consent, ("reply", "sales"))
    stated = (draft.finance.product, draft.finance.precheck) if draft.finance else (None, "not_stated")
    assert stated == (product, precheck)
    assert draft.contract is None
    assert not {"lead_type_unknown", "lead_type_missing"} & {code for code, _ in codes(draft)}


def test_every_type_has_its_case() -> None:
    assert sorted([*(row[0] for row in INQUIRIES), "3c", "3d"]) == sorted(TYPES.types)


@pytest.mark.parametrize(("case", "kind"), [("3c", "financing"), ("3d", "leasing")], ids=["3c", "3d"])
def test_an_expiring_contract_is_no_inquiry(case: str, kind: str) -> None:
    draft = tell(case, createdAt="2026-04-15T06:00:00Z", vehicle={"make": "Skoda"})
    assert (draft.source_type, draft.intents) == (case, ("contract_expiry",))
    assert (draft.answer_expected, draft.urgency) == (False, "normal")
    assert (draft.consent.basis, draft.consent.purposes, draft.consent.at) == ("none", (), None)
    assert draft.contract is not None
    assert draft.contract.kind == kind
    (vehicle,) = draft.vehicles
    assert (vehicle.interest, vehicle.wanted) == ("trade_in", False)
    assert draft.extras["bdkLeadType.trigger"] == "contract_expiry"


@pytest.mark.parametrize(
    ("case", "hint"),
    [("7d", "financing_wish"), ("7e", "reservation"), ("7f", "financing_wish")],
    ids=["7d", "7e", "7f"],
)
def test_an_ambiguous_type_says_so(case: str, hint: str) -> None:
    draft = tell(case)
    (warning,) = draft.warnings
    assert (warning.code, warning.field) == ("lead_type_ambiguous", "source_type")
    assert warning.detail == f"the description says: {hint}"
    assert draft.extras["bdkLeadType.hints"] == hint


@pytest.mark.parametrize("case", [type_id for type_id in TYPES.types if not TYPES.read(type_id).ambiguous])
def test_any_other_type_leaves_no_doubt(case: str) -> None:
    assert tell(case).warnings == ()


@pytest.mark.parametrize("case", TYPES.types)
def test_facets_without_a_field_are_kept(case: str) -> None:
    kind, extras = TYPES.read(case), tell(case).extras
    assert extras["bdkLeadType.origin"] == kind.origin
    assert extras["bdkLeadType.title"] == kind.title
    assert extras.get("bdkLeadType.customer") == kind.customer


@pytest.mark.parametrize(("case", "status"), [("6a", "new"), ("6b", "new"), ("6c", "new"), ("1a", "unknown")])
def test_what_was_configured_is_a_new_car(case: str, status: str) -> None:
    assert tell(case, vehicle={"make": "Opel"}).vehicles[0].status == status
    assert tell(case, vehicle={"isNew": False}).vehicles[0].status == "used"


@pytest.mark.parametrize(
    ("written", "source_type", "warning", "origin"),
    [
        ("1E", "1e", None, "juhu_auto"),
        (" 1e\t", "1e", None, "juhu_auto"),
        ("2a", "2a", "lead_type_unknown", "digeo_calculator"),
        ("4a", "4a", "lead_type_unknown", None),
        ("9z", "9z", "lead_type_unknown", None),
        (7, "7", "lead_type_unknown", None),
        ("Neuartig", "neuartig", "lead_type_unknown", None),
        ("x" * 5_000, "unknown", "lead_type_unknown", None),
        ("", "unknown", "lead_type_missing", None),
        (None, "unknown", "lead_type_missing", None),
    ],
)
def test_no_type_costs_a_lead(written: Any, source_type: str, warning: str | None, origin: Any) -> None:
    draft = tell(written)
    assert draft.source_type == source_type
    assert [code for code, _ in codes(draft)] == ([warning] if warning else [])
    assert draft.extras.get("bdkLeadType.origin") == origin
    assert "inquiry" in draft.intents
    kept = draft.extras.get("bdkLeadTypeId", source_type if written else None)
    assert kept == (str(written).strip() if written else None)


def test_an_unreadable_type_costs_no_lead() -> None:
    draft = tell({"id": "1a"})
    assert codes(draft) == [("value_unread", "source_type"), ("lead_type_missing", "source_type")]
    assert draft.extras["bdkLeadTypeId"] == '{"id":"1a"}'


def test_an_unknown_type_with_a_contract_is_no_inquiry() -> None:
    draft = tell("3e", contract={"number": "K-1"})
    assert (draft.intents, draft.consent.basis, draft.answer_expected) == (
        ("contract_expiry",),
        "none",
        False,
    )
    assert tell("3e", contract={"number": " "}).intents == ("inquiry",)
    assert tell("3a", contract={"number": "K-1"}).intents == ("inquiry",)


@pytest.mark.parametrize(
    ("right", "misspelt", "source_type", "warnings"),
    [
        (None, "1b", "1b", []),
        ("1b", " 1B", "1b", []),
        ("1b", "1c", "1b", [("lead_type_conflict", "source_type")]),
    ],
)
def test_both_spellings_of_the_type(right: Any, misspelt: str, source_type: str, warnings: Any) -> None:
    draft = tell(right, bdkLeadTypeld=misspelt)
    assert (draft.source_type, codes(draft)) == (source_type, warnings)
    assert draft.extras.get("bdkLeadTypeld") == (misspelt.strip() if right else None)


def test_a_deployment_reads_a_type_otherwise() -> None:
    mine = TYPES.with_overrides({"7e": {"reservation": True, "ambiguous": False}})
    body = json.dumps({**LEAST, "bdkLeadTypeId": "7e"}).encode()
    draft = read(body, JSON, mine)
    assert ("reservation" in draft.intents, draft.warnings) == (True, ())
    assert "reservation" not in read(body, JSON).intents


@pytest.mark.parametrize(
    ("written", "channel", "warned"),
    [
        ("call", "phone", False),
        ("Anruf", "phone", False),
        ("message", "email", False),
        (" NACHRICHT ", "email", False),
        ("chat", "chat", False),
        ("pigeon", "unknown", True),
        ("", "unknown", False),
    ],
)
def test_what_reaches_the_bank_itself_has_its_own_channel(written: str, channel: str, warned: bool) -> None:
    draft = tell("3a", channel=written)
    assert draft.channel == channel
    assert codes(draft) == ([("value_unread", "channel")] if warned else [])
    assert draft.extras.get("channel") == (written.strip() or None)


def test_a_whole_lead_arrives(dealer: Any) -> None:
    draft = read(json.dumps(BDK["1e"]).encode(), JSON)
    german = dealer.model_copy(update={"country": "DE"})
    lead = place(draft, Origin("bdk", "a", AT), german)
    assert (draft.location, draft.location_field, draft.external_id) == (
        "0047110",
        "partnerNumber",
        "LS-4400181",
    )
    assert (lead.ids[0].source, lead.ids[0].value) == (PROVIDER, "LS-4400181")
    assert lead.occurred_at == datetime(2026, 4, 14, 8, 22, 31, tzinfo=UTC)
    name = lead.customer.name
    assert (name.salutation, name.first, name.last) == ("Frau", "Jördis", "von Ahlen")
    assert name.full == "Jördis von Ahlen"
    assert [(phone.e164, phone.type) for phone in lead.customer.phones] == [
        ("+494315550148", "unknown"),
        ("+4915155501480", "cellphone"),
    ]
    assert lead.customer.emails[0].address == "joerdis.vonahlen@example.org"
    assert {name: value for name, value in lead.extras.items() if name.startswith("customer.")} == {
        "customer.address.country": "Deutschland",
    }
    (address,) = lead.customer.addresses
    assert (address.street, address.postal_code) == (("Am Kanal 7",), "24103")
    assert (address.city, address.country) == ("Kiel", "DE")
    (vehicle,) = lead.vehicles
    assert (vehicle.wanted, vehicle.interest, vehicle.status) == (True, "buy", "used")
    assert (vehicle.make, vehicle.model, vehicle.trim) == ("Volkswagen", "ID.4", "Pro")
    assert vehicle.odometer is not None
    assert (vehicle.odometer.value, vehicle.odometer.units) == (21840, "km")
    assert (vehicle.prices[0].amount, vehicle.prices[0].currency) == (Decimal("27995.00"), "EUR")
    assert lead.message == "Passt Samstag gegen elf?"


WHOLE: dict[str, Any] = {
    "channel": "Anruf",
    "createdAt": "2026-04-14T10:22:31+02:00",
    "subject": "Betreff-1",
    "message": "Nachricht-1",
    "customer": {
        **{name: f"Kunde-{name}" for name in ("salutation", "firstName", "lastName", "company")},
        "name": "Kunde Ganz",
        "email": "kunde@example.org",
        "phone": "0431-1",
        "mobile": "0151-1",
        "address": {name: f"Ort-{name}" for name in ("street", "postalCode", "city", "country")},
    },
    "vehicle": {
        **{name: f"Auto-{name}" for name in ("make", "model", "variant", "modelYear", "stockNumber")},
        "vin": "WVWZZZ1JZXW000001",
        "isNew": True,
        "mileage": 21841,
        "price": 27995,
        "currency": "CHF",
        "listingUrl": "https://a.example/1",
        "imageUrl": "https://a.example/1.jpg",
    },
    "finance": {
        "product": "Leasing",
        "downPayment": 5001,
        "monthlyRate": 389,
        "total": 34251,
        "currency": "SEK",
        "termMonths": 47,
        "mileagePerYear": 12003,
        "precheck": "positiv",
    },
    "contract": {"number": "Vertrag-1", "kind": "Art-1", "endsOn": "2026-07-31"},
}


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for entry in value.values() for leaf in leaves(entry)]
    return [leaf for entry in value for leaf in leaves(entry)] if isinstance(value, list) else [value]


def test_nothing_that_is_told_is_lost(dealer: Any) -> None:
    assert set(WHOLE) | {"leadId", "partnerNumber", "bdkLeadTypeId", "test"} == {
        field.serialization_alias or "" for field in BdkLead.model_fields.values()
    }
    lead = place(tell("1a", **WHOLE), Origin("bdk", "a", AT), dealer).wire()
    found = [str(leaf) for leaf in leaves(lead)]
    for value in leaves(WHOLE):
        assert (str(value) in found) or (value is True and "new" in found), value


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
