"""ContactAtOnce: the C rows of RULES.md, what is kept, what is refused, and that nothing else happens."""

from __future__ import annotations

import codecs
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from leadbus.contracts.contactatonce import ContactAtOnceLead
from leadbus.contracts.examples import CONTACTATONCE, CONTACTATONCE_XML
from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, place
from normalizer.domain.rejection import Rejection
from normalizer.domain.way import Way
from normalizer.sources import ADAPTERS, ADAPTERS_BY_WAY
from normalizer.sources import read as read_by_source
from normalizer.sources.contactatonce import read

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
JSON = "application/json"


def tell(payload: Any) -> Draft:
    return read(json.dumps(payload).encode(), JSON)


@pytest.mark.parametrize(
    ("case", "lead_type", "call", "channel", "intents", "urgency", "consent", "phone_type"),
    [
        ("C1", "ClickForCallBack", None, "phone", ("callback",), "high", "form", "unknown"),
        ("C2", "Chat", None, "chat", ("inquiry",), "high", "request", "unknown"),
        ("C3", "TextToChat", None, "text", ("inquiry",), "high", "request", "cellphone"),
        ("C4", "TrackedCall", {"answered": True}, "phone", ("inquiry",), "normal", "request", "unknown"),
        (
            "C5",
            "TrackedCall",
            {"answered": False},
            "phone",
            ("inquiry", "callback"),
            "high",
            "request",
            "unknown",
        ),
    ],
)
def test_lead_types(
    case: str,
    lead_type: Any,
    call: Any,
    channel: Any,
    intents: Any,
    urgency: Any,
    consent: Any,
    phone_type: Any,
    payload: Any,
) -> None:
    draft = tell(payload(lead_type, call=call))
    assert draft.source_type == lead_type
    assert (draft.channel, draft.intents, draft.urgency) == (channel, intents, urgency)
    assert draft.consent.basis == consent
    assert [phone.type for phone in draft.phones] == [phone_type]


def test_the_whole_payload_arrives(payload: Any, dealer: Any) -> None:
    draft = tell(payload("ClickForCallBack", test=True, dealer={"id": 40217, "name": "Prairie"}))
    lead = place(draft, Origin("contactatonce", "a", AT), dealer)
    assert draft.location == "40217"
    assert lead.customer.name.last == "Whitfield"
    assert (lead.customer.phones[0].raw, lead.customer.phones[0].e164) == ("(312) 555-0148", "+13125550148")
    assert lead.customer.phones[0].primary
    (vehicle,) = lead.vehicles
    assert (vehicle.wanted, vehicle.status, vehicle.stock) == (True, "used", "P4471")
    assert vehicle.prices[0].amount == Decimal("27995.00")
    assert vehicle.odometer is not None
    assert (vehicle.odometer.value, vehicle.odometer.units) == (21840, "mi")
    assert lead.message == "Please call after 4 pm about the Outback."
    assert lead.extras["lead_source"] == "www.prairie-motors.example"
    assert lead.extras["dealer.name"] == "Prairie"
    assert lead.test


def test_xml_and_json_say_the_same(dealer: Any) -> None:
    draft = read(CONTACTATONCE_XML.encode(), "application/xml; charset=utf-8")
    assert draft.external_id == "CAO-88122046"
    assert draft.name.last == "O'Hara"
    assert draft.transcript[1].text == "Yes & no: ask me today."
    assert draft.vehicles[0].prices[0].amount == Decimal(18450)
    as_json = {
        "lead_type": "Chat",
        "lead_id": "CAO-88122046",
        "related_ids": {"conversation_id": "IM-7741988"},
        "occurred_at": "2026-04-15T13:30:09-05:00",
        "dealer": {"id": "40339", "name": "Lakeside Ford"},
        "lead_source": "autos.example",
        "customer": {"name": "Ann O'Hara", "email": "ann.ohara@example.org"},
        "vehicles": [
            {"year": "2021", "make": "Ford", "model": "Escape", "price": "18450", "currency": "USD"}
        ],
        "transcript": [
            {
                "at": "2026-04-15T13:28:50-05:00",
                "speaker": "customer",
                "text": "Any rebate on the Escape?",
            },
            {
                "at": "2026-04-15T13:29:31-05:00",
                "speaker": "agent",
                "name": "Lee",
                "text": "Yes & no: ask me today.",
            },
        ],
    }
    assert tell(as_json) == draft


