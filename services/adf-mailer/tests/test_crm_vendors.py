"""Addresses that CRM vendors give: the chart's nine vendors and eleven forms, others that were met, oddities.

CV1 to CV11 are the chart's forms in its order, CV12 to CV20 those met in dealers' configurations.
"""

from __future__ import annotations

from typing import Any

import pytest
from adf_mailer.domain.crm_vendors import VENDORS, find, of_address, suggest, unlike
from adf_mailer.domain.route import AdfRoute
from adf_mailer.domain.route_notices import notices
from hypothesis import given
from hypothesis import strategies as st

NAME, NUMBER = "Prairie Motors", "10234"
# (id, vendor, form, address of a dealer by that name and number, leads it is for)
ROWS: list[tuple[str, str, str, str | None, str | None]] = [
    ("CV1", "AVV WebControl", "chart", "sales@prairiemotors.dealerspace.com", None),
    ("CV2", "Cobalt", "chart", "10234@crm.cobaltgroup.com", None),
    ("CV3", "Cobalt", "chart", "10234@leads.webedge.com", None),
    ("CV4", "Dealer.com", "chart", "prairiemotors@leadmachine.dealer.com", None),
    ("CV5", "eLead CRM", "chart", "prairiemotors@eleadtrack.net", None),
    ("CV6", "Higher Gear", "chart", "dm10234@highergear.net", None),
    ("CV7", "iMagic Lab", "chart", "leads@prairiemotors.dealercrm.com", None),
    ("CV8", "MotoSnap", "chart", "leads@prairiemotors.motosnap.com", None),
    ("CV9", "NetTrak", "chart", "prairiemotors@leadcrm.com", None),
    ("CV10", "Reynolds & Reynolds", "chart", "prairiemotors@gs.reyrey.com", None),
    ("CV11", "Reynolds & Reynolds", "chart", "prairiemotors@leads.gs.reyrey.com", None),
    ("CV12", "DealerSocket", "seen", "webleads@prairiemotors.dsmessage.com", None),
    ("CV13", "leads.cmdlr.com", "seen", "prairiemotors@newsales.leads.cmdlr.com", "new"),
    ("CV14", "leads.cmdlr.com", "seen", "prairiemotors@usedsales.leads.cmdlr.com", "used"),
    ("CV15", "DealerCenter", "seen", "10234@leadsprod.dealercenter.net", None),
    ("CV16", "ProMax", "seen", "prairiemotors@promaxleads.com", None),
    ("CV17", "easydealmail.ca", "seen", None, None),
    ("CV18", "FordDirect CRM Pro", "seen", None, None),
    ("CV19", "dealr.cloud", "seen", "dealer-10234@leads.dealrcloud.com", None),
    ("CV20", "quickestreply.com", "seen", "prairiemotors@quickestreply.com", None),
]
KNOWN = [pytest.param(*row[1:], id=row[0]) for row in ROWS]


@pytest.mark.parametrize(("vendor", "told", "address", "vehicles"), KNOWN)
def test_an_address_of_a_vendors_form(
    vendor: str, told: str, address: str | None, vehicles: str | None
) -> None:
    known = find(vendor)
    assert known is not None
    suggested = [
        (one.address, one.pattern.told, one.pattern.vehicles) for one in suggest(known, NAME, NUMBER)
    ]
    assert (address, told, vehicles) in suggested
    if address is not None:
        assert unlike(address, known) == ()
        assert unlike(address.upper(), known) == ()
        assert of_address(address) == known


def test_of_some_vendors_only_a_form_of_mail_is_known() -> None:
    assert [vendor.name for vendor in VENDORS.values() if not vendor.patterns] == ["DealerTeam", "DX1"]
    assert codes("leads@crm.prairie.example", "dx1") == []


def test_the_table_is_all_there_is() -> None:
    forms = [(vendor.name, pattern.told) for vendor in VENDORS.values() for pattern in vendor.patterns]
    assert forms == [(vendor, told) for _, vendor, told, _, _ in ROWS]
    assert len({vendor for _, vendor, told, _, _ in ROWS if told == "chart"}) == 9


@pytest.mark.parametrize(
    ("vendor", "address"),
    [
        ("easydealmail.ca", "_lead.C5183@easydealmail.ca"),
        ("FordDirect CRM Pro", "x@demosite.forddirectcrmpro.com"),
    ],
)
def test_what_only_the_vendor_knows_is_recognised_and_not_made_up(vendor: str, address: str) -> None:
    known = find(vendor)
    assert known is not None
    (suggestion,) = suggest(known, NAME, NUMBER)
    assert (suggestion.address, len(suggestion.missing)) == (None, 1)
    assert unlike(address, known) == ()


@pytest.mark.parametrize(
    ("name", "number", "missing"),
    [(None, NUMBER, ("name",)), ("", NUMBER, ("name",)), ("???", None, ("name",))],
)
def test_without_the_dealers_name_there_is_no_address(
    name: str | None, number: str | None, missing: tuple[str, ...]
) -> None:
    known = find("elead crm")
    assert known is not None
    (suggestion,) = suggest(known, name, number)
    assert (suggestion.address, suggestion.missing) == (None, missing)


