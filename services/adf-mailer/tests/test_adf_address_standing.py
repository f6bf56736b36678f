"""BA1 to BA7 and BA19: what refusals make of an address, as `rules/addresses.md` has it; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from adf_mailer.domain.address_standing import AddressRules, Standing, counts, key, refused

NOW = datetime(2026, 4, 15, 9, 0, tzinfo=UTC)
RULES = AddressRules(suspended_after=3, probe_steps_seconds=(60.0, 600.0))


def after(refusals: int, rules: AddressRules = RULES) -> Standing:
    standing = Standing("leads@crm.example")
    for number in range(refusals):
        standing = refused(standing, rules, "bad_address", now=NOW + timedelta(minutes=number))
    return standing


@pytest.mark.parametrize(
    ("refusals", "suspended", "probe_after_minutes"),
    [
        pytest.param(1, False, None, id="BA1-one-refusal-is-remembered"),
        pytest.param(2, False, None, id="BA2-below-the-number"),
        pytest.param(3, True, 1, id="BA3-the-number-in-a-row-suspends"),
        pytest.param(4, True, 10, id="BA4-a-probe-that-fails-waits-longer"),
        pytest.param(9, True, 10, id="BA5-the-last-wait-repeats"),
    ],
)
def test_refusals_in_a_row(refusals: int, suspended: bool, probe_after_minutes: int | None) -> None:
    standing = after(refusals)

    assert (standing.refusals, standing.suspended) == (refusals, suspended)
    assert standing.refused_at == NOW + timedelta(minutes=refusals - 1)
    waits = standing.probe_at - standing.refused_at if standing.probe_at and standing.refused_at else None
    assert waits == (None if probe_after_minutes is None else timedelta(minutes=probe_after_minutes))


def test_ba5_it_has_been_suspended_since_the_first_time() -> None:
    assert after(9).suspended_at == NOW + timedelta(minutes=2)


def test_ba6_one_is_enough_where_it_is_set_so() -> None:
    assert after(1, AddressRules(suspended_after=1)).suspended


def test_ba7_case_makes_no_other_mailbox() -> None:
    assert key("Leads@CRM.example") == key("leads@crm.EXAMPLE")


def test_ba19_refusals_of_both_kinds_add_up_and_the_last_one_is_remembered() -> None:
    standing = Standing("leads@crm.example")
    for number, reason in enumerate(("bad_address", "bad_address", "policy")):
        assert counts(reason)
        standing = refused(standing, RULES, reason, now=NOW + timedelta(minutes=number))
    assert (standing.refusals, standing.suspended, standing.reason) == (3, True, "policy")
    assert standing.refusing_since == NOW
    assert not standing.another_may_take


def test_ba19_what_an_older_release_noted_began_with_the_refusal_it_noted() -> None:
    noted = Standing("leads@crm.example", refusals=1, refused_at=NOW)
    standing = refused(noted, RULES, "bad_address", now=NOW + timedelta(minutes=5))
    assert standing.refusing_since == NOW


@pytest.mark.parametrize("reason", ["content_refused", "protocol", "sender_refused", "too_large", None])
def test_ba9_other_refusals_do_not_count(reason: str | None) -> None:
    assert not counts(reason)