@pytest.mark.parametrize("declared", ["utf-16", "iso-8859-1", "windows-1251"])
def test_xml_in_the_encoding_that_it_declares(declared: Any) -> None:
    name = "Анна" if declared == "windows-1251" else "José"
    document = CONTACTATONCE_XML.replace("UTF-8", declared).replace("Ann O'Hara", name)
    assert read(document.encode(declared), "application/xml").name.first == name


JOSE = CONTACTATONCE_XML.replace("Ann O'Hara", "José")
"""Declares UTF-8."""


@pytest.mark.parametrize(
    ("case", "body", "content_type"),
    [
        ("D1", JOSE.encode("latin-1"), "text/xml; charset=iso-8859-1"),
        ("D1", JOSE.replace("UTF-8", "ISO-8859-1").encode(), 'text/xml;charset="utf-8"'),
        ("D1", JOSE.encode("utf-16-le"), "text/xml; charset=utf-16"),
        ("D1", JOSE.encode("utf-16-be"), "text/xml; charset=utf-16be"),
        ("D2", codecs.BOM_UTF8 + JOSE.encode(), "text/xml; charset=iso-8859-1"),
        ("D2", JOSE.encode("utf-16"), "application/xml; charset=us-ascii"),
        ("D3", JOSE.encode("latin-1"), "text/xml; charset=latin-1"),
        ("D3", JOSE.replace("UTF-8", "latin-1").encode("latin-1"), "text/xml"),
        ("D3", JOSE.replace("UTF-8", "mac-roman").encode("mac-roman"), "text/xml"),
    ],
)
def test_xml_in_the_encoding_that_counts(case: str, body: bytes, content_type: str) -> None:
    assert read(body, content_type).name.first == "José"


@pytest.mark.parametrize("case", ["D4"])
def test_half_of_an_emoji_does_not_cost_the_lead(case: str, payload: Any, dealer: Any) -> None:
    draft = tell(payload(comments="See you \ud83d", customer={"name": "Dana \ud83d\ude97"}))
    lead = place(draft, Origin("contactatonce", "a", AT), dealer)
    assert (lead.message, lead.customer.name.full) == ("See you \ufffd", "Dana \U0001f697")
    assert [warning.code for warning in lead.warnings] == ["half_surrogate"]


def test_a_doubtful_payload_is_a_lead_all_the_same(payload: Any, dealer: Any) -> None:
    told = payload(
        occurred_at="yesterday",
        customer={"name": "Dana Whitfield", "phone": "312-555-0148", "email": ["a@example.com"]},
        vehicle={"make": "Audi", "mileage": "12 leagues", "status": "certified"},
        vehicles=[{"make": "BMW", "mileage": 5, "mileage_units": "leagues"}, 7, {"make": "BMW"}],
        transcript=[{"speaker": "robot", "text": "Hi"}, "You there?", None, {"speaker": "agent"}],
        call={"recording_url": "javascript:alert(1)"},
        related_ids={"call\x00_id": 5, "dana@example.com": []},
    )
    lead = place(tell(told), Origin("contactatonce", "a", AT), dealer)
    assert lead.customer.phones[0].e164 == "+13125550148"
    assert [vehicle.make for vehicle in lead.vehicles] == ["Audi", "BMW", "BMW"]
    assert lead.vehicles[1].odometer is not None
    assert (lead.vehicles[1].odometer.value, lead.vehicles[1].odometer.units) == (5, "unknown")
    assert [(line.speaker, line.name, line.text) for line in lead.transcript] == [
        ("system", "robot", "Hi"),
        ("system", None, "You there?"),
    ]
    assert lead.call is not None
    assert lead.call.recording_url is None
    assert ("ContactAtOnce! call_id", "5") in [(one.source, one.value) for one in lead.ids]
    assert {
        "occurred_at": "yesterday",
        "customer.email": '["a@example.com"]',
        "vehicles.0.mileage": "12 leagues",
        "vehicles.0.status": "certified",
        "vehicles.1.mileage_units": "leagues",
        "vehicles.1": "7",
        "transcript.0.speaker": "robot",
        "transcript.1": "You there?",
        "call.recording_url": "javascript:alert(1)",
        "related_ids.dana@example.com": "[]",
    }.items() <= lead.extras.items()
    fields = {warning.field for warning in lead.warnings if warning.code == "value_unread"}
    assert {"customer.emails", "vehicles.0.mileage", "related_ids", "occurred_at"} <= fields
    assert not any("dana" in field for field in fields)