@pytest.mark.parametrize("number", ["", "A-12", "12 34", "١٢"])
def test_a_number_is_digits(number: str) -> None:
    known = find("Higher Gear")
    assert known is not None
    assert suggest(known, NAME, number)[0].missing == ("number",)


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("Müller & Söhne", "muellerandsoehne"),
        ("Bob's Ford-Lincoln, Inc.", "bobsfordlincolninc"),
        ("Citroën Çelik", "citroencelik"),
        ("A1 Auto 2000", "a1auto2000"),
    ],
)
def test_a_name_as_a_part_of_an_address(name: str, spelt: str) -> None:
    known = find("ProMax")
    assert known is not None
    assert suggest(known, name, None)[0].address == f"{spelt}@promaxleads.com"


@given(st.text(max_size=300), st.text(max_size=40))
def test_whatever_a_dealer_is_called_an_address_is_one(name: str, number: str) -> None:
    for vendor in VENDORS.values():
        for one in suggest(vendor, name, number):
            if one.address is not None:
                assert AdfRoute(dealer="d", address=one.address).address == one.address
                assert unlike(one.address, vendor) == ()


def codes(address: str, crm: str | None = None) -> list[tuple[str, str]]:
    route = AdfRoute(dealer="prairie", address=address, crm=crm)
    return [(one.field, one.code) for one in notices({"address": address}, route)]


@pytest.mark.parametrize(
    ("address", "crm", "told"),
    [
        pytest.param("dm10234@highergear.net", "Higher Gear", [], id="as-the-vendor-gives-it"),
        pytest.param("DM10234@highergear.net", "higher  gear", [], id="without-regard-to-case"),
        pytest.param(
            "prairie@highergear.net", "Higher Gear", [("address", "address_unlike_vendor")], id="another-form"
        ),
        pytest.param(
            "prairie@highergear.net", None, [("address", "address_unlike_vendor")], id="told-by-the-domain"
        ),
        pytest.param(
            "leads@prairie.motosnap.com",
            "Higher Gear",
            [("address", "address_unlike_vendor")],
            id="another-vendors",
        ),
        pytest.param("leads@crm.prairie.example", None, [], id="of-nobody-who-is-known"),
        pytest.param("leads@crm.prairie.example", "Our Own", [("crm", "crm_unknown")], id="unknown-vendor"),
        pytest.param(
            " leads@prairie.motosnap.com\u00a0", None, [("address", "address_repaired")], id="blanks-around"
        ),
        pytest.param(
            "leads@ prairie .motosnap.com", None, [("address", "address_repaired")], id="blanks-within"
        ),
        pytest.param("leads@Prairie.MotoSnap.com", None, [("address", "address_repaired")], id="case"),
    ],
)
def test_what_is_odd_is_told_and_taken(address: str, crm: str | None, told: list[tuple[str, str]]) -> None:
    assert codes(address, crm) == told


@pytest.mark.parametrize(
    "address", ["le ads@x.example", "a@x.example b@y.example", "a@@x.example", "@x.example"]
)
def test_what_is_no_address_stays_none(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        AdfRoute(dealer="d", address=address)


def test_a_notice_names_the_forms_and_says_what_to_do() -> None:
    (notice,) = notices({}, AdfRoute(dealer="d", address="x@gs.reyrey.com", crm="NetTrak"))
    assert "{name}@leadcrm.com" in notice.detail
    assert "ask the vendor" in notice.detail


def test_each_form_is_found_by_no_other_vendor() -> None:
    for vendor in VENDORS.values():
        for one in suggest(vendor, NAME, NUMBER):
            if one.address is not None:
                known = [other for other in VENDORS.values() if other.patterns]
                like = [other.name for other in known if not unlike(one.address, other)]
                assert like == [vendor.name]


async def test_vendors_and_suggestions_are_served(mailer: Any) -> None:
    viewer = mailer.token("viewer")
    listed = (await mailer.http.get("/v1/crm-vendors", headers=viewer)).json()["items"]
    assert [one["name"] for one in listed] == [vendor.name for vendor in VENDORS.values()]
    assert {one["name"]: one["profile"] for one in listed if one["profile"] != "default"} == {
        "eLead CRM": "elead",
        "DealerCenter": "dealercenter",
        "dealr.cloud": "dealr-cloud",
        "DealerTeam": "dealerteam",
        "DX1": "dx1",
    }
    asked = {"vendor": "cobalt", "dealer_number": NUMBER}
    found = (await mailer.http.get("/v1/crm-vendors/suggestions", headers=viewer, params=asked)).json()[
        "items"
    ]
    assert [one["address"] for one in found] == ["10234@crm.cobaltgroup.com", "10234@leads.webedge.com"]
    strange = {"vendor": "Acme"}
    answer = await mailer.http.get("/v1/crm-vendors/suggestions", headers=viewer, params=strange)
    assert answer.status_code == 404
    assert "eLead CRM" in answer.json()["detail"]
    assert (await mailer.http.get("/v1/crm-vendors")).status_code == 401


async def test_an_odd_address_is_in_force_and_told(mailer: Any) -> None:
    admin = mailer.token("admin")
    spec = {"dealer": "prairie-motors", "address": " prairie@HigherGear.net", "crm": "Higher Gear"}
    for query, status in (("?dry_run=true", 200), ("", 201)):
        answer = await mailer.http.put(
            f"/v1/settings/AdfRoute/odd{query}", headers=admin, json={"spec": spec}
        )
        assert answer.status_code == status, answer.text
        told = [(one["pointer"], one["code"]) for one in answer.json()["notices"]]
        assert told == [("/address", "address_repaired"), ("/address", "address_unlike_vendor")]
    assert answer.json()["document"]["spec"]["address"] == "prairie@highergear.net"
