"""BDK leads: every type by its id, and that nothing that is told is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from leadbus.contracts.bdk import BdkLead
from leadbus.contracts.examples.bdk import BDK
from normalizer.domain.placing import Origin, place
from normalizer.sources.bdk import PROVIDER, read
from normalizer.sources.bdk_types import TYPES

from tests.support.bdk import AT, JSON, LEAST, codes, tell

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
