"""Identity: the I rows of RULES.md."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadbus.contracts.lead import OWN_ID_SOURCE
from normalizer.domain import identity
from normalizer.domain.identity import Circumstances, event_id, lead_id, lead_id_by_circumstances
from normalizer.domain.placing import Origin, place
from normalizer.sources.contactatonce import read

AT = datetime(2026, 4, 14, 11, 3, 5, 123456, tzinfo=UTC)
TOLD = Circumstances(AT, "Dana@Example.com", "+13125550148", "1M8GDM9AXKP042788", "form")


@pytest.mark.parametrize("case", ["I1"])
def test_the_id_is_fixed_for_ever(case: str) -> None:
    known = UUID("1586dad4-3e14-5e4e-b8ee-e461c31b8481")
    assert lead_id("contactatonce", "prairie-group", "contactatonce", "CAO-88120977") == known


@pytest.mark.parametrize("case", ["I2"])
@pytest.mark.parametrize("position", range(4))
def test_every_part_counts(case: str, position: Any) -> None:
    parts = ["contactatonce", "a", "contactatonce", "1"]
    other = [part + "x" if place_ == position else part for place_, part in enumerate(parts)]
    assert lead_id(*parts) != lead_id(*other)


@pytest.mark.parametrize("case", ["I3"])
@given(parts=st.lists(st.lists(st.text(max_size=3), min_size=4, max_size=4), min_size=2, max_size=2))
def test_two_leads_are_never_one(case: str, parts: Any) -> None:
    left, right = parts
    assert (lead_id(*left) == lead_id(*right)) == (left == right)


@pytest.mark.parametrize(
    ("case", "told", "same"),
    [
        (
            "I4",
            Circumstances(
                AT.replace(microsecond=0), "dana@example.com", *("+13125550148", TOLD.item, "form")
            ),
            True,
        ),
        (
            "I4",
            Circumstances(
                AT.astimezone(timezone(timedelta(hours=-5))), *(TOLD.email, TOLD.phone, TOLD.item, "form")
            ),
            True,
        ),
        ("I4", Circumstances(AT + timedelta(seconds=1), TOLD.email, TOLD.phone, TOLD.item, "form"), False),
        ("I4", Circumstances(AT, None, TOLD.phone, TOLD.item, "form"), False),
        ("I4", Circumstances(AT, TOLD.email, TOLD.phone, TOLD.item, "chat"), False),
        ("I4", Circumstances(None, TOLD.email, TOLD.phone, TOLD.item, "form"), False),
    ],
)
def test_without_an_id_the_circumstances_count(case: str, told: Any, same: Any) -> None:
    derived = [lead_id_by_circumstances("bdk", "a", each) for each in (TOLD, told)]
    assert (derived[0] == derived[1]) is same


@pytest.mark.parametrize("case", ["I5"])
def test_a_pinned_lead_stays(case: str, payload: Any, message: Any, dealer: Any) -> None:
    draft = read(message(payload()).body, "application/json")
    pinned = UUID(int=7)
    lead = place(draft, Origin("contactatonce", "a", AT), dealer, pinned)
    assert lead.lead_id == pinned
    assert lead.ids[-1].value == str(pinned)


@pytest.mark.parametrize("case", ["I6"])
def test_event_ids(case: str) -> None:
    lead = UUID(int=1)
    assert event_id(lead, 1, "lead.received.v1") == event_id(lead, 1, "lead.received.v1")
    assert len({event_id(lead, number, kind) for number in (1, 2) for kind in ("a", "b")}) == 4
    assert identity.raw_event_id(lead, "raw.quarantined.v1", 1) != identity.raw_event_id(
        lead, "raw.quarantined.v1", 2
    )


@pytest.mark.parametrize("case", ["I7"])
def test_the_custody_chain(case: str, payload: Any, message: Any, dealer: Any) -> None:
    related = {"conversation_id": "IM-1", "campaign_id": 77, "again": "IM-1", "  ": "blank", "empty": ""}
    draft = read(message(payload(related_ids=related)).body, "application/json")
    lead = place(draft, Origin("contactatonce", "a", AT), dealer)
    assert [(entry.source, entry.value, entry.sequence) for entry in lead.ids] == [
        ("ContactAtOnce!", "CAO-88120977", 1),
        ("ContactAtOnce! conversation_id", "IM-1", 2),
        ("ContactAtOnce! campaign_id", "77", 3),
        ("ContactAtOnce! again", "IM-1", 4),
        (OWN_ID_SOURCE, str(lead.lead_id), 5),
    ]


@pytest.mark.parametrize("case", ["I8"])
@pytest.mark.parametrize("marked", [{"attribute": True}, {"payload": True}])
@pytest.mark.parametrize("with_id", [True, False])
def test_a_test_is_another_lead(
    case: str, marked: Any, with_id: bool, payload: Any, message: Any, dealer: Any
) -> None:
    def told(**marks: bool) -> Any:
        draft = read(message(payload(test=marks.get("payload", False))).body, "application/json")
        draft = draft if with_id else replace(draft, external_id=None)
        return place(draft, Origin("contactatonce", "a", AT, test=marks.get("attribute", False)), dealer)

    assert told(**marked).test
    assert not told().test
    assert told(**marked).lead_id == told(attribute=True, payload=True).lead_id != told().lead_id
