"""R1–R31: who gets a mail, and who does not and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from adf_mailer.domain.document import Status
from adf_mailer.domain.recipients import Told, first
from adf_mailer.domain.route import Route
from adf_mailer.domain.routing import Deliver, Skip, SkipReason, decide
from leadbus.contracts import Lead

Leads = Callable[..., Lead]
Routes = Callable[..., Route]

TOLD: Told = ("leads@prairie.dealercrm.example", "adf")


def deliver(route: Route, status: Status) -> Deliver:
    """To the route's own address."""
    return Deliver(route, status, first(route.spec))


def test_r1_a_dealer_without_routes(golden_lead: Leads, make_route: Routes) -> None:
    assert decide(golden_lead(), None, [], set()) == [Skip(None, "no_route")]
    assert decide(golden_lead(), None, [make_route(dealer="other")], set()) == [Skip(None, "no_route")]


def test_r2_only_disabled_routes(golden_lead: Leads, make_route: Routes) -> None:
    off = make_route(enabled=False)

    assert decide(golden_lead(), None, [off], set()) == [Skip(off, "route_disabled")]


def test_r3_of_equal_routes_every_enabled_one_delivers(golden_lead: Leads, make_route: Routes) -> None:
    one, two, off = make_route("one"), make_route("two", address="b@x.example"), make_route(enabled=False)

    assert decide(golden_lead(), None, [one, off, two], set()) == [deliver(one, "new"), deliver(two, "new")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"consent": {"basis": "withdrawn"}}, "consent", id="R4"),
        pytest.param({"channel": "visit", "consent": {"basis": "none"}}, "consent", id="R5-visit"),
        pytest.param({"erased": True}, "erased", id="R6"),
        pytest.param({"test": True}, "test_lead", id="R7"),
    ],
)
def test_who_is_not_written_about(
    golden_lead: Leads, make_route: Routes, changes: dict[str, Any], reason: SkipReason
) -> None:
    route = make_route()

    assert [
        d.reason for d in decide(golden_lead(**changes), None, [route], set()) if isinstance(d, Skip)
    ] == [reason]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"channel": "visit", "consent": {"basis": "granted"}}, id="R8"),
        pytest.param({"consent": {"basis": "none"}}, id="R9-an-enquiry-needs-no-form"),
    ],
)
def test_who_is(golden_lead: Leads, make_route: Routes, changes: dict[str, Any]) -> None:
    route = make_route()

    assert decide(golden_lead(**changes), None, [route], set()) == [deliver(route, "new")]


def test_r10_a_route_that_takes_test_leads(golden_lead: Leads, make_route: Routes) -> None:
    route = make_route(send_test_leads=True)

    assert decide(golden_lead(test=True), None, [route], set()) == [deliver(route, "new")]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"customer": {"phones": [{"raw": "1", "e164": "+13125550100"}]}}, id="R11-phone"),
        pytest.param({"customer": {"emails": [{"raw": "a@b.example"}]}}, id="R12-email"),
        pytest.param({"vehicles": [{"model": "Civic"}]}, id="R13-vehicle"),
        pytest.param({"transcript": [{"speaker": "customer", "text": "more"}]}, id="R14-transcript"),
        pytest.param({"call": {"recording_url": "https://c.example/1"}}, id="R15-recording"),
    ],
)
def test_material_changes_are_resent(golden_lead: Leads, make_route: Routes, changes: dict[str, Any]) -> None:
    route, known = make_route(), golden_lead()

    assert decide(golden_lead(**changes), known, [route], {TOLD}) == [deliver(route, "resend")]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"message": "more words"}, id="R16"),
        pytest.param(
            {"attribution": {"source": {"value": "google", "as_of": "2026-01-01T00:00:00Z", "raw_id": "1"}}},
            id="R17-ad-sources",
        ),
        pytest.param({"call": {"duration_seconds": 5}}, id="R18-call-without-recording"),
        pytest.param({"revision": 9}, id="R19-nothing"),
        pytest.param(
            {"links": [{"lead_id": "0f6c1c5c-0000-5000-8000-000000000001", "why": "possible_duplicate"}]},
            id="R31-linked-with-another-lead",
        ),
        pytest.param(
            {
                "customer": {
                    "emails": [{"raw": "x", "address": "jose.nunez@example.net"}],
                    "phones": [{"raw": "x", "e164": "+13125550191", "type": "cellphone"}],
                }
            },
            id="R26-the-same-ways-to-reach-read-better",
        ),
    ],
)
def test_other_changes_are_not(golden_lead: Leads, make_route: Routes, changes: dict[str, Any]) -> None:
    route, known = make_route(), golden_lead()

    assert decide(golden_lead(**changes), known, [route], {TOLD}) == [Skip(route, "not_material")]


def test_r25_a_lead_that_moved_to_another_dealer_is_new_there(golden_lead: Leads, make_route: Routes) -> None:
    there = make_route("there", dealer="lakeside-ford", address="b@x.example")
    moved = golden_lead(dealer={"dealer_id": "lakeside-ford", "name": "Lakeside Ford"})

    assert decide(moved, golden_lead(), [make_route(), there], {TOLD}) == [deliver(there, "new")]


def test_r20_a_route_may_ignore_updates(golden_lead: Leads, make_route: Routes) -> None:
    route = make_route(updates="ignore")
    decisions = decide(golden_lead(vehicles=[]), golden_lead(), [route], {TOLD})

    assert decisions == [Skip(route, "updates_ignored")]


def test_r21_an_update_for_a_route_that_never_had_the_lead_is_new_to_it(
    golden_lead: Leads, make_route: Routes
) -> None:
    route = make_route("second", address="b@x.example", updates="ignore")
    decisions = decide(golden_lead(vehicles=[]), golden_lead(), [route], {TOLD})

    assert decisions == [deliver(route, "new")]


def test_r22_an_address_that_was_corrected_gets_the_lead_as_new(
    golden_lead: Leads, make_route: Routes
) -> None:
    route = make_route(address="right@x.example")

    assert decide(golden_lead(vehicles=[]), golden_lead(), [route], {TOLD}) == [deliver(route, "new")]


def test_r23_consent_that_arrives_later_delivers(golden_lead: Leads, make_route: Routes) -> None:
    route = make_route()
    visit = golden_lead(channel="visit", consent={"basis": "none"})
    permitted = golden_lead(channel="visit", consent={"basis": "granted"})

    assert decide(permitted, visit, [route], set()) == [deliver(route, "new")]


def test_r24_an_update_that_overtook_its_lead_counts_as_the_lead(
    golden_lead: Leads, make_route: Routes
) -> None:
    route = make_route()

    assert decide(golden_lead(revision=2), None, [route], set()) == [deliver(route, "new")]


def test_r30_any_update_delivers_a_lead_that_reached_nobody(golden_lead: Leads, make_route: Routes) -> None:
    route = make_route()
    more_words = golden_lead(message="more words")

    assert decide(more_words, golden_lead(), [route], set()) == [deliver(route, "new")]
