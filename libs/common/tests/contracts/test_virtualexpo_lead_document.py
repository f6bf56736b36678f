"""One lead out of a fetched document: a document of its own, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from leadbus.contracts.examples.virtualexpo import VIRTUALEXPO_XML
from leadbus.contracts.virtualexpo_document import split
from leadbus.contracts.virtualexpo_lead_document import schema
from lxml import etree

BODY = VIRTUALEXPO_XML.encode()


def leads(*inner: str) -> bytes:
    opening = '<leads xmlns="urn:leadbus:virtualexpo:1" generatedAt="2026-04-14T12:00:00Z">'
    return f"{opening}{''.join(inner)}</leads>".encode()


def lead(inner: str = "", **attributes: str) -> str:
    told = {"id": "1", "category": "request", "marketplace": "AeroExpo", **attributes}
    written = " ".join(f'{name}="{value}"' for name, value in told.items() if value)
    return f"<lead {written}><createdAt>2026-04-14T12:00:00</createdAt>{inner}</lead>"


LEAST = lead("<buyer/>")


@pytest.mark.parametrize("case", ["VX-5"])
def test_each_lead_is_a_document_of_the_schema_by_itself(case: str) -> None:
    whole = etree.fromstring(BODY)
    for one, told in zip(split(BODY).leads, whole, strict=True):
        alone = etree.fromstring(one.data)
        assert schema().validate(alone)
        assert [element.tag for element in alone.iter()] == [element.tag for element in told.iter()]
        assert list(alone.itertext()) == list(told.itertext())
        assert sorted(alone.items()) == sorted(told.items())


@pytest.mark.parametrize(
    ("case", "body", "rule", "path"),
    [
        ("category", lead("<buyer/>", category="buyer@example.org"), "cvc_enumeration_valid", "lead"),
        ("no category", lead("<buyer/>", category=""), "cvc_complex_type_4", "lead"),
        ("marketplace", lead("<buyer/>", marketplace="TruckExpo"), "cvc_enumeration_valid", "lead"),
        ("no buyer", lead(), "element_content", "lead"),
        ("order", lead("<message>x</message><buyer/>"), "element_content", "lead/message"),
        ("twice", lead("<buyer><email/><email/></buyer>"), "element_content", "lead/buyer/email"),
        ("inner", lead("<buyer><anna.b>x</anna.b></buyer>"), "element_content", "lead/buyer/*"),
        ("moment", lead("<buyer/><consent><given>1</given><at>noon</at></consent>"), None, "lead/consent/at"),
        ("boolean", lead("<buyer/><consent><given>oui</given></consent>"), None, "lead/consent/given"),
        ("prefix", '<x:lead xmlns:x="urn:leadbus:virtualexpo:1"><x:a/></x:lead>', None, "lead"),
        ("long id", lead("<buyer/>", id="9" * 65), "cvc_maxlength_valid", "lead"),
    ],
)
def test_what_is_wrong_with_a_lead_costs_no_other(case: str, body: str, rule: str | None, path: str) -> None:
    found = split(leads(LEAST, body, LEAST))
    assert found.faults == ()
    assert [bool(one.faults) for one in found.leads] == [False, True, False]
    wrong = found.leads[1]
    assert path in {fault.path for fault in wrong.faults}
    assert rule is None or rule in {fault.rule for fault in wrong.faults}
    assert wrong.data
    assert not any(told in str(wrong.faults) for told in ("example", "anna", "noon", "oui"))


@pytest.mark.parametrize(
    "inner",
    [
        '<buyer><firstName>A</firstName><fax xmlns="x">1</fax></buyer>',
        '<buyer/><message>Hi</message><score xmlns="">7</score><x:y xmlns:x="x"><x:z/></x:y>',
        "<type>Quote</type>",
    ],
    ids=["other namespace", "none", "none of it"],
)
def test_additions_are_within_the_schema(inner: str) -> None:
    told = split(leads(lead(inner))).leads[0]
    assert bool(told.faults) is ("type" in inner)


def test_a_hostile_lead_takes_no_minutes_and_has_few_faults() -> None:
    """Each fault looked for in the whole lead, they would take longer than a test may."""
    many, fewer = split(leads(*(lead("<product><a/></product>" * count) for count in (40_000, 900)))).leads
    assert [(fault.rule, fault.path) for fault in many.faults] == [("unchecked", "lead")]
    assert [(fault.rule, fault.path) for fault in fewer.faults] == [("element_content", "lead/product/*")]
    assert many.data.count(b"<product>") == 40_000


def test_the_same_lead_has_the_same_raw_id_and_a_changed_one_another() -> None:
    def raw_ids(body: bytes) -> list[str]:
        return [one.raw_id for one in split(body).leads]

    other_way = VIRTUALEXPO_XML.replace("UTF-8", "utf-16").replace(
        'id="VX-5501873" category="request"', "category='request'  id='VX-5501873'"
    )
    assert raw_ids(other_way.encode("utf-16")) == raw_ids(BODY)
    changed = raw_ids(BODY.replace(b"Claire", b"Clara"))
    assert changed[1:] == raw_ids(BODY)[1:]
    assert changed[0] != raw_ids(BODY)[0]
    assert changed[0].partition(".")[0] == "id:VX-5501873"
    assert max(map(len, raw_ids(leads(lead(id="9" * 64), lead(id="9" * 65), lead(id=""))))) <= 255


TOLD = {
    "createdAt": "2026-04-14T12:00:00",
    "type": "Quote",
    "email": "a@b.example",
    "productId": "1",
    "message": "Hi",
}


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"email": "A@B.example "}, True),
        ({"type": " quote"}, True),
        ({"message": "Hello"}, True),
        ({"type": "Documentation"}, False),
        ({"email": "c@b.example"}, False),
        ({"productId": "2"}, False),
        ({"createdAt": "2026-04-14T12:00:01"}, False),
        ({"marketplace": "AgriExpo"}, False),
        ({"category": "prospect"}, False),
    ],
)
def test_without_an_id_what_it_tells_is_its_key(changed: dict[str, str], same: bool) -> None:
    def key(told: dict[str, Any]) -> str:
        (one,) = split(
            leads(
                f'<lead category="{told.get("category", "request")}" '
                f'marketplace="{told.get("marketplace", "AeroExpo")}"><type>{told["type"]}</type>'
                f"<createdAt>{told['createdAt']}</createdAt>"
                f"<product><productId>{told['productId']}</productId></product>"
                f"<buyer><email>{told['email']}</email></buyer><message>{told['message']}</message></lead>"
            )
        ).leads
        return one.key

    assert key(TOLD).startswith("digest:")
    assert (key(TOLD | changed) == key(TOLD)) is same