def test_many_doubtful_values_are_one_warning_and_cost_no_word(payload: Any) -> None:
    lines = [{"at": "noon", "speaker": "agent", "text": f"line {n}"} for n in range(200)]
    draft = tell(payload(transcript=lines))
    assert [line.text for line in draft.transcript] == [f"line {n}" for n in range(200)]
    assert [(one.code, one.field) for one in draft.warnings] == [("value_unread", "transcript")]
    assert json.loads(draft.extras["transcript"]) == lines


@pytest.mark.parametrize(
    "hostile",
    [
        {"transcript": [1] * 100_000},
        {"vehicles": [{"status": "x", "price": []}] * 50_000},
        {"related_ids": {f"id {n}": [] for n in range(50_000)}},
        {"vehicles": [[]] * 900, "transcript": [{}] * 900},
    ],
    ids=["transcript", "vehicles", "ids", "both"],
)
def test_a_hostile_payload_does_not_make_a_large_lead(payload: Any, hostile: Any) -> None:
    draft = tell(payload("Chat", **{"transcript": None, "vehicle": None, **hostile}))
    assert len(draft.warnings) <= 100
    assert len(draft.extras) <= 100


def test_the_vehicle_told_first_is_the_one_of_interest(payload: Any) -> None:
    told = payload(vehicle={"make": "A"}, vehicles=[{"make": "B"}, {"make": "A"}])
    assert [(one.make, one.wanted) for one in tell(told).vehicles] == [("A", True), ("B", False)]


def test_what_has_no_field_is_kept(payload: Any) -> None:
    told = payload(
        dealer={"id": "1", "region": "Midwest"},
        vehicle={"make": "Honda", "features": ["awd", {"code": 7}], "sold": False},
        score=0.75,
        **{"weird key\x00": "va\x00lue"},
    )
    assert {
        "dealer.region": "Midwest",
        "vehicle.features.0": "awd",
        "vehicle.features.1.code": "7",
        "vehicle.sold": "false",
        "score": "0.75",
        "weird key": "value",
    }.items() <= tell(told).extras.items()


def test_a_long_list_is_kept_as_one_text(payload: Any) -> None:
    extras = tell(payload(clicks=list(range(100_000)))).extras
    assert extras["clicks"].startswith("[0,1,2,")
    assert not any(name.startswith("clicks.") for name in extras)


def test_a_long_name_is_not_repeated_before_every_value(payload: Any) -> None:
    extras = tell(payload(**{"N" * 100_000: {str(n): n for n in range(50)}, "M" * 5_000: 1})).extras
    assert extras["N" * 100_000].startswith('{"0":0,')
    assert extras["M" * 5_000] == "1"
    assert sum(len(name) for name in extras) < 110_000


def test_a_vehicle_told_twice_is_one(payload: Any) -> None:
    first, second = {"make": "Honda", "model": "CR-V"}, {"make": "Kia", "model": "EV9"}
    vehicles = tell(payload(vehicle=first, vehicles=[second, first, second])).vehicles
    assert [(vehicle.make, vehicle.wanted) for vehicle in vehicles] == [("Honda", True), ("Kia", False)]


def test_a_hostile_list_of_vehicles_takes_no_hours(payload: Any) -> None:
    """Each compared with each, they would take longer than a test may."""
    assert len(tell(payload(vehicles=[{"make": f"A{n}"} for n in range(30_000)])).vehicles) > 30_000 - 1


def test_a_hostile_number_of_elements_takes_no_minutes() -> None:
    """Each copied with those before it, they would take longer than a test may."""
    body = CONTACTATONCE_XML.replace("</lead>", "<z>1</z>" * 490_000 + "</lead>")
    assert read(body.encode(), "text/xml").extras["z"].startswith('["1","1",')


