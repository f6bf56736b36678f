"""Which leads are linked, and why: cases LK1.. of RULES.md, by their ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.contracts.lead import Customer, Dealer, Email, Lead, Link, Phone, Product, Vehicle
from normalizer.domain.linking import MOST_LINKS, link_of, with_links

TRADED_IN = {"vehicles": (Vehicle(interest="trade_in", make="Opel"),)}
WINDOW = timedelta(days=14)
NOW = datetime(2026, 4, 14, 10, tzinfo=UTC)
GOLF = Vehicle(wanted=True, make="Volkswagen", model="Golf")
VIN, OTHER_VIN = "1M8GDM9AXKP042788", "WVWZZZ1JZXW000001"


def _lead(number: int, /, **told: Any) -> Lead:
    customer = Customer(
        emails=tuple(Email(raw=one, address=one) for one in told.pop("emails", ["dana@example.com"])),
        phones=tuple(Phone(raw=one, e164=one) for one in told.pop("phones", [])),
    )
    return Lead(
        lead_id=UUID(int=number),
        revision=1,
        customer=customer,
        dealer=Dealer(dealer_id=told.pop("dealer", "prairie"), name="Prairie"),
        **{"source": "adf", "account": "a", "source_type": "form", "channel": "form", "received_at": NOW}
        | told,
    )


def _vehicle(**told: Any) -> dict[str, Any]:
    return {"vehicles": (Vehicle(wanted=True, **told),)}


def _product(**told: Any) -> dict[str, Any]:
    return {"products": (Product(**told),)}


TWIN, PERSON = "possible_duplicate", "same_person"
BINDING = [
    ("LK1", {}, {}, TWIN),
    ("LK2", _vehicle(make="VW", model="Golf"), {}, TWIN),
    ("LK3", {"emails": ["Dana@Example.com"]}, {"emails": ["x@y.example", "dana@example.com"]}, TWIN),
    ("LK4", {"emails": [], "phones": ["+15550100123"]}, {"phones": ["+15550100123"]}, TWIN),
    ("LK5", _vehicle(vin=VIN), _vehicle(vin=VIN, make="MCI"), TWIN),
    ("LK6", _vehicle(vin=VIN, make="VW"), _vehicle(vin=OTHER_VIN, make="VW"), PERSON),
    ("LK7", _vehicle(make="VW", model="Golf"), _vehicle(make="VW", model="Golf Variant"), TWIN),
    ("LK8", _vehicle(make="VW", model="Golf"), _vehicle(make="VW", model="Polo"), PERSON),
    ("LK9", _vehicle(model="Golf", year="2018"), _vehicle(model="Golf", year="2019-2021"), PERSON),
    ("LK10", _vehicle(model="Golf", year="2020"), _vehicle(model="Golf", year="2019-2021"), TWIN),
    ("LK11", _vehicle(stock="A1", make="VW"), _vehicle(stock="a1", make="Volkswagen"), TWIN),
    ("LK12", _vehicle(stock="A1", make="VW"), _vehicle(stock="77", make="VW"), TWIN),
    ("LK13", _product(id="9", name="Pump P1"), _product(id="9", name="Pumpe"), TWIN),
    ("LK14", _product(id="9", name="Pump P1"), _product(name="pump p1"), TWIN),
    ("LK15", _product(id="9", name="Pump P1"), _product(id="10", name="Valve"), PERSON),
    ("LK16", _vehicle(make="VW", model="Golf"), _product(name="VW Golf Variant"), TWIN),
    ("LK17", _vehicle(make="VW", model="Golf"), TRADED_IN, TWIN),
    ("LK18", {"received_at": NOW - WINDOW}, {}, TWIN),
    ("LK19", {"account": "b", "source": "adf"}, {"source": "adf"}, TWIN),
    ("LK20", {"test": True}, {"test": True}, TWIN),
]  # fmt: skip
APART = [
    ("LK30", {"emails": ["d@example.com"]}, {}),
    ("LK31", {"emails": []}, {"emails": []}),
    ("LK32", {"dealer": "other"}, {}),
    ("LK33", {"received_at": NOW - WINDOW - timedelta(seconds=1)}, {}),
    ("LK34", {"source": "adf", "account": "a"}, {"source": "adf", "account": "a"}),
    ("LK35", {"test": True}, {}),
    ("LK36", {"erased": True}, {}),
]


def _pair(one: dict[str, Any], other: dict[str, Any]) -> tuple[Lead, Lead]:
    return _lead(1, **{"source": "virtualexpo", **one}), _lead(2, **other)


@pytest.mark.parametrize(("one", "other", "why"), [pytest.param(*case[1:], id=case[0]) for case in BINDING])
def test_what_binds_two_leads(one: dict[str, Any], other: dict[str, Any], why: str) -> None:
    first, second = _pair(one, other)
    assert link_of(first, second, WINDOW) == link_of(second, first, WINDOW) == why


@pytest.mark.parametrize(("one", "other"), [pytest.param(*case[1:], id=case[0]) for case in APART])
def test_what_does_not(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = _pair(one, other)
    assert link_of(first, second, WINDOW) is link_of(second, first, WINDOW) is None


def test_a_lead_is_not_linked_with_itself() -> None:
    assert link_of(_lead(1), _lead(1, source="bdk"), WINDOW) is None


def test_links_stay_and_are_renewed() -> None:
    gone, fetched, mailed = UUID(int=9), _lead(2, source="virtualexpo"), _lead(3, source="bdk")
    lead = _lead(1, links=(Link(lead_id=gone, why="same_person"),))
    linked = with_links(lead, [fetched, mailed], WINDOW)
    assert [(link.lead_id.int, link.why) for link in linked.links] == [
        (9, "same_person"),
        (2, "possible_duplicate"),
        (3, "possible_duplicate"),
    ]
    assert with_links(linked, [mailed, fetched], WINDOW) is linked
    golf = linked.model_copy(update={"vehicles": (GOLF,)})
    polo = fetched.model_copy(update={"vehicles": (Vehicle(wanted=True, make="Volkswagen", model="Polo"),)})
    renewed = with_links(golf, [polo], WINDOW)
    assert {link.lead_id.int: link.why for link in renewed.links}[2] == "same_person"
    assert [link.lead_id for link in renewed.links] == [link.lead_id for link in linked.links]


def test_a_contact_that_everybody_gives_binds_no_more_than_so_many() -> None:
    others = [_lead(number, account=str(number)) for number in range(2, 2 * MOST_LINKS)]
    linked = with_links(_lead(1, source="bdk"), others, WINDOW)
    assert len(linked.links) == MOST_LINKS
    assert with_links(linked, others, WINDOW) is linked


_TEXTS = st.none() | st.sampled_from(["Golf", "Golf GTI", "VW", " ", "-", "9"])
_VEHICLES = st.builds(
    Vehicle,
    wanted=st.just(True),
    make=_TEXTS,
    model=_TEXTS,
    stock=_TEXTS,
    vin=st.none() | st.sampled_from([VIN, OTHER_VIN]),
    year=st.none() | st.sampled_from(["2019", "2018-2020", "new", "2021"]),
)
_TOLD = st.fixed_dictionaries(
    {},
    optional={
        "vehicles": st.tuples(_VEHICLES),
        "products": st.lists(st.builds(Product, id=_TEXTS, name=_TEXTS, url=_TEXTS), max_size=3).map(tuple),
    },
)


@given(_TOLD, _TOLD)
def test_what_binds_them_is_the_same_from_either_side(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = _pair(one, other)
    why = link_of(first, second, WINDOW)
    assert why == link_of(second, first, WINDOW)
    assert why in ("possible_duplicate", "same_person")
    if one == other:
        assert why == "possible_duplicate"
