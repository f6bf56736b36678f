"""Inbound ADF: the V cases: which vehicle is wanted, new or used, and all that one can tell."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from normalizer.domain.draft import Draft
from normalizer.sources.adf import read_all

CUSTOMER = "<customer><contact><name>Dana Whitfield</name><email>d@example.org</email></contact></customer>"


def prospect(inner: str, attributes: str = "") -> Draft:
    (draft,) = read_all(f"<adf><prospect {attributes}>{inner}</prospect></adf>".encode(), None)
    assert isinstance(draft, Draft), draft
    assert not [one for one in draft.warnings if one.code == "adf_repaired"]
    return draft


def vehicle(inner: str, attributes: str = "") -> Any:
    (one,) = prospect(f"<vehicle {attributes}>{inner}</vehicle>{CUSTOMER}").vehicles
    return one


def codes(draft: Draft) -> list[str]:
    return [one.code for one in draft.warnings]


BUY = "<vehicle interest='buy'><year>2020</year><make>Dodge</make><model>Ram</model></vehicle>"
TRADE = (
    "<vehicle interest='trade-in'><year>2010</year><make>Ford</make><model>Focus</model>"
    "<odometer>9</odometer></vehicle>"
)
MIRROR = "<vehicle interest='trade-in'><year>2020</year><make>Dodge</make><model>Ram</model></vehicle>"
EMPTY = "<vehicle interest='trade-in'><year/><make></make><model/></vehicle>"
BOTH = ("inquiry", "trade_in")
VIN = "<vin>1M8GDM9AXKP042788</vin>"
SAME_VIN = f"<vehicle>{VIN}</vehicle><vehicle interest='trade-in'>{VIN}</vehicle>"
WANTED = [
    ("V1", BUY + TRADE, [True, False], ("inquiry", "trade_in"), []),
    ("V2", TRADE + BUY, [False, True], ("trade_in", "inquiry"), []),
    ("V3", TRADE, [False], ("trade_in",), []),
    ("V4", BUY + BUY, [True, False], ("inquiry",), []),
    ("V5", BUY + MIRROR, [True, False], ("inquiry", "trade_in"), ["trade_in_mirrors_wanted"]),
    ("V6", BUY + EMPTY, [True], ("inquiry",), []),
    ("V7", "<vehicle><year/><make/><model/></vehicle>" + BUY, [False, True], ("inquiry",), []),
    ("V8", "<vehicle><year/><make/><model/></vehicle>", [True], ("inquiry",), []),
    ("V9", BUY.replace("buy", "test-drive"), [True], ("test_drive",), []),
    ("V10", BUY.replace("buy", "LEASE"), [True], ("inquiry", "leasing"), []),
    ("V11", BUY.replace("buy", "Trade In"), [False], ("trade_in",), []),
    ("V12", BUY.replace("buy", "sell"), [False], ("trade_in",), []),
    ("V13", BUY.replace("buy", "borrow"), [True], ("inquiry",), ["value_unread"]),
    ("V14", "", [], ("inquiry",), []),
    ("V15", BUY + "<trade><vehicle><model>Golf</model></vehicle></trade>", [True, False], BOTH, []),
    ("V16", BUY + "<tradein><year>2009</year><model>Golf</model></tradein>", [True, False], BOTH, []),
    ("V17", f"<vehicles>{TRADE}{BUY}</vehicles>", [False, True], ("trade_in", "inquiry"), []),
    ("V18", SAME_VIN, [True, False], BOTH, ["trade_in_mirrors_wanted"]),
]


@pytest.mark.parametrize(
    ("case", "inner", "wanted", "intents", "warned"), WANTED, ids=[row[0] for row in WANTED]
)
def test_which_vehicle_is_wanted(
    case: str, inner: str, wanted: list[bool], intents: Any, warned: list[str]
) -> None:
    draft = prospect(inner + CUSTOMER + "<vendor><id>1</id></vendor>")
    assert [one.wanted for one in draft.vehicles] == wanted
    assert draft.intents == intents
    assert codes(draft) == warned


STATUSES = [
    ("V20", "", "new"),
    ("V21", "interest='trade-in'", "unknown"),
    ("V22", "interest='sell'", "unknown"),
    ("V23", "status='used'", "used"),
    ("V24", "status='USED'", "used"),
    ("V25", "status='New'", "new"),
    ("V26", "status=''", "unknown"),
    ("V27", "status='cpo'", "used"),
    ("V28", "status='Certified Pre-Owned'", "used"),
    ("V29", "status='sparkling'", "unknown"),
    ("V30", "interest='trade-in' status='new'", "new"),
]


@pytest.mark.parametrize(("case", "attributes", "status"), STATUSES, ids=[row[0] for row in STATUSES])
def test_new_or_used(case: str, attributes: str, status: str) -> None:
    assert vehicle("<model>Ram</model>", attributes).status == status


@pytest.mark.parametrize("word", ["cpo", "sparkling"])
def test_a_status_that_says_more_is_kept(word: str) -> None:
    draft = prospect(f"<vehicle status='{word}'><model>Ram</model></vehicle>{CUSTOMER}")
    assert draft.extras["vehicle@status"] == word


def test_all_of_a_vehicle() -> None:
    draft = prospect(
        "<vehicle interest='buy' status='used'><id source='inv'>V9</id><year>2018-2020</year><make>NA</make>"
        "<model>Ram</model><vin>1M8GDM9AXKP042788</vin><stocknumber>P1</stocknumber><trim>SLT</trim>"
        "<doors>4</doors><bodystyle>Pickup</bodystyle><transmission>A</transmission>"
        "<odometer status='original' unit='MILES'>21,840</odometer><condition>good</condition>"
        "<colorcombination><exteriorcolor>Red</exteriorcolor><preference>1</preference></colorcombination>"
        "<color>Blue</color><imagetag width='10'>http://x.example/1.jpg</imagetag>"
        "<price type='msrp' currency='usd' source='maker'>$30,000</price><price type='asking'>27995</price>"
        "<price delta='percentage' relativeto='invoice'>2</price><pricecomments>firm</pricecomments>"
        "<option><optionname>Hitch</optionname><manufacturercode>H1</manufacturercode>"
        "<weighting>50</weighting><price>199</price></option>"
        "<finance><method>finance</method><amount type='downpayment' currency='USD'>500</amount>"
        "<amount type='monthly'>300</amount><balance type='residual'>9000</balance></finance>"
        "<comments>as &lt;br /&gt;seen</comments></vehicle>" + CUSTOMER
    )
    (one,) = draft.vehicles
    assert (one.year, one.make, one.model, one.vin, one.stock) == (
        "2018-2020",
        None,
        "Ram",
        "1M8GDM9AXKP042788",
        "P1",
    )
    assert one.odometer is not None
    assert (one.odometer.value, one.odometer.units) == (21840, "mi")
    assert [(colour.exterior, colour.preference) for colour in one.colours] == [("Red", 1), ("Blue", None)]
    assert [(price.kind, price.amount, price.currency) for price in one.prices] == [
        ("msrp", Decimal(30000), "USD"),
        ("asking", Decimal(27995), None),
    ]
    (option,) = one.options
    assert (option.name, option.code, option.weighting) == ("Hitch", "H1", 50)
    assert one.comments == "as\nseen"
    assert draft.finance is not None
    assert (draft.finance.product, draft.finance.down_payment, draft.finance.monthly) == (
        "financing",
        Decimal(500),
        Decimal(300),
    )
    assert "financing" in draft.intents
    assert {
        "vehicle.id": "V9",
        "vehicle.id@source": "inv",
        "vehicle.make": "NA",
        "vehicle.doors": "4",
        "vehicle.odometer@status": "original",
        "vehicle.condition": "good",
        "vehicle.imagetag@width": "10",
        "vehicle.price.0@source": "maker",
        "vehicle.price.2": "2",
        "vehicle.price.2@delta": "percentage",
        "vehicle.pricecomments": "firm",
        "vehicle.finance.balance": "9000",
        "vehicle.finance.balance@type": "residual",
    }.items() <= draft.extras.items()


def test_the_stock_number_of_an_option_is_kept_by_its_place_among_those_that_have_a_name() -> None:
    option = "<option><optionname>{}</optionname><stock>{}</stock></option>"
    draft = prospect(f"<vehicle>{option.format('', 'S0')}{option.format('Mats', 'S1')}</vehicle>{CUSTOMER}")
    (one,) = draft.vehicles
    assert [option.name for option in one.options] == ["Mats"]
    assert draft.extras["vehicles.0.options.0.stock"] == "S1"
    assert draft.extras["vehicle.option.0.stock"] == "S0"


def test_a_colour_told_by_parts() -> None:
    one = vehicle("<model>Ram</model><color><exterior>Red</exterior><interior>Tan</interior></color>")
    assert [(colour.exterior, colour.interior) for colour in one.colours] == [("Red", "Tan")]