def test_doubtful_values_warn_and_stay(payload: Any, dealer: Any) -> None:
    told = payload(
        occurred_at="0001-01-01T00:00:00+14:00",
        customer={"phone": "ask Bob", "email": "none", "name": "WIRELESS CALLER"},
        vehicle={"vin": "1M8GDM9AXKPO42788", "price": "1e999999"},
    )
    lead = place(tell(told), Origin("contactatonce", "a", AT), dealer)
    assert {warning.code for warning in lead.warnings} == {
        "time_implausible",
        "phone_unreadable",
        "email_invalid",
        "name_placeholder",
        "vin_alphabet",
        "price_implausible",
    }
    assert lead.extras["vehicles.0.vin"] == "1M8GDM9AXKPO42788"
    assert lead.customer.phones[0].raw == "ask Bob"
    assert lead.customer.emails[0].raw == "none"
    assert lead.customer.name.full == "WIRELESS CALLER"
    assert lead.vehicles[0].prices == ()


def test_a_wrong_check_digit_only_warns(payload: Any) -> None:
    (vehicle,) = tell(payload(vehicle={"vin": "WVWZZZ1JZXW000001"})).vehicles
    assert (vehicle.vin, vehicle.vin_warning) == ("WVWZZZ1JZXW000001", "check_digit")


def test_a_lead_without_its_time_happened_when_the_talk_began(payload: Any) -> None:
    told = tell(payload("Chat", occurred_at=None))
    assert told.occurred_at == datetime.fromisoformat("2026-04-14T11:00:12-05:00")


@pytest.mark.parametrize(
    ("told", "field", "kind"),
    [
        ({"lead_id": None}, "lead_id", "missing"),
        ({"lead_id": "  "}, "lead_id", "string"),
        ({"lead_id": ["a"]}, "lead_id", "array"),
        ({"lead_type": "Fax"}, "lead_type", "string"),
        ({"dealer": None}, "dealer", "missing"),
        ({"dealer": {"name": "x"}}, "dealer.id", "missing"),
        ({"dealer": {"id": "9" * 5000}}, "dealer.id", "string"),
        ({"lead_id": "\x01 "}, "lead_id", "string"),
        ({"dealer": {"id": " \t"}}, "dealer.id", "string"),
        ({"dealer": {"id": {"dana@example.com": 1}}}, "dealer.id", "object"),
        ({"dealer": "40217"}, "dealer", "string"),
        ({"customer": "Dana", "vehicle": {"mileage": "x"}, "lead_type": "Fax"}, "lead_type", "string"),
    ],
)
def test_unreadable_payloads_say_where_and_nothing_of_what(
    told: Any, field: Any, kind: Any, payload: Any
) -> None:
    with pytest.raises(Rejection) as caught:
        tell(payload(**told))
    refused = caught.value
    assert (refused.reason, refused.field, refused.kind) == ("payload_invalid", field, kind)
    assert "dana" not in str(refused).lower()


