"""A50–A79: the profile DTD and the value checks refuse what they must, and accept both readings of ADF."""

from __future__ import annotations

import pytest
from adf_mailer.domain.validation import Problem, problems

MINIMAL = (
    "<adf><prospect>{ids}<requestdate>{date}</requestdate><vehicle>{vehicle}</vehicle>"
    "<customer>{contact}</customer><vendor><vendorname>V</vendorname><contact><name>V</name><email>v@x.example</email>"
    "</contact></vendor></prospect></adf>"
)
DATE = "2026-01-01T00:00:00+00:00"
CAR = "<year/><make/><model/>"
PHONE = "<phone>+13125550148</phone>"
CONTACT = f"<contact><name>N</name>{PHONE}</contact>"


def colours(inner: str) -> str:
    return f"{CAR}<colorcombination>{inner}<preference>1</preference></colorcombination>"


def contact(ways: str, *, name: str = "<name>N</name>", address: str = "") -> str:
    return f"<contact>{name}{ways}{address}</contact>"


def document(*, ids: str = "", date: str = DATE, vehicle: str = CAR, customer: str = CONTACT) -> bytes:
    return MINIMAL.format(ids=ids, date=date, vehicle=vehicle, contact=customer).encode()


@pytest.mark.parametrize(
    "valid",
    [
        pytest.param(document(), id="A50-minimal"),
        pytest.param(document(date="20260101T000000+0000"), id="A51-basic-date"),
        pytest.param(document(date="20260101T000000-0530"), id="A52-basic-date-negative"),
        pytest.param(document(date="2026-01-01T00:00:00-05:30"), id="A53-extended-date-negative"),
        pytest.param(
            document(vehicle=colours("<exteriorcolor>r</exteriorcolor>")),
            id="A54-exterior-alone",
        ),
        pytest.param(
            document(vehicle=colours("<interiorcolor>r</interiorcolor>")),
            id="A55-interior-alone",
        ),
        pytest.param(
            document(vehicle=CAR + "<odometer/><condition>good</condition>").replace(
                b"<odometer/>", b'<odometer units="mi">5</odometer>'
            ),
            id="A56-condition-after-odometer",
        ),
        pytest.param(
            document(
                customer=CONTACT
                + "<timeframe><description>soon</description><earliestdate>2026-05-01</earliestdate>"
                + "</timeframe>"
            ),
            id="A57-timeframe-children",
        ),
        pytest.param(
            document(customer=CONTACT + "<timeframe>within a month</timeframe>"), id="A58-timeframe-text"
        ),
        pytest.param(
            document(
                customer=contact(
                    '<phone type="phone">+13125550148</phone>',
                    name='<name part="surname">N</name><name part="suffix">Jr</name>',
                ).replace("<contact>", '<contact primarycontact="1">')
            ),
            id="A59-both-vocabularies",
        ),
    ],
)
def test_valid(valid: bytes) -> None:
    assert problems(valid) == []


@pytest.mark.parametrize(
    ("invalid", "problem"),
    [
        pytest.param(b"<adf><prospect>", Problem("not_well_formed", "adf"), id="A60"),
        pytest.param(
            document(vehicle="<year/><model/><make/>"), Problem("dtd", "DTD_CONTENT_MODEL"), id="A61-order"
        ),
        pytest.param(
            document().replace(b"<vendorname>V</vendorname>", b""),
            Problem("dtd", "DTD_CONTENT_MODEL"),
            id="A62-no-vendorname",
        ),
        pytest.param(
            document(vehicle=CAR + "<leadtype>x</leadtype>"),
            Problem("dtd", "DTD_UNKNOWN_ELEM"),
            id="A63-extension",
        ),
        pytest.param(
            document(customer=contact('<phone type="home">+13125550148</phone>', name='<name part="nick"/>')),
            Problem("dtd", "DTD_ATTRIBUTE_VALUE"),
            id="A64-enumeration",
        ),
        pytest.param(document(date="2026-01-01T00:00:00Z"), Problem("value", "requestdate"), id="A65-Z"),
        pytest.param(
            document(date="2026-01-01T00:00:00.5+00:00"), Problem("value", "requestdate"), id="A66-fraction"
        ),
        pytest.param(
            document(date="2026-02-30T00:00:00+00:00"), Problem("value", "requestdate"), id="A67-no-such-day"
        ),
        pytest.param(
            document(date="2026-01-01T00:00:00-08:0"), Problem("value", "requestdate"), id="A68-broken-offset"
        ),
        pytest.param(document(vehicle=CAR + "<vin>123</vin>"), Problem("value", "vin"), id="A69"),
        pytest.param(
            document(vehicle=CAR + '<price currency="usd">1</price>'),
            Problem("value", "price@currency"),
            id="A70",
        ),
        pytest.param(document(vehicle=CAR + "<price>call</price>"), Problem("value", "price"), id="A71"),
        pytest.param(
            document(vehicle=CAR + "<option><optionname>o</optionname><weighting>101</weighting></option>"),
            Problem("value", "weighting"),
            id="A72",
        ),
        pytest.param(
            document(customer=contact(PHONE, address="<address><street/><country>USA</country></address>")),
            Problem("value", "country"),
            id="A73",
        ),
        pytest.param(
            document(customer=contact("<phone>call me</phone>")),
            Problem("value", "phone"),
            id="A74",
        ),
        pytest.param(
            document(customer=contact(PHONE + "<email>a@b.example</email>")),
            Problem("email_first", "contact"),
            id="A75",
        ),
        pytest.param(
            document(customer=contact("<email>a</email><email>b</email>")),
            Problem("one_email", "contact"),
            id="A76",
        ),
        pytest.param(document(ids='<id sequence="one">1</id>'), Problem("value", "id@sequence"), id="A77"),
        pytest.param(
            document(
                customer=contact(PHONE, address='<address><street line="1"/><street line="1"/></address>')
            ),
            Problem("street_lines", "address"),
            id="A78",
        ),
    ],
)
def test_invalid(invalid: bytes, problem: Problem) -> None:
    assert problem in problems(invalid)


def test_a79_entities_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE adf [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + document(vehicle="<year>&e;</year>")

    assert problems(bomb) != []
