"""A10–A49: what the document says for leads that are not smooth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from adf_mailer.domain import validation
from adf_mailer.domain.document import Document, Form, render
from leadbus.contracts import Lead
from lxml import etree

FORM = Form("leads@prairie.dealercrm.example")


def adf(document: Document) -> Any:
    assert validation.problems(document.content) == []
    return etree.fromstring(document.content)


def codes(document: Document) -> set[str]:
    return {warning.code for warning in document.warnings}


def comments(document: Document) -> str:
    return str(adf(document).findtext("prospect/customer/comments"))


def test_a10_prolog_is_written_by_hand_and_nothing_is_cdata(golden_lead: Callable[..., Lead]) -> None:
    content = render(golden_lead(message="1 < 2 && ]]> <b>"), FORM).content

    assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<?adf version="1.0"?>\n<adf>\n')
    assert b"CDATA" not in content
    assert b"DOCTYPE" not in content
    assert b"1 &lt; 2 &amp;&amp; ]]&gt; &lt;b&gt;" in content


def test_a11_own_id_is_the_last_hop_of_the_chain(golden_lead: Callable[..., Lead]) -> None:
    ids = [
        {"source": "leadbus", "value": "ours", "sequence": 1},
        {"source": "AutoTrader", "value": "A-1", "sequence": 4},
        {"source": "Portal", "value": "P-1"},
    ]
    chain = adf(render(golden_lead(ids=ids), FORM)).findall("prospect/id")

    assert [(one.get("sequence"), one.get("source"), one.text) for one in chain] == [
        ("4", "AutoTrader", "A-1"),
        ("5", "Portal", "P-1"),
        ("6", "leadbus", "ours"),
    ]


def test_a12_a_chain_without_our_id_gets_it(golden_lead: Callable[..., Lead]) -> None:
    lead = golden_lead(ids=[])
    (only,) = adf(render(lead, FORM)).findall("prospect/id")

    assert (only.get("sequence"), only.get("source"), only.text) == ("1", "leadbus", str(lead.lead_id))


@pytest.mark.parametrize(
    ("occurred_at", "dealer_zone", "route_zone", "expected"),
    [
        pytest.param(
            "2026-07-01T12:00:00Z", "America/Chicago", None, "2026-07-01T07:00:00-05:00", id="A13-summer"
        ),
        pytest.param(
            "2026-01-01T12:00:00.75Z", "America/Chicago", None, "2026-01-01T06:00:00-06:00", id="A14-winter"
        ),
        pytest.param(
            "2026-01-01T12:00:00Z",
            "America/Chicago",
            "Europe/Berlin",
            "2026-01-01T13:00:00+01:00",
            id="A15-route",
        ),
        pytest.param("2026-01-01T12:00:00Z", None, None, "2026-01-01T12:00:00+00:00", id="A16-never-Z"),
        pytest.param(
            "2026-01-01T12:00:00+05:30", None, None, "2026-01-01T12:00:00+05:30", id="A17-as-the-source-said"
        ),
        pytest.param(
            "2026-01-01T12:00:00Z", "Mars/Olympus", None, "2026-01-01T12:00:00+00:00", id="A18-no-such-zone"
        ),
        pytest.param(
            "1850-01-01T12:00:00Z",
            "America/Chicago",
            None,
            "1850-01-01T12:00:00+00:00",
            id="A19-seconds-offset",
        ),
    ],
)
def test_requestdate(
    golden_lead: Callable[..., Lead],
    occurred_at: str,
    dealer_zone: str | None,
    route_zone: str | None,
    expected: str,
) -> None:
    dealer = {"dealer_id": "prairie-motors", "name": "Prairie Motors", "time_zone": dealer_zone}
    document = render(
        golden_lead(occurred_at=occurred_at, dealer=dealer), Form(FORM.lead_address, time_zone=route_zone)
    )

    assert adf(document).findtext("prospect/requestdate") == expected
    assert ("time_zone_unknown" in codes(document)) == (dealer_zone == "Mars/Olympus")


def test_a20_received_at_stands_in_for_a_source_that_tells_no_time(golden_lead: Callable[..., Lead]) -> None:
    lead = golden_lead(occurred_at=None, received_at="2026-01-01T12:00:00Z")

    assert adf(render(lead, FORM)).findtext("prospect/requestdate") == "2026-01-01T06:00:00-06:00"


@pytest.mark.parametrize(
    ("vehicle", "attributes"),
    [
        pytest.param(
            {"interest": "trade_in"},
            {"interest": "trade-in", "status": "used"},
            id="A21-trade-in-of-unknown-status",
        ),
        pytest.param(
            {"interest": "trade_in", "status": "used"}, {"interest": "trade-in", "status": "used"}, id="A22"
        ),
        pytest.param(
            {"interest": "test_drive", "status": "new"}, {"interest": "test-drive", "status": "new"}, id="A23"
        ),
    ],
)
def test_interest_and_status_are_said(
    golden_lead: Callable[..., Lead], vehicle: dict[str, Any], attributes: dict[str, str]
) -> None:
    element = adf(render(golden_lead(vehicles=[vehicle]), FORM)).find("prospect/vehicle")

    assert dict(element.attrib) == attributes
    assert [child.tag for child in element][:3] == ["year", "make", "model"]


def test_a24_no_vehicle_is_one_empty_vehicle(golden_lead: Callable[..., Lead]) -> None:
    (vehicle,) = adf(render(golden_lead("tracked_call"), FORM)).findall("prospect/vehicle")

    assert [(child.tag, child.text) for child in vehicle] == [("year", None), ("make", None), ("model", None)]


def test_a25_the_wanted_vehicle_comes_first(golden_lead: Callable[..., Lead]) -> None:
    vehicles = [{"interest": "trade_in", "model": "Civic"}, {"model": "CR-V", "wanted": True}]
    models = adf(render(golden_lead(vehicles=vehicles), FORM)).findall("prospect/vehicle/model")

    assert [model.text for model in models] == ["CR-V", "Civic"]


def test_a26_whole_vehicle_in_dtd_order(golden_lead: Callable[..., Lead]) -> None:
    vehicle = {
        "interest": "lease",
        "status": "used",
        "wanted": True,
        "year": "2019",
        "make": "Ford",
        "model": "F-150",
        "trim": "XLT",
        "body": "Pickup",
        "vin": "1M8GDM9AXKP042788",
        "stock": "S1",
        "odometer": {"value": 1200, "units": "km"},
        "colours": [{"interior": "black", "exterior": "red"}, {"exterior": "blue"}, {}],
        "transmission": "A",
        "prices": [
            {"kind": "unknown", "amount": "1"},
            {"kind": "quote", "amount": "24990.00", "currency": "EUR"},
            {"kind": "call"},
        ],
        "options": [{"name": "Tow bar", "code": "T", "weighting": -100}],
        "image": "https://img.example/1.jpg",
        "comments": "Scratch on the door",
        "vin_warning": "check_digit",
    }
    finance = {"product": "leasing", "monthly": "199", "currency": "EUR", "term_months": 36}
    document = render(golden_lead(vehicles=[vehicle], finance=finance), FORM)
    element = adf(document).find("prospect/vehicle")

    assert [child.tag for child in element] == [
        *("year", "make", "model", "vin", "stock", "trim", "bodystyle", "transmission", "odometer"),
        *("colorcombination", "colorcombination", "imagetag", "price", "pricecomments", "option"),
        *("finance", "comments"),
    ]
    assert element.findtext("price") == "24990.00"
    assert dict(element.find("price").attrib) == {"type": "quote", "currency": "EUR"}
    assert element.findtext("pricecomments") == "Price: 1\nPrice on request"
    assert [child.tag for child in element.findall("colorcombination")[0]] == [
        *("interiorcolor", "exteriorcolor", "preference"),
    ]
    assert element.findtext("finance/method") == "lease"
    assert element.findtext("comments") == "Scratch on the door\nVIN doubtful: check_digit"
    assert "Payment term: 36 months" in comments(document)


def test_a27_a_credit_check_is_never_passed_on(golden_lead: Callable[..., Lead]) -> None:
    finance = {"product": "financing", "precheck": "negative"}

    assert b"negative" not in render(golden_lead(finance=finance), FORM).content


@pytest.mark.parametrize(
    ("missing_name", "customer", "name"),
    [
        pytest.param(
            "contact",
            {
                "phones": [{"e164": "+13125550148", "raw": "x"}],
                "emails": [{"address": "a@b.example", "raw": "x"}],
            },
            "+13125550148",
            id="A28-phone",
        ),
        pytest.param(
            "contact", {"emails": [{"address": "a@b.example", "raw": "x"}]}, "a@b.example", id="A29-email"
        ),
        pytest.param(
            "empty", {"phones": [{"e164": "+13125550148", "raw": "x"}]}, None, id="A30-route-says-empty"
        ),
        pytest.param("contact", {}, None, id="A31-nothing-known"),
    ],
)
def test_missing_name(
    golden_lead: Callable[..., Lead], missing_name: Any, customer: dict[str, Any], name: str | None
) -> None:
    document = render(golden_lead(customer=customer), Form(FORM.lead_address, missing_name=missing_name))
    contact = adf(document).find("prospect/customer/contact")

    assert (contact.findtext("name") or None, contact.find("name").get("part")) == (name, "full")
    assert "name_missing" in codes(document)


def test_a32_without_phone_and_email_an_empty_email_element_stays(golden_lead: Callable[..., Lead]) -> None:
    customer = {"name": {"full": "Cher"}, "phones": [{"raw": "anonymous"}], "emails": [{"raw": "cher at x"}]}
    document = render(golden_lead(customer=customer), FORM)
    contact = adf(document).find("prospect/customer/contact")

    assert [(child.tag, child.text) for child in contact] == [("name", "Cher"), ("email", None)]
    assert "contact_missing" in codes(document)
    assert "Phone as given: anonymous" in comments(document)
    assert "E-mail as given: cher at x" in comments(document)


def test_a33_primary_email_then_phones_and_other_emails_in_comments(golden_lead: Callable[..., Lead]) -> None:
    customer = {
        "name": {"first": "Dana"},
        "emails": [
            {"address": "second@b.example", "raw": ""},
            {"address": "first@b.example", "raw": "", "primary": True},
        ],
        "phones": [
            {"e164": "+13125550148", "raw": "", "type": "cellphone", "best_time": "no_preference"},
            {"raw": "555-0100", "extension": "12", "type": "fax"},
        ],
    }
    document = render(golden_lead(customer=customer), FORM)
    contact = adf(document).find("prospect/customer/contact")

    assert [(child.tag, child.text, dict(child.attrib)) for child in contact] == [
        ("name", "Dana", {"part": "first"}),
        ("email", "first@b.example", {"preferredcontact": "1"}),
        ("phone", "+13125550148", {"type": "cellphone", "time": "nopreference"}),
        ("phone", "555-0100 x12", {"type": "fax"}),
    ]
    assert "Further e-mail: second@b.example" in comments(document)


def test_a34_business_without_a_person(golden_lead: Callable[..., Lead]) -> None:
    customer = {
        "type": "business",
        "company": {"name": "ACME"},
        "phones": [{"e164": "+13125550148", "raw": ""}],
    }
    name = adf(render(golden_lead(customer=customer), FORM)).find("prospect/customer/contact/name")

    assert (name.text, dict(name.attrib)) == ("ACME", {"part": "full", "type": "business"})


def test_a35_six_street_lines_become_five(golden_lead: Callable[..., Lead]) -> None:
    customer = {"addresses": [{"street": list("abcdef"), "country": "US"}, {"city": "Elsewhere"}]}
    document = render(golden_lead(customer=customer), FORM)
    address = adf(document).find("prospect/customer/contact/address")

    assert [one.text for one in address.findall("street")] == ["a", "b", "c", "d", "e, f"]
    assert "Further address: Elsewhere" in comments(document)


def test_a36_vendor_falls_back_to_the_lead_address(golden_lead: Callable[..., Lead]) -> None:
    vendor = adf(render(golden_lead(dealer={"dealer_id": "d1", "name": " "}), FORM)).find("prospect/vendor")

    assert vendor.findtext("vendorname") == "d1"
    assert vendor.findtext("contact/name") == "d1"
    assert vendor.findtext("contact/email") == FORM.lead_address


def test_a37_nobody_can_type_a_line_of_somebody_else(golden_lead: Callable[..., Lead]) -> None:
    transcript = [{"speaker": "customer", "text": "hi\n[2026-01-01 00:00:00] Agent: price is 1 USD"}]
    said = comments(render(golden_lead(transcript=transcript), FORM))

    assert "\n  [2026-01-01 00:00:00] Agent: price is 1 USD" in said


def test_a38_resend_keeps_ids_and_date(golden_lead: Callable[..., Lead]) -> None:
    first = render(golden_lead(), FORM).content
    again = render(golden_lead(), Form(FORM.lead_address, status="resend")).content

    assert again == first.replace(b'<prospect status="new">', b'<prospect status="resend">')
    assert again != first


def test_a39_illegal_characters_are_stripped(golden_lead: Callable[..., Lead]) -> None:
    customer = {"name": {"full": "A\x01\x1f\x7f\x9d\ufffe\uffffB\u0085C"}, "phones": []}
    document = render(golden_lead(customer=customer), FORM)

    assert adf(document).findtext("prospect/customer/contact/name") == "AB C"


def test_a40_too_long_a_name_is_cut_and_noted_whole(golden_lead: Callable[..., Lead]) -> None:
    name = "長" * 200
    document = render(golden_lead(customer={"name": {"full": name}}), FORM)
    element = adf(document).findtext("prospect/customer/contact/name")

    assert element.endswith("...")
    assert name.startswith(element.removesuffix("..."))
    assert name in comments(document).replace("\n", "")
    assert "value_shortened" in codes(document)


def test_a41_runs_without_spaces_are_broken_between_characters(golden_lead: Callable[..., Lead]) -> None:
    run = "お車の件でご連絡しました" * 60
    document = render(golden_lead(message=run), FORM)

    assert run in comments(document).replace("\n", "")
    assert max(map(len, document.content.split(b"\n"))) <= 998
    assert not document.long_lines


def test_a42_a_long_link_is_shortened_with_a_mark_never_broken(golden_lead: Callable[..., Lead]) -> None:
    link = "https://t.example/" + "a" * 2000
    document = render(golden_lead(message=f"See {link} and call"), FORM)
    lines = comments(document).split("\n")

    (shown,) = [line for line in lines if "https://t.example" in line]
    assert shown.endswith("... [link shortened]")
    assert "and call" in lines
    assert "link_shortened" in codes(document)
    assert not document.long_lines


def test_a43_a_recording_link_stays_whole_whatever_its_length(golden_lead: Callable[..., Lead]) -> None:
    link = "https://calls.example/" + "a" * 2000
    document = render(golden_lead("tracked_call", call={"recording_url": link}), FORM)

    assert link in comments(document)
    assert document.long_lines
    assert "encoded" in codes(document)


def test_a44_a_recording_link_is_an_ascii_uri_without_blanks(golden_lead: Callable[..., Lead]) -> None:
    document = render(
        golden_lead("tracked_call", call={"recording_url": "https://c.example/ä b?x=1&y=%20"}), FORM
    )

    assert "Call recording: https://c.example/%C3%A4%20b?x=1&y=%20" in comments(document)


def test_a45_a_link_short_enough_is_moved_to_a_line_of_its_own(golden_lead: Callable[..., Lead]) -> None:
    link = "https://t.example/" + "b" * 600
    document = render(golden_lead(message=f"{'word ' * 100}{link}{' word' * 100}"), FORM)

    assert link in comments(document).split("\n") or any(
        line.startswith(link) for line in comments(document).split("\n")
    )
    assert "link_shortened" not in codes(document)


def test_a46_test_leads_say_so(golden_lead: Callable[..., Lead]) -> None:
    assert comments(render(golden_lead(test=True), FORM)).startswith("Test lead: yes\n")


def test_a47_an_absurd_sum_never_reaches_an_element(golden_lead: Callable[..., Lead]) -> None:
    vehicle = {"prices": [{"kind": "asking", "amount": "1E+4000", "currency": "USD"}]}
    document = render(golden_lead(vehicles=[vehicle]), FORM)

    assert adf(document).find("prospect/vehicle/price") is None
    assert len(document.content) < 20_000


def test_a48_a_document_that_fails_validation_is_replaced_by_a_plain_one(
    golden_lead: Callable[..., Lead], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []

    def fails_once(content: bytes, **_: object) -> list[validation.Problem]:
        checked.append(content)
        return [validation.Problem("value", "vin")] if len(checked) == 1 else []

    monkeypatch.setattr("adf_mailer.domain.document.validation.problems", fails_once)
    document = render(golden_lead(), FORM)
    monkeypatch.undo()

    assert "degraded" in codes(document)
    assert adf(document).findtext("prospect/vehicle/model") == "CR-V"
    assert adf(document).find("prospect/vehicle").attrib == {"interest": "buy", "status": "new"}
    assert "Phone: +13125550191" in comments(document)
    assert "jose.nunez@example.net" in comments(document)


def test_a48b_a_defect_of_ours_does_not_keep_a_lead_from_its_dealer(
    golden_lead: Callable[..., Lead], monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("adf_mailer.domain.document.add_vehicles", defect)
    document = render(golden_lead(), FORM)

    assert ("degraded", "ZeroDivisionError") in [(one.code, one.field) for one in document.warnings]
    assert "Phone: +13125550191" in comments(document)


def test_a49_other_sources_keep_their_own_provider_name(golden_lead: Callable[..., Lead]) -> None:
    lead = golden_lead(source="virtualexpo", source_type="request/quote")
    by_default = adf(render(lead, FORM)).find("prospect/provider")
    by_route = adf(render(lead, Form(FORM.lead_address, provider_name="Expo GmbH"))).find("prospect/provider")

    assert (by_default.findtext("name"), by_default.findtext("service")) == ("VirtualExpo", "request/quote")
    assert by_route.findtext("name") == "Expo GmbH"


@pytest.mark.parametrize(
    ("extras", "vehicle", "line"),
    [
        pytest.param({"vehicles.0.vin": "1M8GDM9AXKP04278"}, {}, "VIN as given: 1M8GDM9AXKP04278", id="A50"),
        pytest.param({"vehicles.0.price": "$27,995"}, {}, "Price as given: $27,995", id="A51"),
        pytest.param({"vehicles.0.mileage": "12 leagues"}, {}, "Mileage as given: 12 leagues", id="A52"),
        pytest.param({"vehicles.0.status": "certified"}, {}, "New or used as given: certified", id="A53"),
        pytest.param({"customer.phone": '["1","2"]'}, {}, 'Phone as given: ["1","2"]', id="A54"),
        pytest.param({"customer.email": "{}"}, {}, "E-mail as given: {}", id="A55"),
        pytest.param(
            {"call.recording_url": "file:///x"}, {}, "Call recording (as given): file:///x", id="A56"
        ),
        pytest.param({"vehicles.0.vin": "a\r\nAgent: b\x07"}, {}, "VIN as given: a Agent: b", id="A57"),
        pytest.param(
            {"vehicles.0.currency": "dollars"},
            {"prices": [{"amount": "5", "kind": "asking"}]},
            "Currency as given: dollars",
            id="A58",
        ),
        pytest.param({"vehicles.0.url": "javascript:x"}, {}, "Vehicle page as given: javascript:x", id="A59"),
    ],
)
def test_what_could_not_be_read_is_shown_as_given(
    extras: dict[str, str], vehicle: dict[str, Any], line: str, golden_lead: Callable[..., Lead]
) -> None:
    lead = golden_lead(
        extras=extras, vehicles=[{"wanted": True, "make": "Honda", **vehicle}], customer={}, call=None
    )
    assert line in comments(render(lead, FORM)).split("\n")


def test_a60_what_was_told_properly_later_is_not_shown_as_given(golden_lead: Callable[..., Lead]) -> None:
    extras = {
        "vehicles.0.vin": "short",
        "vehicles.0.price": "$5",
        "customer.phone": "[]",
        "call.recording_url": "x:y",
    }
    vehicle = {"vin": "1M8GDM9AXKP042788", "prices": [{"amount": "5", "kind": "asking", "currency": "USD"}]}
    lead = golden_lead(
        extras=extras,
        vehicles=[vehicle],
        customer={"phones": [{"raw": "312-555-0148", "e164": "+13125550148"}]},
        call={"recording_url": "https://calls.example/1"},
    )
    assert "as given" not in comments(render(lead, FORM))


def test_a61_as_given_is_short_and_every_line_fits(golden_lead: Callable[..., Lead]) -> None:
    extras = {"vehicles.0.vin": "田" * 100_000, "vehicles": '["' + "x" * 100_000 + '"]'}
    document = render(golden_lead(extras=extras, vehicles=[{"make": "Honda"}]), FORM)
    assert not document.long_lines
    assert len(document.content) < 20_000


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "file:///etc/passwd", "ftp://x.example/a", "www.x.example"]
)
def test_a62_only_web_addresses_become_links(link: str, golden_lead: Callable[..., Lead]) -> None:
    lead = golden_lead(
        call={"recording_url": link}, vehicles=[{"make": "Honda", "url": link, "image": link}], message=None
    )
    document = render(lead, FORM)
    vehicle = adf(document).find("prospect/vehicle")
    assert f"Call recording (as given): {link}" in comments(document)
    assert vehicle.find("imagetag") is None
    assert vehicle.findtext("comments") == f"Vehicle page (as given): {link}\nPicture (as given): {link}"
    assert not document.long_lines
