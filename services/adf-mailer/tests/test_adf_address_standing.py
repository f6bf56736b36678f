"""BA1 to BA7: what refusals make of an address, as `rules/addresses.md` has it; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from adf_mailer.domain.address_standing import AddressRules, Standing, key, refused

NOW = datetime(2026, 4, 15, 9, 0, tzinfo=UTC)
RULES = AddressRules(suspended_after=3, probe_steps_seconds=(60.0, 600.0))


def after(refusals: int, rules: AddressRules = RULES) -> Standing:
    standing = Standing("leads@crm.example")
    for number in range(refusals):
        standing = refused(standing, rules, now=NOW + timedelta(minutes=number))
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
