"""Consent: every transition T1.., every decision K1.., in every order of the acts."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from leadbus.contracts.lead import Consent
from normalizer.domain.consents import (
    Act,
    Action,
    Ledger,
    Standing,
    consent_now,
    record,
    standing,
    transition,
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


def grant(contact: str, *purposes: str, day: int = 1, text: str | None = None) -> Act:
    return Act(contact, "grant", at(day), purposes, text)


def withdraw(contact: str, *purposes: str, day: int = 1, text: str | None = None) -> Act:
    return Act(contact, "withdraw", at(day), purposes, text)


def ledger_of(acts: Any) -> Ledger:
    return reduce(record, acts, Ledger())


TRANSITIONS = [
    ("T1", "none", "grant", "granted"),
    ("T2", "none", "withdraw", "withdrawn"),
    ("T3", "request", "grant", "granted"),
    ("T4", "request", "withdraw", "withdrawn"),
    ("T5", "form", "grant", "granted"),
    ("T6", "form", "withdraw", "withdrawn"),
    ("T7", "granted", "grant", "granted"),
    ("T8", "granted", "withdraw", "withdrawn"),
    ("T9", "withdrawn", "grant", "withdrawn"),
    ("T10", "withdrawn", "withdraw", "withdrawn"),
]


@pytest.mark.parametrize(
    ("case", "state", "action", "after"), TRANSITIONS, ids=[row[0] for row in TRANSITIONS]
)
def test_transitions(case: str, state: Any, action: Action, after: Any) -> None:
    assert transition(state, action) == after
    start = Consent(basis=state, purposes=("sales",))
    consent = consent_now(ledger_of([Act(ANN, action, at(1), ("sales",))]), start, [ANN])
    assert consent.basis == after


# id, start, acts, contacts, linked contacts, basis, purposes, day of the proof
DECISIONS: list[tuple[str, Consent, list[Act], list[str], list[str], str, tuple[str, ...], int | None]] = [
    ("K1 request", REQUEST, [], [ANN], [], "form", ("reply", "sales"), 0),
    ("K2 prospect", PROSPECT, [], [ANN], [], "form", ("sales",), 0),
    ("K3 visit waits for a permission", VISIT, [], [ANN], [], "none", ("nurture",), None),
    ("K4 visit permitted", VISIT, [grant(ANN, "nurture")], [ANN], [], "granted", ("nurture",), 1),
    ("K5 visit refused", VISIT, [withdraw(ANN, "nurture")], [ANN], [], "withdrawn", (), 1),
    ("K6 visit refused everything", VISIT, [withdraw(ANN)], [ANN], [], "withdrawn", (), 1),
    ("K7 visit permitted something else", VISIT, [grant(ANN, "sales")], [ANN], [], "granted", ("sales",), 1),
    ("K8 one purpose withdrawn", REQUEST, [withdraw(ANN, "sales")], [ANN], [], "form", ("reply",), 0),
    ("K9 both withdrawn", REQUEST, [withdraw(ANN, "sales", "reply")], [ANN], [], "withdrawn", (), 1),
    ("K10 everything withdrawn", REQUEST, [withdraw(ANN)], [ANN], [], "withdrawn", (), 1),
    (
        "K11 another purpose withdrawn",
        REQUEST,
        [withdraw(ANN, "nurture")],
        [ANN],
        [],
        "form",
        ("reply", "sales"),
        0,
    ),
    (
        "K12 more permitted",
        REQUEST,
        [grant(ANN, "nurture")],
        [ANN],
        [],
        "form",
        ("reply", "sales", "nurture"),
        0,
    ),
    (
        "K13 a grant makes the ground firmer",
        PROSPECT,
        [grant(ANN, "sales")],
        [ANN],
        [],
        "granted",
        ("sales",),
        1,
    ),
    (
        "K14 the weakest ground is told",
        CHAT,
        [grant(ANN, "reply")],
        [ANN],
        [],
        "request",
        ("reply", "sales"),
        0,
    ),
    (
        "K15 grant after withdrawal",
        VISIT,
        [withdraw(ANN), grant(ANN, "nurture", day=2)],
        [ANN],
        [],
        "withdrawn",
        (),
        1,
    ),
    (
        "K16 grant before withdrawal",
        VISIT,
        [grant(ANN, "nurture"), withdraw(ANN, day=2)],
        [ANN],
        [],
        "withdrawn",
        (),
        2,
    ),
    (
        "K17 withdrawn twice",
        VISIT,
        [withdraw(ANN, day=3), withdraw(ANN, day=2)],
        [ANN],
        [],
        "withdrawn",
        (),
        2,
    ),
    (
        "K18 granted twice",
        VISIT,
        [grant(ANN, "nurture", day=3), grant(ANN, "nurture", day=2)],
        [ANN],
        [],
        "granted",
        ("nurture",),
        2,
    ),
    ("K19 by another address", VISIT, [grant(HOME, "nurture")], [ANN, HOME], [], "granted", ("nurture",), 1),
    ("K20 withdrawn by another address", REQUEST, [withdraw(HOME)], [ANN, HOME], [], "withdrawn", (), 1),
    ("K21 somebody else granted", VISIT, [grant(OTHER, "nurture")], [ANN], [], "none", ("nurture",), None),
    ("K22 somebody else withdrew", REQUEST, [withdraw(OTHER)], [ANN], [], "form", ("reply", "sales"), 0),
    ("K23 linked: withdrawn", REQUEST, [withdraw(OTHER)], [ANN], [OTHER], "withdrawn", (), 1),
    (
        "K24 linked: withdrawn for one purpose",
        REQUEST,
        [withdraw(OTHER, "sales")],
        [ANN],
        [OTHER],
        "form",
        ("reply",),
        0,
    ),
    ("K25 linked: granted", VISIT, [grant(OTHER, "nurture")], [ANN], [OTHER], "none", ("nurture",), None),
    (
        "K26 linked: withdrawn, own: granted",
        VISIT,
        [grant(ANN, "nurture", day=2), withdraw(OTHER, "nurture")],
        [ANN],
        [OTHER],
        "withdrawn",
        (),
        1,
    ),
    ("K27 no inquiry", EXPIRY, [], [ANN], [], "none", (), None),
    ("K28 no inquiry, permitted", EXPIRY, [grant(ANN, "sales")], [ANN], [], "granted", ("sales",), 1),
    ("K29 no inquiry, withdrawn", EXPIRY, [withdraw(ANN)], [ANN], [], "withdrawn", (), 1),
    (
        "K30 began withdrawn",
        Consent(basis="withdrawn", at=START),
        [grant(ANN, "sales")],
        [ANN],
        [],
        "withdrawn",
        (),
        0,
    ),
    ("K32 visit refused something else", VISIT, [withdraw(ANN, "sales")], [ANN], [], "withdrawn", (), 1),
    ("K33 linked: refused else", VISIT, [withdraw(OTHER, "sales")], [ANN], [OTHER], "withdrawn", (), 1),
    ("K31 no contact", REQUEST, [withdraw(ANN)], [], [], "form", ("reply", "sales"), 0),
]


@pytest.mark.parametrize(
    ("case", "start", "acts", "contacts", "linked", "basis", "purposes", "day"),
    DECISIONS,
    ids=[row[0] for row in DECISIONS],
)
def test_decisions(
    case: str, start: Any, acts: Any, contacts: Any, linked: Any, basis: Any, purposes: Any, day: Any
) -> None:
    for order in itertools.permutations(acts):
        consent = consent_now(ledger_of(order), start, contacts, linked)
        assert (consent.basis, consent.purposes) == (basis, purposes)
        assert consent.at == (None if day is None else at(day))


def test_without_any_act_the_start_stands() -> None:
    start = Consent(basis="form", purposes=("sales",), text="I agree", at=START)
    assert consent_now(Ledger(), start, [ANN], [OTHER]) == start


def test_the_words_agreed_to_are_told() -> None:
    ledger = ledger_of([grant(ANN, "nurture", text="Yes, write to me.")])
    assert consent_now(ledger, VISIT, [ANN]).text == "Yes, write to me."
    assert standing(ledger, [ANN], "nurture") == Standing("granted", at(1), "Yes, write to me.")
    assert standing(ledger, [ANN], "sales") == Standing()


def test_an_act_that_says_nothing_new_leaves_the_ledger_as_it_is() -> None:
    ledger = ledger_of([grant(ANN, "nurture"), withdraw(HOME, day=2)])
    assert record(ledger, grant(ANN, "nurture")) is ledger
    assert record(ledger, withdraw(HOME, day=3)) is ledger
    assert record(ledger, grant(ANN, "sales")) is not ledger


def test_a_grant_of_nothing_in_particular_is_none() -> None:
    with pytest.raises(ValueError, match="purposes"):
        Act(ANN, "grant", START)
