"""Acts of consent: whose they are, that they commute, and that a withdrawal wins in every order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leadbus.contracts.lead import Consent, Customer, Email, Phone
from normalizer.domain.consents import (
    Act,
    Ledger,
    consent_now,
    contacts_of,
    record,
)

START = datetime(2026, 4, 14, 9, tzinfo=UTC)
ANN, HOME, OTHER = "mailto:ann@example.org", "tel:+15550100123", "mailto:a.smith@example.org"

REQUEST = Consent(basis="form", purposes=("reply", "sales"), at=START)
PROSPECT = Consent(basis="form", purposes=("sales",), at=START)
VISIT = Consent(basis="none", purposes=("nurture",))
CHAT = Consent(basis="request", purposes=("reply", "sales"), at=START)
EXPIRY = Consent(basis="none")


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def ledger_of(acts: Any) -> Ledger:
    return reduce(record, acts, Ledger())


LEAD = UUID("6f9c1e0a-0000-4000-8000-000000000001")


@pytest.mark.parametrize(
    ("case", "customer", "contacts"),
    [
        (
            "address and number",
            Customer(
                emails=(Email(address="Ann@example.org", raw="Ann@example.org"),),
                phones=(Phone(e164="+15550100123", raw="(555) 010-0123"),),
            ),
            (ANN, HOME),
        ),
        (
            "one address twice",
            Customer(
                emails=(Email(address="ann@example.org", raw="x"), Email(address="ANN@example.org", raw="y"))
            ),
            (ANN,),
        ),
        ("unreadable", Customer(emails=(Email(raw="nobody"),), phones=(Phone(raw="-"),)), (f"lead:{LEAD}",)),
        ("nothing", Customer(), (f"lead:{LEAD}",)),
    ],
)
def test_what_a_person_is_known_by(case: str, customer: Any, contacts: Any) -> None:
    assert contacts_of(customer, LEAD) == contacts


contact = st.sampled_from([ANN, HOME, OTHER])
some_purposes = st.lists(st.sampled_from(["sales", "nurture"]), min_size=1, max_size=2, unique=True).map(
    tuple
)
texts = st.none() | st.sampled_from(["", "yes"])
acts = st.lists(
    st.builds(Act, contact, st.just("grant"), st.integers(0, 3).map(at), some_purposes, texts)
    | st.builds(
        Act, contact, st.just("withdraw"), st.integers(0, 3).map(at), st.just(()) | some_purposes, texts
    ),
    max_size=6,
)
starts = st.sampled_from([REQUEST, PROSPECT, VISIT, CHAT, EXPIRY])


@settings(max_examples=300, deadline=None)
@given(told=acts, data=st.data())
def test_acts_commute_and_repeat_without_harm(told: Any, data: Any) -> None:
    again = data.draw(st.permutations(told + told[:2]))
    assert ledger_of(again) == ledger_of(told)


@settings(max_examples=300, deadline=None)
@given(told=acts, start=starts, linked=st.lists(contact, max_size=2))
def test_after_a_withdrawal_nothing_allows_its_purpose(told: Any, start: Consent, linked: list[str]) -> None:
    consent = consent_now(ledger_of(told), start, [ANN], linked)
    for act in told:
        if act.action == "withdraw" and act.contact in (ANN, *linked):
            assert not set(consent.purposes) & set(act.purposes or consent.purposes)
    if consent.basis == "none":
        assert consent == start


@settings(max_examples=300, deadline=None)
@given(told=acts, start=starts)
def test_nothing_is_allowed_that_nobody_allowed(told: Any, start: Consent) -> None:
    consent = consent_now(ledger_of(told), start, [ANN])
    if consent.basis in ("none", "withdrawn"):
        return
    granted = {one for act in told if act.contact == ANN and act.action == "grant" for one in act.purposes}
    began = set(start.purposes) if start.basis != "none" else set()
    assert consent.purposes
    assert set(consent.purposes) <= granted | began
