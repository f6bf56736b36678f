"""Every source's leads as ADF documents: valid in both layers, and the same lead when we read them.

The RD rows are what cannot come back as it was. Each has a lead here that would be lost without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from adf_mailer.domain import validation
from adf_mailer.domain.document import Form
from adf_mailer.domain.iso_codes import COUNTRIES, CURRENCIES
from adf_mailer.domain.shape import Shape
from hypothesis import HealthCheck, example, given, settings
from leadbus.contracts.examples import CONTACTATONCE, CONTACTATONCE_XML
from leadbus.contracts.examples.alfatrack import ALFATRACK_LEADS
from leadbus.contracts.examples.bdk import BDK
from leadbus.contracts.examples.virtualexpo import VIRTUALEXPO_XML
from leadbus.contracts.lead import Dealer, Lead
from leadbus.contracts.virtualexpo_document import split
from normalizer.domain.countries import read_country
from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, place
from normalizer.domain.way import Way
from normalizer.sources import read
from normalizer.sources.bdk_types import TYPES

from tests.contract.adf_known import KNOWN
from tests.contract.adf_round_trip import lost, there_and_back
from tests.contract.generated_leads import LEAD
from tests.support.adf_document import WHOLE

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
DEALER = Dealer(
    dealer_id="hoffmann", name="Autohaus Hoffmann & Söhne", country="DE", time_zone="Europe/Berlin"
)
FORM = Form("leads@hoffmann.example")
RULES = Path(__file__).parents[2] / "services" / "adf-mailer" / "rules" / "document.md"
JSON, XML = "application/json", "application/xml"

ADF_DOCUMENTS = {
    "whole": WHOLE,
    "least": "<adf><prospect><vehicle><year/><make/><model>Ram</model></vehicle><customer><contact>"
    "<name>Dana Whitfield</name><phone>312-555-0148</phone></contact></customer></prospect></adf>",
    "trade-in alone": "<adf><prospect><vehicle interest='trade-in'><make>Opel</make></vehicle><customer>"
    "<contact><name>D W</name><email>d@example.org</email></contact></customer></prospect></adf>",
    "tracked call": "<adf><prospect><customer><contact><phone>3125550148</phone></contact><comments>"
    "Call recording: https://x.example/1&#10;Call duration: 73 seconds&#10;Call answered: no</comments>"
    "</customer><provider><name>CallRail</name><service>Phone call</service></provider></prospect></adf>",
}


def examples() -> Iterator[Any]:
    for kind, told in CONTACTATONCE.items():
        yield pytest.param("contactatonce", json.dumps(told).encode(), JSON, id=f"contactatonce-{kind}")
    yield pytest.param("contactatonce", CONTACTATONCE_XML.encode(), XML, id="contactatonce-xml")
    for index, lead in enumerate(split(VIRTUALEXPO_XML.encode()).leads):
        yield pytest.param("virtualexpo", lead.data, XML, id=f"virtualexpo-{index}")
    for kind, told in BDK.items():
        yield pytest.param("bdk", json.dumps(told).encode(), JSON, id=f"bdk-{kind}")
    for kind in TYPES.types:
        as_kind = json.dumps({**BDK["1e"], "bdkLeadTypeId": kind}).encode()
        yield pytest.param("bdk", as_kind, JSON, id=f"bdk-as-{kind}")
    for kind, told in ALFATRACK_LEADS.items():
        yield pytest.param("alfatrack", json.dumps(told).encode(), JSON, id=f"alfatrack-{kind}")
    for kind, document in ADF_DOCUMENTS.items():
        yield pytest.param("adf", document.encode(), XML, id=f"adf-{kind}")


def lead_of(source: str, data: bytes, content_type: str) -> Lead:
    draft = read(source, data, content_type, Way("account"))
    assert isinstance(draft, Draft)
    return place(draft, Origin(source, "account", AT), DEALER)


@pytest.mark.parametrize("status", ["new", "resend"])
@pytest.mark.parametrize(("source", "data", "content_type"), list(examples()))
def test_a_lead_of_every_source_comes_back(source: str, data: bytes, content_type: str, status: Any) -> None:
    sent, form = lead_of(source, data, content_type), Form(FORM.lead_address, status)
    document, back = there_and_back(sent, form)

    assert validation.problems(document.content) == []
    assert "degraded" not in {one.code for one in document.warnings}
    assert lost(sent, back, form) == []


def test_what_an_adf_document_told_beside_the_lead_comes_back_too() -> None:
    sent = lead_of("adf", WHOLE.encode(), XML)
    _, back = there_and_back(sent, FORM)

    # The wanted vehicle is written first: what was told of the second is told of the first.
    swapped = {"vehicle.0.": "vehicle.1.", "vehicle.1.": "vehicle.0.", "vehicles.1.": "vehicles.0."}
    expected = {
        next(
            (new + path.removeprefix(old) for old, new in swapped.items() if path.startswith(old)), path
        ): told
        for path, told in sent.extras.items()
        # Who the dealer is, the directory says; his id was for whoever the document came by.
        if not path.startswith(("vendor.id", "vendor.contact", "vendor.vendorname"))
    }
    missing = {path: told for path, told in expected.items() if back.extras.get(path) != told}

    assert len(expected) > 30
    assert missing == {}


def a_lead(**changes: Any) -> Lead:
    told: dict[str, Any] = {
        "lead_id": "0b1f6a5e-5c0e-5a3f-9d4c-6f0f7f3f2a11",
        "revision": 1,
        "source": "alfatrack",
        "account": "a",
        "source_type": "form",
        "ids": [
            {"source": "Tracker", "value": "1", "sequence": 1},
            {"source": "leadbus", "value": "0b1f6a5e-5c0e-5a3f-9d4c-6f0f7f3f2a11", "sequence": 2},
        ],
        "channel": "form",
        "occurred_at": "2026-04-14T11:03:05-05:00",
        "received_at": "2026-04-14T16:03:07Z",
        "dealer": {"dealer_id": "d", "name": "Prairie", "country": "US", "time_zone": "America/Chicago"},
        "customer": CUSTOMER,
        "vehicles": [CAR],
        "extras": {"lead_source": "cars.example"},
    }
    return Lead.model_validate(told | changes)


CAR = {"wanted": True, "status": "used", "make": "Ford", "model": "F-150"}
CUSTOMER: dict[str, Any] = {
    "name": {"full": "Dana Whitfield", "first": "Dana", "last": "Whitfield"},
    "emails": [{"address": "dana@example.org", "raw": "dana@example.org", "primary": True}],
    "phones": [{"e164": "+13125550148", "raw": "x", "type": "cellphone"}],
    "addresses": [{"street": ["1 Main St"], "city": "Naperville", "country": "US"}],
}
DOUBTFUL: dict[str, dict[str, Any]] = {
    "RD1": {"ids": []},
    "RD2": {"occurred_at": None},
    "RD3": {"source_type": ""},
    "RD4": {"customer": CUSTOMER | {"company": {"name": "ACME"}}},
    "RD5": {"customer": CUSTOMER | {"name": CUSTOMER["name"] | {"salutation": "Dr."}}},
    "RD6": {"customer": CUSTOMER | {"name": CUSTOMER["name"] | {"full": "WHITFIELD Dana"}}},
    "RD7": {"customer": CUSTOMER | {"name": {"full": "Mary Ann", "first": "Mary Ann"}}},
    "RD8": {"customer": CUSTOMER | {"name": {"full": "Dana Whitfield"}}},
    "RD9": {"customer": CUSTOMER | {"name": {}}},
    "RD10": {"customer": CUSTOMER | {"emails": [{"raw": "dana at home"}]}},
    "RD11": {"customer": CUSTOMER | {"emails": [*CUSTOMER["emails"], {"address": "d@b.example", "raw": ""}]}},
    "RD12": {"customer": CUSTOMER | {"phones": [*CUSTOMER["phones"], {"raw": "ask for Bob"}]}},
    "RD13": {"customer": CUSTOMER | {"phones": [{"raw": "555-0148", "extension": "12", "type": "voice"}]}},
    "RD14": {"customer": CUSTOMER | {"phones": [{"e164": "+13125550148", "raw": "x"}]}},
    "RD15": {"customer": CUSTOMER | {"phones": [{**CUSTOMER["phones"][0], "primary": True}]}},
    "RD16": {"customer": CUSTOMER | {"addresses": [*CUSTOMER["addresses"], {"city": "Elgin"}]}},
    "RD17": {"customer": CUSTOMER | {"addresses": [{"street": [" "], "type": "home"}]}},
    "RD18": {"customer": CUSTOMER | {"addresses": [{"street": list("abcdef")}]}},
    "RD19": {"customer": CUSTOMER | {"addresses": [{"city": "Elgin", "country": "QZ"}]}},
    "RD20": {"vehicles": [CAR | {"url": "ftp://x.example/1"}]},
    "RD21": {"vehicles": [CAR | {"trim": "Not Provided"}]},
    "RD29": {"vehicles": []},
    "RD22": {"vehicles": [{"interest": "trade_in", "model": "Corsa"}, CAR]},
    "RD23": {"vehicles": [CAR | {"wanted": False}]},
    "RD24": {"vehicles": [CAR | {"status": "unknown"}]},
    "RD25": {"vehicles": [CAR | {"prices": [{"kind": "msrp", "amount": "9"}, {"amount": "8"}]}]},
    "RD26": {"vehicles": [CAR | {"prices": [{"kind": "msrp", "amount": "9", "currency": "DOL"}]}]},
    "RD27": {"vehicles": [CAR | {"colours": [{"exterior": "red"}]}]},
    "RD28": {"finance": {"product": "leasing"}},
    "RD30": {"vehicles": [CAR | {"comments": "Scratched", "url": "https://x.example/1"}]},
    "RD31": {"call": {"duration_seconds": 73}},
    "RD32": {"extras": {}},
    "RD33": {"vehicles": [CAR | {"trim": "車" * 100}]},
}


@pytest.mark.parametrize("case", [case.id for case in KNOWN])
def test_what_comes_back_otherwise_is_known(case: str) -> None:
    sent = a_lead(**DOUBTFUL[case])
    _, back = there_and_back(sent, FORM)

    assert lost(sent, back, FORM) == []
    assert lost(sent, back, FORM, without=case) != []


def test_the_table_for_people_has_the_same_rows() -> None:
    rows = re.findall(r"^\| (RD\d+) \| (.+?) \| (.+?) \|$", RULES.read_text("utf-8"), re.MULTILINE)

    assert rows == [(case.id, case.what, case.reason) for case in KNOWN]


CHANGES: list[dict[str, Any]] = [
    {"customer": CUSTOMER | {"emails": [{"address": "o@example.org", "raw": "o@example.org"}]}},
    {"customer": CUSTOMER | {"phones": [{"e164": "+13125550149", "raw": "x", "type": "cellphone"}]}},
    {"customer": CUSTOMER | {"addresses": []}},
    {"vehicles": [CAR | {"model": "F-250"}]},
    {"vehicles": [CAR, {"interest": "trade_in", "model": "Corsa"}]},
    {"vehicles": [CAR | {"prices": [{"kind": "asking", "amount": "1", "currency": "USD"}]}]},
    {"finance": {"product": "leasing", "monthly": "199"}},
    {"occurred_at": "2026-04-14T11:03:06-05:00"},
    {"ids": [{"source": "Tracker", "value": "2"}]},
    {"source_type": "chat"},
    {"source": "bdk"},
    {"dealer": {"dealer_id": "d", "name": "Lakeside"}},
    {"message": "Still there?"},
    {"transcript": [{"speaker": "customer", "text": "Hello"}]},
    {"call": {"recording_url": "https://calls.example/1"}},
    {"extras": {"lead_source": "other.example"}},
]


@pytest.mark.parametrize("changes", CHANGES, ids=[next(iter(one)) for one in CHANGES])
def test_another_lead_is_not_taken_for_it(changes: dict[str, Any]) -> None:
    _, back = there_and_back(a_lead(), FORM)

    assert lost(a_lead(), back, FORM) == []
    assert lost(a_lead(**changes), back, FORM) != []


@pytest.mark.parametrize(
    ("told", "expected"), [({"interest": "trade_in"}, "unknown"), ({"interest": "buy"}, "new")]
)
def test_a_status_left_out_is_as_unknown_as_the_standard_lets_it(told: dict[str, Any], expected: str) -> None:
    form = Form(FORM.lead_address, shape=Shape(unknown_status="left_out"))
    _, back = there_and_back(a_lead(vehicles=[CAR | {"status": "unknown"} | told]), form)

    assert [one.status for one in back.vehicles] == [expected]


def test_a_repeat_that_does_not_say_so_is_told() -> None:
    _, back = there_and_back(a_lead(), FORM)
    assert lost(a_lead(), back, Form(FORM.lead_address, "resend")) == ["status"]


def test_every_country_the_normalizer_reads_is_one_we_write() -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert {
        one + two for one in letters for two in letters if read_country(one + two) == one + two
    } <= COUNTRIES
    assert {"EUR", "USD", "CAD", "GBP", "CHF", "PLN", "RUB", "UAH", "TRY", "CZK"} <= CURRENCIES


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(LEAD)
@example({"customer": CUSTOMER | {"addresses": [{"country": "QZ"}]}})
def test_any_lead_comes_back(told: dict[str, Any]) -> None:
    sent = a_lead(**told)
    document, back = there_and_back(sent, FORM)

    assert validation.problems(document.content) == []
    assert lost(sent, back, FORM) == []
