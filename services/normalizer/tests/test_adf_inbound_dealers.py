"""Inbound ADF: the L cases: which dealer a prospect is for."""

from __future__ import annotations

import pytest
from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.sources.adf import read_all

CUSTOMER = "<customer><contact><name>Dana Whitfield</name><email>d@example.org</email></contact></customer>"


def prospect(inner: str, attributes: str = "") -> Draft:
    (draft,) = read_all(f"<adf><prospect {attributes}>{inner}</prospect></adf>".encode(), None)
    assert isinstance(draft, Draft), draft
    assert not [one for one in draft.warnings if one.code == "adf_repaired"]
    return draft


def codes(draft: Draft) -> list[str]:
    return [one.code for one in draft.warnings]


BUY = "<vehicle interest='buy'><year>2020</year><make>Dodge</make><model>Ram</model></vehicle>"
LOCATIONS = [
    ("L1", "<vendor><id source='oem'>D7</id><vendorname>Prairie</vendorname></vendor>", "D7", "vendor.id"),
    ("L2", "<vendor><id></id><vendorname>Prairie</vendorname></vendor>", "Prairie", "vendor.vendorname"),
    ("L3", "<vendor><name>Prairie</name></vendor>", "Prairie", "vendor.vendorname"),
    ("L4", "<vendor><contact><name>Prairie</name></contact></vendor>", "Prairie", "vendor.contact.name"),
    ("L5", "", "", "vendor"),
    ("L6", "<vendor><vendorname>{{dealer}}</vendorname></vendor>", "", "vendor"),
]


@pytest.mark.parametrize(("case", "inner", "location", "field"), LOCATIONS, ids=[row[0] for row in LOCATIONS])
def test_the_dealer(case: str, inner: str, location: str, field: str) -> None:
    draft = prospect(CUSTOMER + inner)
    assert (draft.location, draft.location_field) == (location, field)
    assert ("vendor_missing" in codes(draft)) == (not location)


def test_a_reference_that_no_setting_could_name() -> None:
    body = f"<adf><prospect><vendor><id>{'9' * 201}</id></vendor></prospect></adf>"
    (outcome,) = read_all(body.encode(), None)
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, outcome.field) == ("payload_invalid", "vendor.id")


def test_a_vendor_beside_the_prospects_is_everybodys() -> None:
    body = f"<adf><vendor><id>D7</id></vendor><prospect>{CUSTOMER}</prospect><prospect>{BUY}</prospect></adf>"
    assert [one.location for one in read_all(body.encode(), None) if isinstance(one, Draft)] == ["D7", "D7"]
