"""RT50–RT87: routes that cannot stand beside each other, and lists of addresses that are no lists."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from adf_mailer.domain.conditions import one_lead_has_both, pairs
from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.domain.route_conflicts import conflict
from adf_mailer.domain.route_notices import notices
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

Routes = Callable[..., Route]
Refused = tuple[str, str] | None

NEW, USED, SERVICE = {"vehicle": ["new"]}, {"vehicle": ["used"]}, {"vehicle": ["service"]}
DRIVE, PRICE = {"intents": ["test_drive"]}, {"intents": ["price"]}
SAME = {"address": "theirs@x.example"}
SPEC = {"dealer": "d", "address": "a@x.example"}

CASES = [
    pytest.param({}, {}, ("intents", "two_defaults"), id="RT50-two-defaults"),
    pytest.param(NEW, NEW, ("vehicle", "conditions_overlap"), id="RT51-the-same-conditions"),
    pytest.param(DRIVE, NEW, ("intents", "conditions_overlap"), id="RT52-a-test-drive-of-a-new-one"),
    pytest.param(
        {"intents": ["test_drive", "price"]},
        {"intents": ["price", "quote"]},
        ("intents", "conditions_overlap"),
        id="RT53",
    ),
    pytest.param(
        {"vehicle": ["new", "used"]},
        {"vehicle": ["used", "service"]},
        ("vehicle", "conditions_overlap"),
        id="RT54",
    ),
    pytest.param({"intents": ["service"]}, SERVICE, None, id="RT55-service-alone-is-a-part-of-the-class"),
    pytest.param({}, NEW, None, id="RT56-a-default-beside-others"),
    pytest.param(NEW, USED, None, id="RT57"),
    pytest.param(USED | DRIVE, USED, None, id="RT58-a-part-of-the-other"),
    pytest.param(DRIVE, PRICE, None, id="RT59"),
    pytest.param({"vehicle": ["new", "used", "service"]}, {}, None, id="RT60-those-that-tell-their-class"),
    pytest.param({} | SAME, {}, ("address", "route_overlaps"), id="RT61-two-defaults-to-one-address"),
    pytest.param(DRIVE | SAME, PRICE, ("address", "route_overlaps"), id="RT62-one-lead-may-ask-for-both"),
    pytest.param({} | SAME, DRIVE, ("address", "route_overlaps"), id="RT63"),
    pytest.param({"address": "THEIRS@X.example"}, DRIVE, ("address", "route_overlaps"), id="RT64-any-case"),
    pytest.param(USED | SAME, {}, None, id="RT65-a-lead-has-one-class"),
    pytest.param(USED | SAME, NEW, None, id="RT66"),
    pytest.param({"intents": ["inquiry"]} | SAME, {}, None, id="RT67-an-inquiry-asks-for-nothing-else"),
    pytest.param(
        {"intents": ["service"]} | SAME, {}, ("address", "route_overlaps"), id="RT68-service-and-a-price"
    ),
    pytest.param(
        DRIVE | {"more_addresses": ["b@x.example", "theirs@x.example"]},
        PRICE,
        ("more_addresses/1", "route_overlaps"),
        id="RT69-among-more-addresses",
    ),
    pytest.param(
        DRIVE | {"address": "more@x.example"},
        PRICE | {"more_addresses": ["more@x.example"]},
        ("address", "route_overlaps"),
        id="RT70-among-theirs",
    ),
    pytest.param(
        DRIVE | {"copies": ["theirs@x.example"], "notify": ["boss@x.example"]},
        PRICE | {"notify": ["boss@x.example"]},
        None,
        id="RT71-copies-and-people-may-stand-in-many",
    ),
]


@pytest.mark.parametrize(("mine", "theirs", "refused"), CASES)
def test_which_routes_cannot_stand_beside_each_other(
    make_route: Routes, mine: dict[str, Any], theirs: dict[str, Any], refused: Refused
) -> None:
    other = make_route("theirs", **({"address": "theirs@x.example"} | theirs))
    found = conflict(make_route("mine", **({"address": "mine@x.example"} | mine)), [other])

    assert (found and (found.field, found.code)) == refused
    assert found is None or "theirs" in found.detail


@pytest.mark.parametrize(
    ("field", "spec", "says"),
    [
        pytest.param("copies", {"copies": ["A@x.example"]}, "number 1 stands in `address`", id="RT72"),
        pytest.param(
            "notify",
            {"copies": ["b@x.example"], "notify": ["c@x.example", " b@X.example"]},
            "number 2 stands in `copies`",
            id="RT73",
        ),
        pytest.param("copies", {"copies": ["b@x.example"] * 2}, "stands in `copies` already", id="RT74"),
        pytest.param(
            "more_addresses", {"more_addresses": [f"a{n}@x.example" for n in range(11)]}, "10", id="RT75"
        ),
        pytest.param("intents", {"intents": ["price", "price"]}, "named twice: price", id="RT76"),
        pytest.param("intents/0", {"intents": ["buying"]}, "'inquiry'", id="RT77-an-unknown-intent"),
        pytest.param("vehicle", {"intents": ["service"], "vehicle": ["new"]}, "no lead has", id="RT78"),
        pytest.param("vehicle", {"intents": ["inquiry"], "vehicle": ["service"]}, "no lead has", id="RT79"),
        pytest.param("vehicle/0", {"vehicle": ["unknown"]}, "'new'", id="RT80"),
        pytest.param("notify/1", {"notify": ["b@x.example", "b@x"]}, "dot", id="RT81-no-address"),
        pytest.param("copies", {"copies": "b@x.example"}, "tuple", id="RT82-no-list"),
    ],
)
async def test_wrong_conditions_and_addresses_are_refused_by_field(
    mailer: Any, field: str, spec: dict[str, Any], says: str
) -> None:
    answer = await mailer.route(**({"address": "a@x.example"} | spec))

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == f"/spec/{field}"
    assert says in error["detail"]
    assert await mailer.rows("SELECT FROM setting") == []


def test_addresses_are_read_first_so_that_only_the_wrong_one_is_named() -> None:
    with pytest.raises(ValidationError) as refused:
        AdfRoute.model_validate(
            SPEC | {"address": "no", "copies": ["b@x.example"], "notify": ["b@x.example"]}
        )
    assert [error["loc"] for error in refused.value.errors()] == [("address",), ("notify",)]


def test_rt83_each_address_is_repaired_and_told() -> None:
    written = SPEC | {
        "more_addresses": [" b@HigherGear.net", "c@x.example"],
        "copies": ["d@x.example"],
        "notify": ["e@x.example", "f@X.example"],
    }
    route = AdfRoute.model_validate(written)
    assert [(one.field, one.code) for one in notices(written, route)] == [
        ("more_addresses/0", "address_repaired"),
        ("notify/1", "address_repaired"),
        ("more_addresses/0", "address_unlike_vendor"),
    ]


async def test_rt84_a_refusal_names_field_and_reason_and_changes_nothing(mailer: Any) -> None:
    assert (await mailer.route("used", address="used@x.example", **USED)).status_code == 201
    for dry_run in ("", "?dry_run=true"):
        answer = await mailer.http.put(
            f"/v1/settings/AdfRoute/drives{dry_run}",
            json={"spec": {"dealer": "prairie-motors", "address": "drives@x.example", **DRIVE}},
            headers=mailer.token("admin"),
        )
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/spec/intents", "conditions_overlap")
        assert "used" in error["detail"]
    assert [row["name"] for row in await mailer.rows("SELECT name FROM setting")] == ["used"]
    assert (
        await mailer.route("drives", address="drives@x.example", enabled=False, **DRIVE)
    ).status_code == 201
    assert (await mailer.route("drives", address="drives@x.example", dealer="other")).status_code == 200


async def test_rt85_routes_are_exchanged_by_switching_one_off(mailer: Any) -> None:
    await mailer.route("one", address="one@x.example", **NEW)
    await mailer.route("two", address="two@x.example", **USED)
    refused = await mailer.route("one", address="one@x.example", **USED)
    assert refused.status_code == 422
    assert "switch one off first" in refused.json()["errors"][0]["detail"]

    await mailer.route("one", address="one@x.example", enabled=False, **USED)
    assert (await mailer.route("two", address="two@x.example", **NEW)).status_code == 200
    assert (await mailer.route("one", address="one@x.example", **USED)).status_code == 200


async def test_rt86_of_two_defaults_made_at_once_one_is_refused(mailer: Any) -> None:
    answers = await asyncio.gather(
        *(mailer.route(f"route-{number}", address=f"a{number}@x.example") for number in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 5
    assert len(await mailer.rows("SELECT FROM setting")) == 1


some = st.lists(st.sampled_from(["test_drive", "price", "service", "inquiry"]), unique=True).map(tuple)
classes = st.lists(st.sampled_from(["new", "used", "service"]), unique=True).map(tuple)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(some, classes, st.sampled_from("ab")), min_size=2, max_size=4), st.randoms())
def test_rt87_routes_that_are_not_refused_leave_nothing_open(
    made: list[tuple[Any, Any, str]], luck: Any
) -> None:
    """For any lead each pair has at most one winner, and no address stands in two of its winners."""
    standing: list[Route] = []
    for number, (intents, vehicle, address) in enumerate(made):
        if not pairs(intents, vehicle):
            continue
        spec = {"dealer": "d", "address": f"{address}@x.example", "intents": intents, "vehicle": vehicle}
        route = Route(str(number), AdfRoute.model_validate(spec))
        if conflict(route, standing) is None:
            standing.append(route)
    luck.shuffle(standing)
    its = {route.name: pairs(route.spec.intents, route.spec.vehicle) for route in standing}
    won: dict[Any, str] = {}
    for pair in pairs((), ()):
        smallest = [
            name
            for name in its
            if pair in its[name] and not any(pair in o and o < its[name] for o in its.values())
        ]
        assert len(smallest) <= 1
        if smallest:
            won[pair] = smallest[0]
    where = {route.name: route.spec.address for route in standing}
    for one, first in won.items():
        for other, second in won.items():
            if first != second and where[first] == where[second]:
                assert not one_lead_has_both([one], [other])
