"""RT1–RT29: which routes take a lead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, combinations
from typing import Any, get_args

import pytest
from adf_mailer.domain.conditions import VehicleClass, class_of, pairs, pairs_of
from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.domain.routing import Deliver, Skip, decide, winners
from hypothesis import given
from hypothesis import strategies as st
from leadbus.contracts import Lead
from leadbus.contracts.vocabulary import Intent

Leads = Callable[..., Lead]
Routes = Callable[..., Route]

DEFAULT: Mapping[str, Any] = {}
NEW, USED, SERVICE = {"vehicle": ["new"]}, {"vehicle": ["used"]}, {"vehicle": ["service"]}
DRIVE = {"intents": ["test_drive"]}
USED_DRIVE = USED | DRIVE
SPLIT = {"new": NEW, "used": USED}
OFF = {"enabled": False}
STORED = AdfRoute(dealer="d", address="a@x.example")

LEAD = {
    "lead_id": "0190b5a5-0000-7000-8000-000000000000",
    "revision": 1,
    "source": "adf",
    "account": "main",
    "source_type": "form",
    "channel": "form",
    "received_at": "2026-04-15T16:00:00Z",
    "dealer": {"dealer_id": "d", "name": "D", "country": "US"},
}


def a(status: str, **more: Any) -> dict[str, Any]:
    return {"vehicles": [{"status": status, "wanted": True, **more}]}


def routes(make_route: Routes, specs: Mapping[str, Mapping[str, Any]]) -> list[Route]:
    return [make_route(name, address=f"{name}@x.example", **spec) for name, spec in specs.items()]


def taken(decisions: Sequence[Any]) -> list[str]:
    """Names of routes that deliver; a skip as `route:reason`."""
    return [
        one.route.name if isinstance(one, Deliver) else f"{one.route.name if one.route else ''}:{one.reason}"
        for one in decisions
    ]


@pytest.mark.parametrize(
    ("specs", "lead", "expected"),
    [
        pytest.param({"all": DEFAULT}, a("used"), ["all"], id="RT1-a-default-takes-everything"),
        pytest.param(SPLIT, a("new"), ["new"], id="RT2"),
        pytest.param(SPLIT, a("used"), ["used"], id="RT3"),
        pytest.param(SPLIT, a("unknown"), [":no_matching_route"], id="RT4-unknown-class"),
        pytest.param(SPLIT, {"vehicles": []}, [":no_matching_route"], id="RT5-no-vehicle"),
        pytest.param(SPLIT | {"all": DEFAULT}, a("unknown"), ["all"], id="RT6-the-default-takes-the-rest"),
        pytest.param(SPLIT | {"all": DEFAULT}, a("new"), ["new"], id="RT7-and-nothing-else"),
        pytest.param(
            SPLIT | {"workshop": SERVICE},
            a("new") | {"intents": ["service"]},
            ["workshop"],
            id="RT8-service-is-a-class-before-the-vehicles",
        ),
        pytest.param(SPLIT, a("new") | {"intents": ["service"]}, [":no_matching_route"], id="RT9"),
        pytest.param(
            {"all": DEFAULT, "drives": DRIVE}, {"intents": ["test_drive"]}, ["drives"], id="RT10-by-intent"
        ),
        pytest.param(
            {"all": DEFAULT, "drives": DRIVE},
            {"intents": ["price", "test_drive"]},
            ["all", "drives"],
            id="RT11-each-intent-has-its-route",
        ),
        pytest.param(
            {"all": DEFAULT, "drives": DRIVE},
            {"intents": ["inquiry", "test_drive"]},
            ["drives"],
            id="RT12-an-inquiry-says-nothing-beside-others",
        ),
        pytest.param(
            {"all": DEFAULT, "mere": {"intents": ["inquiry"]}}, {"intents": ["inquiry"]}, ["mere"], id="RT13"
        ),
        pytest.param(
            {"all": DEFAULT, "mere": {"intents": ["inquiry"]}},
            {"intents": []},
            ["mere"],
            id="RT14-who-asks-for-nothing-inquires",
        ),
        pytest.param(
            {"all": DEFAULT, "used": USED, "inner": USED_DRIVE},
            a("used") | {"intents": ["test_drive"]},
            ["inner"],
            id="RT15-the-innermost",
        ),
        pytest.param(
            {"all": DEFAULT, "used": USED, "inner": USED_DRIVE},
            a("used") | {"intents": ["price", "test_drive"]},
            ["inner", "used"],
            id="RT16",
        ),
        pytest.param(
            SPLIT,
            {"vehicles": [{"status": "used", "interest": "trade_in"}, {"status": "new", "wanted": True}]},
            ["new"],
            id="RT17-the-wanted-vehicle-counts",
        ),
        pytest.param(
            SPLIT, {"vehicles": [{"status": "used"}]}, [":no_matching_route"], id="RT18-none-is-wanted"
        ),
        pytest.param(
            {"all": DEFAULT, "used": USED | OFF},
            a("used"),
            ["all"],
            id="RT19-a-route-that-is-off-wins-nothing",
        ),
        pytest.param({"new": NEW, "used": USED | OFF}, a("used"), ["used:route_disabled"], id="RT20"),
        pytest.param(
            {"all": OFF, "used": USED | OFF},
            a("used"),
            ["used:route_disabled"],
            id="RT21-the-one-that-would-have-it",
        ),
        pytest.param({"used": USED | OFF}, a("new"), [":no_matching_route"], id="RT22"),
        pytest.param({}, a("new"), [":no_route"], id="RT23"),
        pytest.param(
            {"b": USED, "a": USED}, a("used"), ["a", "b"], id="RT24-equal-ones-stored-before-the-rule"
        ),
        pytest.param(
            {"drives": DRIVE, "used": USED},
            a("used") | {"intents": ["test_drive"]},
            ["drives", "used"],
            id="RT25-neither-more-specific-stored-before-the-rule",
        ),
        pytest.param(
            {"all": DEFAULT, "drives": DRIVE},
            {"intents": ["price", "test_drive"], "consent": {"basis": "withdrawn"}},
            ["all:consent", "drives:consent"],
            id="RT26",
        ),
        pytest.param(
            {"all": DEFAULT, "drives": DRIVE | {"send_test_leads": True}},
            {"intents": ["price", "test_drive"], "test": True},
            ["all:test_lead", "drives"],
            id="RT27",
        ),
    ],
)
def test_who_takes_a_lead(
    golden_lead: Leads,
    make_route: Routes,
    specs: Mapping[str, Mapping[str, Any]],
    lead: dict[str, Any],
    expected: list[str],
) -> None:
    assert taken(decide(golden_lead(**lead), None, routes(make_route, specs), set())) == expected


def test_rt28_an_unmaterial_update_is_one_skip_for_each_route(golden_lead: Leads, make_route: Routes) -> None:
    lead = golden_lead(intents=["price", "test_drive"])
    both = routes(make_route, {"all": {"copies": ["c@x.example"]}, "drives": DRIVE})
    decisions = decide(lead, lead, both, {("c@x.example", "adf")})
    assert decisions == [Skip(route, "not_material") for route in both]


some = st.lists(st.sampled_from(get_args(Intent)), unique=True, max_size=3).map(tuple)
classes = st.lists(st.sampled_from(get_args(VehicleClass)), unique=True, max_size=3).map(tuple)


@given(some, st.sampled_from(["new", "used", "unknown"]), st.lists(st.tuples(some, classes), max_size=5))
def test_rt29_who_matches_all_alone_gets_it_and_no_winner_is_beaten(
    asked: Any, status: str, conditions: list[tuple[Any, Any]]
) -> None:
    lead = Lead.model_validate(LEAD | a(status) | {"intents": asked})
    found = [
        Route(str(number), STORED.model_copy(update={"intents": intents, "vehicle": vehicle}))
        for number, (intents, vehicle) in enumerate(conditions)
    ]
    its = {route.name: pairs(route.spec.intents, route.spec.vehicle) for route in found}
    won = {route.name for route in winners(lead, found)}
    for pair in pairs_of(lead):
        matching = [name for name in its if pair in its[name]]
        assert bool(matching) == bool(won & set(matching))
        if len(matching) == 1:
            assert matching[0] in won
    for name in won:
        assert its[name] & set(pairs_of(lead))
    assert set(pairs_of(lead)) <= pairs((), ())
    assert class_of(lead) in {*get_args(VehicleClass), None}


def test_every_pair_a_lead_can_have_is_let_through_by_a_default_and_by_no_more() -> None:
    had = set()
    intents = get_args(Intent)
    for asked in chain([()], combinations(intents, 1), combinations(intents, 2)):
        for status in ("new", "used", "unknown"):
            had |= set(pairs_of(Lead.model_validate(LEAD | a(status) | {"intents": asked})))
    assert had == pairs((), ())
