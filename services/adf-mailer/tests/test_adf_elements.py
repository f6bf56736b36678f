"""EL1–EL53: every element of ADF 1.0, where it may stand and what fills it. PD1–PD10: the profile."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from adf_mailer.domain.document import Form, render
from adf_mailer.domain.validation import Problem, problems, profile
from leadbus.contracts import Lead
from lxml import etree

from tests.support.adf_document import WHOLE

FORM = Form("leads@prairie.dealercrm.example")
RULES = Path(__file__).parents[1] / "rules" / "document.md"
CUSTOMER = "prospect/customer/contact"

# id, element, parent → how often: 1 once, ? at most once, * any number, + at least once
PLACES: list[tuple[str, str, dict[str, str]]] = [
    ("EL1", "adf", {}),
    ("EL2", "prospect", {".": "+"}),
    ("EL3", "id", {f"prospect{at}": "*" for at in ("", "/vehicle", "/customer", "/vendor", "/provider")}),
    ("EL4", "requestdate", {"prospect": "1"}),
    ("EL5", "vehicle", {"prospect": "+"}),
    ("EL6", "year", {"prospect/vehicle": "1"}),
    ("EL7", "make", {"prospect/vehicle": "1"}),
    ("EL8", "model", {"prospect/vehicle": "1"}),
    ("EL9", "vin", {"prospect/vehicle[2]": "?"}),
    ("EL10", "stock", {"prospect/vehicle[2]": "?", "prospect/vehicle[2]/option": "?"}),
    ("EL11", "trim", {"prospect/vehicle[2]": "?"}),
    ("EL12", "doors", {"prospect/vehicle[2]": "?"}),
    ("EL13", "bodystyle", {"prospect/vehicle[2]": "?"}),
    ("EL14", "transmission", {"prospect/vehicle[2]": "?"}),
    ("EL15", "odometer", {"prospect/vehicle[2]": "?"}),
    ("EL16", "condition", {"prospect/vehicle[2]": "?"}),
    ("EL17", "colorcombination", {"prospect/vehicle[2]": "*"}),
    ("EL18", "interiorcolor", {"prospect/vehicle[2]/colorcombination": "?"}),
    ("EL19", "exteriorcolor", {"prospect/vehicle[2]/colorcombination": "?"}),
    ("EL20", "preference", {"prospect/vehicle[2]/colorcombination": "1"}),
    ("EL21", "imagetag", {"prospect/vehicle[2]": "?"}),
    ("EL22", "price", {"prospect/vehicle[2]": "?", "prospect/vehicle[2]/option": "?"}),
    ("EL23", "pricecomments", {"prospect/vehicle[2]": "?"}),
    ("EL24", "option", {"prospect/vehicle[2]": "*"}),
    ("EL25", "optionname", {"prospect/vehicle[2]/option": "1"}),
    ("EL26", "manufacturercode", {"prospect/vehicle[2]/option": "?"}),
    ("EL27", "weighting", {"prospect/vehicle[2]/option": "?"}),
    ("EL28", "finance", {"prospect/vehicle[2]": "?"}),
    ("EL29", "method", {"prospect/vehicle[2]/finance": "1"}),
    ("EL30", "amount", {"prospect/vehicle[2]/finance": "+"}),
    ("EL31", "balance", {"prospect/vehicle[2]/finance": "?"}),
    ("EL32", "customer", {"prospect": "1"}),
    ("EL33", "contact", {"prospect/customer": "1", "prospect/vendor": "1", "prospect/provider": "?"}),
    ("EL34", "name", {CUSTOMER: "*", "prospect/vendor/contact": "+", "prospect/provider": "1"}),
    ("EL35", "email", {CUSTOMER: "?", "prospect/vendor/contact": "1", "prospect/provider": "?"}),
    ("EL36", "phone", {CUSTOMER: "*", "prospect/provider": "?"}),
    ("EL37", "address", {CUSTOMER: "?"}),
    ("EL38", "street", {f"{CUSTOMER}/address": "*"}),
    ("EL39", "apartment", {f"{CUSTOMER}/address": "?"}),
    ("EL40", "city", {f"{CUSTOMER}/address": "?"}),
    ("EL41", "regioncode", {f"{CUSTOMER}/address": "?"}),
    ("EL42", "postalcode", {f"{CUSTOMER}/address": "?"}),
    ("EL43", "country", {f"{CUSTOMER}/address": "?"}),
    ("EL44", "timeframe", {"prospect/customer": "?"}),
    ("EL45", "description", {"prospect/customer/timeframe": "?"}),
    ("EL46", "earliestdate", {"prospect/customer/timeframe": "?"}),
    ("EL47", "latestdate", {"prospect/customer/timeframe": "?"}),
    ("EL48", "comments", {"prospect/vehicle[2]": "?", "prospect/customer": "?"}),
    ("EL49", "vendor", {"prospect": "1"}),
    ("EL50", "vendorname", {"prospect/vendor": "1"}),
    ("EL51", "url", {"prospect/vendor": "?", "prospect/provider": "?"}),
    ("EL52", "provider", {"prospect": "?"}),
    ("EL53", "service", {"prospect/provider": "?"}),
]


def whole() -> Any:
    return etree.fromstring(WHOLE.encode())


def found(root: Any) -> list[Problem]:
    return problems(etree.tostring(root))


def places() -> list[Any]:
    return [
        pytest.param(tag, parent, often, id=f"{case}-{parent}")
        for case, tag, parents in PLACES
        for parent, often in parents.items()
    ]


def test_the_whole_document_is_valid_and_has_every_element() -> None:
    root = whole()
    declared: Any = profile()
    assert found(root) == []
    assert {one.tag for one in root.iter(etree.Element)} == {tag for _, tag, _ in PLACES}
    assert {one.name for one in declared.iterelements()} == {tag for _, tag, _ in PLACES}


@pytest.mark.parametrize(("tag", "parent", "often"), places())
def test_how_often_an_element_may_stand(tag: str, parent: str, often: str) -> None:
    without, twice = whole(), whole()
    for child in (
        without.find(parent).findall(tag) if often in "1+" else without.find(parent).findall(tag)[:1]
    ):
        child.getparent().remove(child)
    one = twice.find(parent).find(tag)
    double = copy.deepcopy(one)
    double.attrib.pop("line", None)
    one.addnext(double)

    assert (found(without) == []) == (often in "?*")
    assert (found(twice) == []) == (often in "*+")


@pytest.mark.parametrize(
    ("tag", "parent"),
    [
        pytest.param(tag, parent, id=f"{case}-{parent}")
        for case, tag, parents in PLACES
        for parent in parents
        # A prospect stands among its like alone; of a timeframe's words and parts a DTD can tell no order.
        if tag != "prospect" and not parent.endswith("timeframe")
    ],
)
def test_an_element_has_its_place(tag: str, parent: str) -> None:
    root = whole()
    element = root.find(parent).findall(tag)[-1]
    if (after := element.getnext()) is not None:
        after.addnext(element)
    else:
        element.getprevious().addprevious(element)

    assert found(root) != []


WANTED = {"wanted": True, "make": "Ford", "model": "F-150"}
FINANCE = {"product": "leasing", "monthly": "300", "currency": "USD"}
HOME = {
    "street": ["1 Main St"],
    "apartment": "4",
    "city": "Elgin",
    "region": "IL",
    "postal_code": "60540",
    "country": "US",
}


def car(**told: Any) -> dict[str, Any]:
    return {"vehicles": [WANTED | told]}


def who(**told: Any) -> dict[str, Any]:
    return {"customer": {"name": {"first": "Dana", "last": "Whitfield"}} | told}


def as_adf(changes: dict[str, Any] | None = None, /, **extras: str) -> dict[str, Any]:
    paths = {path.replace("_", "."): told for path, told in extras.items()}
    return {"source": "adf", "extras": paths, "vehicles": [WANTED]} | (changes or {})


PRICE = {"kind": "asking", "amount": "27995.00", "currency": "USD"}
HITCH = {"name": "Hitch", "code": "H1", "weighting": -50, "price": PRICE}
VEHICLE, CONTACT, PROVIDER = "prospect/vehicle", CUSTOMER, "prospect/provider"
# id, what the lead tells, where, what stands there (None: an empty element)
FILLED: list[tuple[str, dict[str, Any], str, Any]] = [
    ("EL1", {}, ".", None),
    ("EL2", {}, "prospect", None),
    ("EL3", {"ids": [{"source": "A", "value": "1"}]}, "prospect/id", "1"),
    ("EL3", as_adf(vehicle_id="V9"), f"{VEHICLE}/id", "V9"),
    ("EL3", as_adf(customer_id="L5"), "prospect/customer/id", "L5"),
    ("EL3", as_adf(provider_id="P3"), f"{PROVIDER}/id", "P3"),
    ("EL3", as_adf(vendor_id="0047"), "prospect/vendor/id", ...),
    (
        "EL4",
        {"occurred_at": "2026-04-14T11:03:05-05:00"},
        "prospect/requestdate",
        "2026-04-14T11:03:05-05:00",
    ),
    ("EL5", {"vehicles": []}, VEHICLE, None),
    ("EL6", car(year="2018-2020"), f"{VEHICLE}/year", "2018-2020"),
    ("EL6", car(), f"{VEHICLE}/year", None),
    ("EL7", car(), f"{VEHICLE}/make", "Ford"),
    ("EL8", car(), f"{VEHICLE}/model", "F-150"),
    ("EL9", car(vin="1M8GDM9AXKP042788"), f"{VEHICLE}/vin", "1M8GDM9AXKP042788"),
    ("EL10", car(stock="P1"), f"{VEHICLE}/stock", "P1"),
    (
        "EL10",
        as_adf(car(options=[HITCH]), **{"vehicles.0.options.0.stock": "OH"}),
        f"{VEHICLE}/option/stock",
        "OH",
    ),
    ("EL11", car(trim="XLT"), f"{VEHICLE}/trim", "XLT"),
    ("EL12", as_adf(vehicle_doors="4"), f"{VEHICLE}/doors", "4"),
    ("EL12", {"extras": {"vehicle.doors": "4"}}, f"{VEHICLE}/doors", ...),
    ("EL13", car(body="Pickup"), f"{VEHICLE}/bodystyle", "Pickup"),
    ("EL14", car(transmission="A"), f"{VEHICLE}/transmission", "A"),
    ("EL15", car(odometer={"value": 21840}), f"{VEHICLE}/odometer", "21840"),
    ("EL16", as_adf(vehicle_condition="Good"), f"{VEHICLE}/condition", "good"),
    ("EL16", as_adf(vehicle_condition="dented"), f"{VEHICLE}/condition", ...),
    ("EL16", as_adf(vehicle_condition="dented"), f"{VEHICLE}/comments", "Condition: dented"),
    ("EL17", car(colours=[{"exterior": "red"}]), f"{VEHICLE}/colorcombination", None),
    ("EL17", car(colours=[{}]), f"{VEHICLE}/colorcombination", ...),
    ("EL18", car(colours=[{"interior": "tan"}]), f"{VEHICLE}/colorcombination/interiorcolor", "tan"),
    ("EL19", car(colours=[{"exterior": "red"}]), f"{VEHICLE}/colorcombination/exteriorcolor", "red"),
    ("EL20", car(colours=[{}, {"exterior": "red"}]), f"{VEHICLE}/colorcombination/preference", "1"),
    (
        "EL20",
        car(colours=[{"exterior": "red", "preference": 3}]),
        f"{VEHICLE}/colorcombination/preference",
        "3",
    ),
    ("EL21", car(image="https://x.example/1.jpg"), f"{VEHICLE}/imagetag", "https://x.example/1.jpg"),
    ("EL21", car(image="file:///1.jpg"), f"{VEHICLE}/imagetag", ...),
    ("EL22", car(prices=[PRICE]), f"{VEHICLE}/price", "27995.00"),
    ("EL22", car(prices=[PRICE | {"amount": "27.995"}]), f"{VEHICLE}/price", "27.9950"),
    ("EL22", car(options=[HITCH]), f"{VEHICLE}/option/price", "27995.00"),
    ("EL23", car(prices=[PRICE, PRICE]), f"{VEHICLE}/pricecomments", "Price (asking): 27995.00 USD"),
    ("EL23", as_adf(vehicle_pricecomments="firm"), f"{VEHICLE}/pricecomments", "firm"),
    (
        "EL23",
        car(options=[{"name": "Hitch", "price": {"amount": "199", "currency": "USD"}}]),
        f"{VEHICLE}/pricecomments",
        "Price of Hitch: 199 USD",
    ),
    ("EL24", car(options=[HITCH]), f"{VEHICLE}/option", None),
    ("EL25", car(options=[HITCH]), f"{VEHICLE}/option/optionname", "Hitch"),
    ("EL26", car(options=[HITCH]), f"{VEHICLE}/option/manufacturercode", "H1"),
    ("EL27", car(options=[HITCH]), f"{VEHICLE}/option/weighting", "-50"),
    ("EL28", {"finance": FINANCE}, f"{VEHICLE}/finance", None),
    ("EL28", {"finance": FINANCE, "vehicles": [{"interest": "trade_in"}]}, f"{VEHICLE}/finance", ...),
    ("EL29", {"finance": FINANCE}, f"{VEHICLE}/finance/method", "lease"),
    ("EL29", {"finance": FINANCE | {"product": "financing"}}, f"{VEHICLE}/finance/method", "finance"),
    ("EL29", {"finance": FINANCE | {"product": "cash"}}, f"{VEHICLE}/finance/method", "cash"),
    ("EL29", {"finance": FINANCE | {"product": "unknown"}}, f"{VEHICLE}/finance/method", ...),
    ("EL30", {"finance": FINANCE}, f"{VEHICLE}/finance/amount", "300"),
    (
        "EL31",
        as_adf({"finance": FINANCE}, vehicle_finance_balance="9000"),
        f"{VEHICLE}/finance/balance",
        "9000",
    ),
    ("EL31", {"finance": FINANCE}, f"{VEHICLE}/finance/balance", ...),
    ("EL32", {"customer": {}}, "prospect/customer", None),
    ("EL33", {"customer": {}}, CONTACT, None),
    (
        "EL33",
        as_adf(provider_contact_name="Support", provider_contact_email="h@x.example"),
        f"{PROVIDER}/contact",
        None,
    ),
    ("EL33", as_adf(provider_contact_name="Support"), f"{PROVIDER}/contact", ...),
    ("EL34", who(), f"{CONTACT}/name", "Dana"),
    ("EL34", {}, "prospect/vendor/contact/name", "Internet Sales"),
    ("EL34", {}, f"{PROVIDER}/name", "ContactAtOnce!"),
    ("EL34", as_adf(provider_name="CarPoint"), f"{PROVIDER}/name", "CarPoint"),
    ("EL34", as_adf(), f"{PROVIDER}/name", "ADF"),
    ("EL35", who(emails=[{"address": "d@x.example", "raw": ""}]), f"{CONTACT}/email", "d@x.example"),
    ("EL35", as_adf(provider_email="l@x.example"), f"{PROVIDER}/email", "l@x.example"),
    ("EL36", who(phones=[{"e164": "+13125550148", "raw": ""}]), f"{CONTACT}/phone", "+13125550148"),
    ("EL36", as_adf(provider_phone="+13125550100"), f"{PROVIDER}/phone", "+13125550100"),
    ("EL36", as_adf(provider_phone="ask"), f"{PROVIDER}/phone", ...),
    ("EL37", who(addresses=[HOME]), f"{CONTACT}/address", None),
    ("EL38", who(addresses=[HOME]), f"{CONTACT}/address/street", "1 Main St"),
    ("EL38", who(addresses=[{"city": "Elgin"}]), f"{CONTACT}/address/street", None),
    ("EL39", who(addresses=[HOME]), f"{CONTACT}/address/apartment", "4"),
    ("EL40", who(addresses=[HOME]), f"{CONTACT}/address/city", "Elgin"),
    ("EL41", who(addresses=[HOME]), f"{CONTACT}/address/regioncode", "IL"),
    ("EL42", who(addresses=[HOME]), f"{CONTACT}/address/postalcode", "60540"),
    ("EL43", who(addresses=[HOME]), f"{CONTACT}/address/country", "US"),
    ("EL43", who(addresses=[HOME | {"country": "QZ"}]), f"{CONTACT}/address/country", ...),
    ("EL44", as_adf(customer_timeframe="this month"), "prospect/customer/timeframe", "this month"),
    ("EL44", {"extras": {"customer.timeframe": "this month"}}, "prospect/customer/timeframe", ...),
    (
        "EL45",
        as_adf(customer_timeframe_description="soon"),
        "prospect/customer/timeframe/description",
        "soon",
    ),
    (
        "EL46",
        as_adf(customer_timeframe_earliestdate="2026-05-01"),
        "prospect/customer/timeframe/earliestdate",
        "2026-05-01",
    ),
    ("EL46", as_adf(customer_timeframe_earliestdate="May"), "prospect/customer/timeframe", ...),
    (
        "EL47",
        as_adf(customer_timeframe_latestdate="20260601"),
        "prospect/customer/timeframe/latestdate",
        "20260601",
    ),
    ("EL48", car(comments="Scratched"), f"{VEHICLE}/comments", "Scratched"),
    (
        "EL48",
        {"extras": {"lead_source": "x.example"}},
        "prospect/customer/comments",
        "Lead source: x.example",
    ),
    ("EL49", {}, "prospect/vendor", None),
    ("EL50", {}, "prospect/vendor/vendorname", "Prairie Motors"),
    ("EL51", as_adf(vendor_url="https://p.example"), "prospect/vendor/url", "https://p.example"),
    ("EL51", as_adf(vendor_url="javascript:x"), "prospect/vendor/url", ...),
    ("EL51", as_adf(provider_url="https://c.example"), f"{PROVIDER}/url", "https://c.example"),
    ("EL51", {}, f"{PROVIDER}/url", ...),
    ("EL52", {}, PROVIDER, None),
    ("EL53", {"source_type": "1e"}, f"{PROVIDER}/service", "1e"),
]
BARE: dict[str, Any] = {"transcript": [], "message": None, "urgency": "normal"}


def numbered(rows: list[tuple[str, dict[str, Any], str, Any]]) -> Iterator[Any]:
    for index, (case, *told) in enumerate(rows):
        yield pytest.param(*told, id=f"{case}-{index}")


@pytest.mark.parametrize(("changes", "path", "expected"), list(numbered(FILLED)))
def test_what_fills_an_element(
    golden_lead: Callable[..., Lead], changes: dict[str, Any], path: str, expected: Any
) -> None:
    """`...`: no such element."""
    document = render(golden_lead("chat", **(BARE | changes)), FORM)
    element = etree.fromstring(document.content).find(path)

    assert problems(document.content) == []
    assert "degraded" not in {one.code for one in document.warnings}
    if expected is ...:
        assert element is None
    else:
        assert element is not None
        assert ((element.text or "").strip() or None) == expected


def test_every_element_has_its_rows() -> None:
    rows = re.findall(r"^\| (EL\d+) \| `([a-z]+)` \|", RULES.read_text("utf-8"), re.MULTILINE)
    assert rows == [(case, tag) for case, tag, _ in PLACES]
    assert {case for case, *_ in FILLED} == {case for case, *_ in PLACES}


# --- the profile: where the sources of ADF 1.0 disagree -----------------------------------------------------

COLOURS = "<colorcombination>{}<preference>1</preference></colorcombination>"
IN, OUT = "<interiorcolor>a</interiorcolor>", "<exteriorcolor>b</exteriorcolor>"
NAMELESS = '<vendor><contact><name part="full">Acura</name></contact></vendor>'


def changed(path: str, inner: str | None = None, **attributes: str) -> Any:
    root = whole()
    element = root.find(path)
    if inner is not None:
        element.getparent().replace(element, etree.fromstring(inner))
    element.attrib.update(attributes)
    return root


AT_COLOURS = "prospect/vehicle[2]/colorcombination"
PROFILE: list[tuple[str, Callable[[], Any], bool]] = [
    ("PD1", whole, True),
    ("PD2", lambda: changed("prospect/vendor", NAMELESS), False),
    ("PD3", lambda: changed(AT_COLOURS, COLOURS.format(IN + OUT)), True),
    ("PD3", lambda: changed(AT_COLOURS, COLOURS.format(IN)), True),
    ("PD3", lambda: changed(AT_COLOURS, COLOURS.format(OUT)), True),
    ("PD3", lambda: changed(AT_COLOURS, COLOURS.format(OUT + IN)), False),
    ("PD3", lambda: changed(AT_COLOURS, COLOURS.format("")), False),
    ("PD4", lambda: changed("prospect/customer/timeframe", "<timeframe>this month</timeframe>"), True),
    (
        "PD4",
        lambda: changed(
            "prospect/customer/timeframe", "<timeframe><earliestdate>soon</earliestdate></timeframe>"
        ),
        False,
    ),
    ("PD4", lambda: changed("prospect/vehicle[2]/condition", "<condition>poor</condition>"), True),
    ("PD4", lambda: changed("prospect/vehicle[2]/condition", "<condition>dented</condition>"), False),
    ("PD5", lambda: changed(CUSTOMER, primarycontact="0"), True),
    ("PD5", lambda: changed(CUSTOMER, primarycontact="yes"), False),
    ("PD5", lambda: changed(f"{CUSTOMER}/phone", besttime="1"), False),
    (
        "PD6",
        lambda: changed(f"{CUSTOMER}/address", "<address><street/><url>https://x.example</url></address>"),
        False,
    ),
    ("PD7", lambda: changed("prospect/vehicle[2]/odometer", units="miles"), False),
    (
        "PD8",
        lambda: changed("prospect/vehicle[2]/option", "<option><optionname>x</optionname></option>"),
        True,
    ),
    ("PD9", lambda: changed("prospect/vehicle[2]/finance/amount", type="rebate"), False),
    ("PD9", lambda: changed("prospect/vehicle[2]/finance/balance", type="payoff"), False),
    ("PD9", lambda: changed(".", version="1.0"), False),
    ("PD9", lambda: etree.fromstring(WHOLE.replace("<adf>", '<adf xmlns="urn:x">').encode()), False),
]


@pytest.mark.parametrize(
    ("document", "valid"),
    [pytest.param(make, valid, id=f"{case}-{index}") for index, (case, make, valid) in enumerate(PROFILE)],
)
def test_the_profile(document: Callable[[], Any], valid: bool) -> None:
    assert (found(document()) == []) is valid


def test_pd2_what_the_spec_promises_is_there_even_in_an_empty_lead(golden_lead: Callable[..., Lead]) -> None:
    lead = golden_lead(customer={}, vehicles=[], ids=[], dealer={"dealer_id": "d", "name": ""})
    content = render(lead, FORM).content
    prospect = etree.fromstring(content)[0]

    assert problems(content) == []
    for path in ("requestdate", "vehicle/year", "vehicle/make", "vehicle/model", "customer/contact/name"):
        assert prospect.find(path) is not None
    assert prospect.findtext("vendor/vendorname") == "d"
    assert prospect.findtext("vendor/contact/email") == FORM.lead_address


def test_pd10_the_version_is_the_one_in_use(golden_lead: Callable[..., Lead]) -> None:
    assert b'<?adf version="1.0"?>' in render(golden_lead(), FORM).content
