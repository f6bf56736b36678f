"""Inbound ADF: the K (contacts), I (ids) and O (origin) cases, extensions, extras."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from leadbus.contracts.examples import CONTACTATONCE
from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, place
from normalizer.sources import contactatonce
from normalizer.sources.adf import read_all

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)
CUSTOMER = "<customer><contact><name>Dana Whitfield</name><email>d@example.org</email></contact></customer>"


def prospect(inner: str, attributes: str = "") -> Draft:
    (draft,) = read_all(f"<adf><prospect {attributes}>{inner}</prospect></adf>".encode(), None)
    assert isinstance(draft, Draft), draft
    assert not [one for one in draft.warnings if one.code == "adf_repaired"]
    return draft


def contact(inner: str) -> Draft:
    return prospect(f"<customer><contact>{inner}</contact></customer>")


def codes(draft: Draft) -> list[str]:
    return [one.code for one in draft.warnings]


BUY = "<vehicle interest='buy'><year>2020</year><make>Dodge</make><model>Ram</model></vehicle>"
PHONES = [
    ("K1", "", "voice", None, False),
    ("K2", "type='phone'", "voice", None, False),
    ("K3", "type='voice' time='morning'", "voice", "morning", False),
    ("K4", "type='cellphone' preferredcontact='1'", "cellphone", None, True),
    ("K5", "type='mobile'", "cellphone", None, False),
    ("K6", "type='Cell'", "cellphone", None, False),
    ("K7", "type='home' time='nopreference'", "voice", "no_preference", False),
    ("K8", "type='work' preferredcontact='0'", "voice", None, False),
    ("K9", "type='business'", "voice", None, False),
    ("K10", "type='fax'", "fax", None, False),
    ("K11", "type='pager'", "pager", None, False),
    ("K12", "type='carrier pigeon'", "unknown", None, False),
]


@pytest.mark.parametrize(
    ("case", "attributes", "kind", "time", "primary"), PHONES, ids=[row[0] for row in PHONES]
)
def test_phones_of_many_types(case: str, attributes: str, kind: str, time: str | None, primary: bool) -> None:
    draft = contact(f"<name>Dana</name><phone {attributes}>(312) 555-0148</phone>")
    (phone,) = draft.phones
    assert (phone.raw, phone.type, phone.best_time, phone.primary) == ("(312) 555-0148", kind, time, primary)
    told = attributes.partition("type='")[2].partition("'")[0]
    plain = ("", "phone", "voice", "cellphone", "fax", "pager")
    assert draft.extras.get("customer.contact.phone@type") == (None if told in plain else told)


NAMES = [
    ("K20", "<name>Dana Whitfield</name>", "Dana", "Whitfield", None),
    ("K21", "<name part='first'>Dana</name><name part='last'>Whitfield</name>", "Dana", "Whitfield", None),
    ("K22", "<name part='First'>Dana</name><name part='surname'>Whitfield</name>", "Dana", "Whitfield", None),
    ("K23", "<name><first>Dana</first><last>Whitfield</last></name>", "Dana", "Whitfield", None),
    ("K24", "<firstname>Dana</firstname><lastname>Whitfield</lastname>", "Dana", "Whitfield", None),
    ("K25", "<name part='full'></name><name part='first'>Dana</name>", "Dana", None, None),
    ("K26", "<name part='last'>Whitfield</name>", None, "Whitfield", None),
    ("K27", "<name type='business' part='full'>Acme Inc</name>", None, None, "Acme Inc"),
    ("K28", "<name part='first'>{{first}}</name><name part='last'>Null</name>", None, "Null", None),
    ("K29", "<name part='full'><![CDATA[O'Neil, Ann]]></name>", "Ann", "O'Neil", None),
]


@pytest.mark.parametrize(("case", "inner", "first", "last", "company"), NAMES, ids=[row[0] for row in NAMES])
def test_names(case: str, inner: str, first: Any, last: Any, company: Any) -> None:
    draft = contact(inner + "<email>d@example.org</email>")
    assert (draft.name.first, draft.name.last) == (first, last)
    assert (draft.company.name if draft.company else None) == company


def test_emails_each_once() -> None:
    draft = contact(
        "<email preferredcontact='1'>a@example.org; b@example.org</email><email>A@example.org</email>"
    )
    assert [(one.address, one.primary) for one in draft.emails] == [
        ("a@example.org", True),
        ("b@example.org", True),
    ]


def test_an_address_arrives() -> None:
    inner = (
        "<address type='home' flag='1'><street line='2'>Apt 4</street><street line='1'>1 Main</street>"
        "<city>X</city><regioncode>IL</regioncode><postalcode>60540</postalcode><country>USA</country></address>"
    )
    draft = contact(f"<name>D</name><phone>1</phone>{inner}")
    (address,) = draft.addresses
    assert (address.street, address.city, address.region) == (("1 Main", "Apt 4"), "X", "IL")
    assert (address.postal_code, address.country, address.type) == ("60540", "US", "home")
    kept = {name: told for name, told in draft.extras.items() if "address" in name}
    assert kept == {"customer.addresses.country": "USA", "customer.contact.address@flag": "1"}


IDS = [
    ("I1", "<id sequence='1' source='A'>7</id>", [("A", "7")], ("A", "7"), {}),
    (
        "I2",
        "<id sequence='2' source='B'>8</id><id sequence='1' source='A'>7</id>",
        [("A", "7"), ("B", "8")],
        ("A", "7"),
        {},
    ),
    ("I3", "<id source='B'>8</id><id source='A'>7</id>", [("B", "8"), ("A", "7")], ("B", "8"), {}),
    ("I4", "<id>7</id>", [("Cars", "7")], ("Cars", "7"), {}),
    ("I5", "<id sequence='AB-77' source='A'></id>", [("A", "AB-77")], ("A", "AB-77"), {}),
    ("I6", "<id sequence='1' source='A'/>", [], (None, None), {"id@source": "A"}),
    (
        "I7",
        "<id source='leadtype'>Phone</id><id source='Cars'>7</id>",
        [("Cars", "7")],
        ("Cars", "7"),
        {"id.leadtype": "Phone"},
    ),
    ("I11", "<id sequence='48213' source='A'></id>", [("A", "48213")], ("A", "48213"), {}),
    ("I12", "<id sequence='[count]' source='A'></id>", [], (None, None), {"id@sequence": "[count]"}),
    (
        "I8",
        "<id sequence='0' source='EventName'>Spring</id><id sequence='1' source='EventID'>3</id>"
        "<id sequence='2' source='LeadId'>7</id>",
        [("Cars", "7")],
        ("Cars", "7"),
        {"id.eventname": "Spring", "id.eventid": "3", "id.leadid@source": "LeadId"},
    ),
    (
        "I9",
        "<id source='MediaType'>web</id><id source='LeadSubProgram'>x</id>",
        [],
        (None, None),
        {"id.mediatype": "web"},
    ),
    ("I10", "<id source='A'>{{id}}</id>", [], (None, None), {"id": "{{id}}"}),
]


@pytest.mark.parametrize(("case", "inner", "chain", "identity", "extras"), IDS, ids=[row[0] for row in IDS])
def test_ids(case: str, inner: str, chain: Any, identity: Any, extras: dict[str, str]) -> None:
    draft = prospect(inner + CUSTOMER + "<provider><name>Cars</name></provider>")
    assert [(one.source, one.value) for one in draft.ids] == chain
    assert (draft.issuer, draft.external_id) == identity
    assert extras.items() <= draft.extras.items()


def test_the_chain_goes_on_with_ours(dealer: Any) -> None:
    draft = prospect("<id sequence='1' source='A'>7</id><id sequence='2' source='B'>8</id>" + CUSTOMER)
    lead = place(draft, Origin("adf", "a", AT), dealer)
    assert [(one.source, one.sequence) for one in lead.ids] == [("A", 1), ("B", 2), ("leadbus", 3)]


@pytest.mark.parametrize("case", list(CONTACTATONCE))
def test_contactatonce_means_the_same_in_adf(case: str) -> None:
    pushed = contactatonce.read(json.dumps(CONTACTATONCE[case]).encode(), "application/json")
    answered = "Call answered: yes" if pushed.call and pushed.call.answered else ""
    draft = prospect(
        f"{BUY}<customer><contact><phone>1</phone></contact><comments>{answered}</comments></customer>"
        f"<provider><name part='full'>ContactAtOnce!</name><service>{case}</service></provider>"
    )
    assert draft.source_type == pushed.source_type
    assert (draft.channel, draft.intents, draft.urgency) == (pushed.channel, pushed.intents, pushed.urgency)
    assert draft.consent.basis == pushed.consent.basis


def test_a_missed_tracked_call_waits_for_a_callback() -> None:
    draft = prospect(
        "<customer><comments>Call recording: https://x.example/1\nCall answered: no</comments></customer>"
        "<provider><name>Contact At Once</name><service>TrackedCall</service></provider>"
    )
    assert (draft.intents, draft.urgency) == (("inquiry", "callback"), "high")


ORIGINS = [
    ("O1", "CarGurus", "Lead", "portal"),
    ("O2", "AutoTrader.ca", "Email", "portal"),
    ("O3", "CarGurus", "Phone Call", "phone"),
    ("O4", "CallRail", "", "phone"),
    ("O5", "Some Vendor", "SMS", "text"),
    ("O6", "Some Vendor", "LiveChat", "chat"),
    ("O7", "Some Vendor", "Walk-In", "walk_in"),
    ("O8", "Some Vendor", "Website form", "form"),
    ("O9", "Some Vendor", "E-mail", "email"),
    ("O10", "Some Vendor", "", "unknown"),
]


@pytest.mark.parametrize(("case", "provider", "service", "channel"), ORIGINS, ids=[row[0] for row in ORIGINS])
def test_how_the_person_came(case: str, provider: str, service: str, channel: str) -> None:
    draft = prospect(f"{CUSTOMER}<provider><name>{provider}</name><service>{service}</service></provider>")
    assert draft.channel == channel
    assert draft.source_type == (service or "ADF")
    assert draft.extras["lead_source"] == provider


def test_a_repeat_is_said_and_changes_nothing() -> None:
    first, again = prospect(CUSTOMER, "status='new'"), prospect(CUSTOMER, "status='resend'")
    assert "resend" in codes(again)
    assert (first.extras, first.ids) == (again.extras, again.ids)


def test_extensions_and_attributes_are_kept() -> None:
    draft = prospect(
        "<leadtype>hot</leadtype><x:score xmlns:x='urn:p' x:model='7'>9</x:score>"
        "<customer flag='1'><contact><name>D</name><phone ext='12'>3125550148</phone>"
        "<comment>Call me</comment>"
        "<donotsend>true</donotsend></contact><language>French</language><utm_source>ads</utm_source>"
        "<recording_url>https://calls.example/1</recording_url><duration>1:13</duration>"
        "<timeframe><description>soon</description><earliestdate>2026-05-01</earliestdate></timeframe>"
        "<comments>Line &amp;eacute;one<br/>two</comments></customer>"
        "<vendor><vendorname>P</vendorname><service>y</service></vendor><provider><leadtype>web</leadtype></provider>"
    )
    assert draft.message == "Line éone\ntwo\n\nCall me"
    assert draft.language == "fr"
    assert draft.phones[0].extension == "12"
    assert draft.consent.purposes == ("reply",)
    assert draft.call is not None
    assert (draft.call.recording_url, draft.call.duration_seconds) == ("https://calls.example/1", 73)
    assert draft.source_type == "web"
    assert {
        "leadtype": "hot",
        "x:score": "9",
        "x:score@x:model": "7",
        "customer@flag": "1",
        "customer.contact.donotsend": "true",
        "customer.utm_source": "ads",
        "customer.timeframe.description": "soon",
        "customer.timeframe.earliestdate": "2026-05-01",
        "vendor.service": "y",
    }.items() <= draft.extras.items()


def test_fields_as_attributes() -> None:
    draft = prospect(
        "<vehicle year='2020' make='Ford' doors='4'/><customer><contact name='Jo Do' phone='1'/></customer>"
    )
    assert (draft.name.full, draft.phones[0].raw) == ("Jo Do", "1")
    assert [(one.year, one.make) for one in draft.vehicles] == [("2020", "Ford")]
    assert draft.extras["vehicle.doors"] == "4"


def test_a_partner_s_name_is_no_name() -> None:
    draft = contact("<x:name xmlns:x='urn:p'>Robot</x:name><email>d@example.org</email>")
    assert draft.name.full is None
    assert draft.extras["customer.contact.x:name"] == "Robot"


def test_many_extensions_do_not_make_a_large_lead() -> None:
    draft = prospect(CUSTOMER + "".join(f"<x{n}>{n}</x{n}>" for n in range(5_000)))
    assert len(draft.extras) < 400
    assert '["x4999","4999"]' in draft.extras["adf.further"]


def test_templates_are_said() -> None:
    assert "template_unrendered" in codes(prospect(CUSTOMER + "<vehicle><year>{{year}}</year></vehicle>"))


def test_no_warning_quotes_a_person() -> None:
    draft = prospect(
        "<requestdate>dana</requestdate><customer><contact><name>dana@x dana</name><email>dana</email>"
        "<phone type='dana'>dana</phone></contact></customer><vehicle status='dana' interest='dana'/>"
    )
    assert draft.warnings
    assert not any("dana" in f"{one.code}{one.field}{one.detail}" for one in draft.warnings)