@pytest.mark.parametrize(
    ("told", "detail"),
    [
        ({"lead_type": "Fax"}, "Input should be 'ClickForCallBack', 'Chat', 'TextToChat' or 'TrackedCall'"),
        ({"lead_id": None}, "Field required"),
        ({"lead_id": "with \x00 inside"}, "contains a NUL character"),
        ({"dealer": {"id": "9" * 201}}, "too long"),
        ({"dealer": {"id": " "}}, "blank"),
    ],
)
def test_unreadable_payloads_say_what_is_wanted(told: Any, detail: str, payload: Any) -> None:
    with pytest.raises(Rejection) as caught:
        tell(payload(**told))
    assert caught.value.detail == detail


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"", JSON, "undecodable"),
        (b"{", JSON, "undecodable"),
        (b"\x00\x01", None, "undecodable"),
        (b'{"lead_id": "\xff\xfe"}', JSON, "undecodable"),
        (b'{"lead_id": "\\ud800"}', JSON, "payload_invalid"),
        (b"[" * 100_000, JSON, "undecodable"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, JSON, "undecodable"),
        (b"[]", JSON, "payload_invalid"),
        (b"null", JSON, "payload_invalid"),
        (b"<lead>", "text/xml", "undecodable"),
        (b"<lead><lead_id>&name;</lead_id></lead>", "text/xml", "xml_forbidden"),
        (b'<!DOCTYPE lead [<!ENTITY a "b">]><lead>&a;</lead>', "text/xml", "xml_forbidden"),
        (b'<!DOCTYPE lead SYSTEM "file:///etc/passwd"><lead/>', None, "xml_forbidden"),
        ("<!DOCTYPE lead><lead/>".encode("utf-16"), "text/xml", "xml_forbidden"),
        (b"<prospect/>", "text/xml", "payload_invalid"),
        (b"<lead/>", "text/xml", "payload_invalid"),
        (b'<?xml version="1.0" encoding="klingon"?><lead/>', "text/xml", "undecodable"),
        (b"<lead>\xe9</lead>", "text/xml; charset=utf-8", "undecodable"),
        (b"<lead/>", "text/xml; charset=klingon", "undecodable"),
        (b"<lead/>", "text/xml; charset=base64", "undecodable"),
        (b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>', "text/xml", "undecodable"),
        ("<!DOCTYPE lead><lead/>".encode("utf-16-be"), "text/xml; charset=utf-16", "xml_forbidden"),
        (b"<lead>\x00</lead>", "text/xml", "undecodable"),
        (b"a,b", "text/csv", "unsupported_type"),
        (b"{}", "application/x-msgpack", "unsupported_type"),
    ],
)
def test_what_is_no_document(body: Any, content_type: Any, reason: Any) -> None:
    with pytest.raises(Rejection) as caught:
        read(body, content_type)
    assert caught.value.reason == reason


def test_an_entity_bomb_costs_nothing() -> None:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 20))
    bomb = f'<!DOCTYPE lead [<!ENTITY l0 "ha">{levels}]><lead>&l19;</lead>'
    with pytest.raises(Rejection) as caught:
        read(bomb.encode(), "text/xml")
    assert caught.value.reason == "xml_forbidden"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    [*ContactAtOnceLead.model_fields, "id", "name", "phone", "vin", "price", "at", "text"]
)
nearly = st.dictionaries(names, json_values | st.dictionaries(names, json_values, max_size=4), max_size=6)


@st.composite
def damaged_payloads(draw: Any) -> dict[str, Any]:
    base = json.loads(json.dumps(draw(st.sampled_from(list(CONTACTATONCE.values())))))
    base |= draw(nearly)
    for part in ("customer", "vehicle", "dealer", "call"):
        if isinstance(base.get(part), dict):
            base[part] |= draw(st.dictionaries(names, json_values, max_size=3))
    return dict(base)


def outcome(source: str, body: bytes, content_type: str | None, dealer: Any) -> None:
    """Either a draft that makes a lead which can be written down, or the named error."""
    try:
        draft = read_by_source(source, body, content_type, Way("main"))
    except Rejection:
        return
    assert isinstance(draft, Draft)
    lead = place(draft, Origin("contactatonce", "a", AT), dealer)
    document = lead.to_json()
    assert b"\\u0000" not in document
    assert type(lead).model_validate_json(document) == lead


@pytest.mark.parametrize("source", [*ADAPTERS, *ADAPTERS_BY_WAY])
@settings(max_examples=120, deadline=None)
@given(told=damaged_payloads())
@example(told={**CONTACTATONCE["Chat"], "vehicle": {"price": 1e308, "year": 10**30}})
def test_any_json_is_a_lead_or_a_rejection(source: Any, dealer: Any, told: Any) -> None:
    outcome(source, json.dumps(told).encode(), JSON, dealer)


@pytest.mark.parametrize("source", [*ADAPTERS, *ADAPTERS_BY_WAY])
@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.tuples(st.binary(max_size=20), st.integers(0, 600)).map(
        lambda cut: CONTACTATONCE_XML.encode()[: cut[1]] + cut[0] + CONTACTATONCE_XML.encode()[cut[1] :]
    ),
    content_type=st.sampled_from(
        [None, JSON, "application/xml", "text/plain", "application/vnd.x+json", "message/rfc822", ";", "é"]
    ),
)
def test_any_bytes_are_a_lead_or_a_rejection(source: Any, dealer: Any, body: Any, content_type: Any) -> None:
    outcome(source, body, content_type, dealer)
