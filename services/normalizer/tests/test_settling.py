"""Acts laid over what sources tell: a lead's revisions are the same whichever came first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from leadbus.contracts.lead import Consent, Customer, Dealer, Email, Lead
from normalizer.domain.consents import Act, Ledger, record
from normalizer.domain.declarations import declared
from normalizer.domain.raw import Raw
from normalizer.domain.revisions import Reading, Revision, advance
from normalizer.domain.settling import as_told, settled

AT = datetime(2026, 4, 14, 9, tzinfo=UTC)
ANN, BOB = "mailto:ann@example.org", "mailto:bob@example.org"
LEAD_ID = UUID("6f9c1e0a-0000-4000-8000-000000000001")
VISIT = Consent(basis="none", purposes=("nurture",))
CHAT = Consent(basis="request", purposes=("reply", "sales"), at=AT)
LEAD = Lead(
    lead_id=LEAD_ID,
    revision=1,
    source="virtualexpo",
    account="directindustry",
    source_type="visit",
    channel="visit",
    received_at=AT,
    dealer=Dealer(dealer_id="hoffmann", name="Hoffmann"),
    customer=Customer(emails=(Email(address="ann@example.org", raw="ann@example.org"),)),
    consent=VISIT,
    extras={},
)


def ledger_of(*acts: Act) -> Ledger:
    ledger = Ledger()
    for act in acts:
        ledger = record(ledger, act)
    return ledger


def act(action: Any, *purposes: str, contact: str = ANN) -> Act:
    return Act(contact, action, AT + timedelta(days=1), purposes)


def told(*changes: dict[str, Any], before: Lead | None = None) -> Sequence[Revision]:
    readings = [Reading(UUID(int=n), LEAD.model_copy(update=change)) for n, change in enumerate(changes, 1)]
    return advance(before, readings)


def shown(revisions: Sequence[Revision]) -> list[tuple[int, str, tuple[str, ...], str]]:
    return [(one.lead.revision, one.event_type, one.changed, one.lead.consent.basis) for one in revisions]


def test_a_new_lead_of_somebody_who_permitted_begins_permitted_and_keeps_what_was_told() -> None:
    (revision,) = settled(told({}), None, ledger_of(act("grant", "nurture")))
    assert shown([revision]) == [(1, "lead.received.v1", (), "granted")]
    assert revision.told_consent == VISIT


def test_a_lead_that_no_act_concerns_keeps_nothing_beside() -> None:
    (revision,) = settled(told({}), None, ledger_of(act("withdraw", contact=BOB)))
    assert revision.told_consent is None
    assert revision.lead == LEAD


def test_every_revision_of_a_batch_has_the_consent_that_holds() -> None:
    made = told({}, {"message": "Any news?"}, {"message": "Hello?"})
    revisions = settled(made, None, ledger_of(act("withdraw")))
    assert shown(revisions) == [
        (1, "lead.received.v1", (), "withdrawn"),
        (2, "lead.updated.v1", ("message",), "withdrawn"),
        (3, "lead.updated.v1", ("message",), "withdrawn"),
    ]


def test_a_revision_that_tells_another_consent_only_is_none_where_acts_decide() -> None:
    held = LEAD.model_copy(update={"consent": Consent(basis="withdrawn", at=AT + timedelta(days=1))})
    made = told({"consent": CHAT}, {"message": "Hello?"}, before=as_told(held, VISIT))
    assert [one.lead.revision for one in made] == [2, 3]
    assert shown(settled(made, held, ledger_of(act("withdraw")))) == [
        (2, "lead.updated.v1", ("message",), "withdrawn")
    ]


def test_a_refusal_of_a_linked_lead_counts_and_its_permission_does_not() -> None:
    refused = settled(told({}), None, ledger_of(act("withdraw", contact=BOB)), [BOB])
    permitted = settled(told({}), None, ledger_of(act("grant", "nurture", contact=BOB)), [BOB])
    assert [one[3] for one in shown([*refused, *permitted])] == ["withdrawn", "none"]


def test_an_act_about_the_lead_itself_holds_whatever_its_contacts_become() -> None:
    ledger = ledger_of(act("withdraw", contact=f"lead:{LEAD_ID}"))
    (revision,) = settled(told({"customer": Customer()}), None, ledger)
    assert revision.lead.consent.basis == "withdrawn"


RAW = Raw(
    key=UUID(int=7),
    source="virtualexpo",
    account="directindustry",
    wire_id="raw-1",
    digest="",
    body=b"",
    data=b"",
    attributes="{}",
    content_type="application/xml",
    received_at=AT,
)


@pytest.mark.parametrize(
    ("case", "consent", "change", "action", "purposes"),
    [
        ("D1 a yes", Consent(basis="granted", purposes=("nurture",), at=AT), {}, "grant", ("nurture",)),
        ("D2 a no is of everything", Consent(basis="withdrawn"), {}, "withdraw", ()),
        ("D3 only its kind", CHAT, {}, None, ()),
        ("D4 nothing", VISIT, {}, None, ()),
        ("D5 a test says nothing", Consent(basis="withdrawn"), {"test": True}, None, ()),
        ("D6 a yes to nothing", Consent(basis="granted"), {}, None, ()),
    ],
)
def test_what_a_source_says_outright(
    case: str, consent: Consent, change: Any, action: Any, purposes: Any
) -> None:
    said = declared(RAW, LEAD.model_copy(update={"consent": consent, **change}))
    assert (said.action, said.purposes) == (action, purposes) if said else action is None
    if said:
        assert said.contacts == (ANN, f"lead:{LEAD_ID}")
        assert (said.at, said.raw_key, said.lead_id) == (AT, RAW.key, LEAD_ID)


def test_a_clock_of_a_source_that_runs_ahead_is_of_the_moment_of_the_door() -> None:
    consent = Consent(basis="withdrawn", at=AT + timedelta(days=400))
    said = declared(RAW, LEAD.model_copy(update={"consent": consent}))
    assert said is not None
    assert said.at == AT
