"""Revisions: the R rows of RULES.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from leadbus.contracts.lead import Lead
from normalizer.domain.merge import fold
from normalizer.domain.placing import Origin, place
from normalizer.domain.revisions import RECEIVED, UPDATED, Reading, advance, refold
from normalizer.sources.contactatonce import read

AT = datetime(2026, 4, 14, 16, 3, 5, tzinfo=UTC)


@pytest.fixture
def reading(payload: Any, dealer: Any) -> Callable[..., Reading]:
    def make(number: int = 1, lead_type: str = "Chat", /, to: Any = None, **changes: Any) -> Reading:
        changes.setdefault("lead_id", "CAO-1")
        draft = read(json.dumps(payload(lead_type, **changes)).encode(), "application/json")
        origin = Origin("contactatonce", "a", AT + timedelta(seconds=number))
        return Reading(UUID(int=number), place(draft, origin, to or dealer))

    return make


@pytest.mark.parametrize("case", ["R1"])
def test_first(case: str, reading: Any) -> None:
    (revision,) = advance(None, [reading()])
    assert (revision.lead.revision, revision.event_type, revision.changed) == (1, RECEIVED, ())


@pytest.mark.parametrize("case", ["R2"])
def test_told_again(case: str, reading: Any) -> None:
    (revision,) = advance(None, [reading(1), reading(2), reading(3)])
    assert revision.raw_key == UUID(int=1)
    assert advance(revision.lead, [reading(4)]) == []


@pytest.mark.parametrize("case", ["R3"])
def test_told_otherwise(case: str, reading: Any) -> None:
    _, revision = advance(None, [reading(1), reading(2, comments="hello", lead_source="elsewhere")])
    assert (revision.lead.revision, revision.event_type) == (2, UPDATED)
    assert revision.changed == ("extras", "message")


@pytest.mark.parametrize(
    ("case", "left_out"),
    [
        ("R4", {"customer": None}),
        ("R4", {"vehicle": None}),
        ("R4", {"transcript": []}),
        ("R4", {"comments": " "}),
    ],
)
def test_left_out(case: str, left_out: Any, reading: Any) -> None:
    assert len(advance(None, [reading(1), reading(2, **left_out)])) == 1


@pytest.mark.parametrize("case", ["R5"])
def test_recording_follows(case: str, reading: Any) -> None:
    call = {"started_at": "2026-04-15T09:12:44-05:00", "duration_seconds": 187, "answered": True}
    later = {"recording_url": "https://calls.example/1"}
    _, revision = advance(None, [reading(1, "TrackedCall", call=call), reading(2, "TrackedCall", call=later)])
    assert revision.changed == ("call",)
    assert revision.lead.call is not None
    assert revision.lead.call.duration_seconds == 187
    assert revision.lead.call.recording_url == "https://calls.example/1"


@pytest.mark.parametrize("case", ["R6"])
def test_sums(case: str, reading: Any) -> None:
    missed = reading(
        1, "TrackedCall", call={"answered": False}, test=True, occurred_at="2026-04-14T10:00:00Z"
    )
    talked = reading(2, "TrackedCall", call={"answered": True}, occurred_at="2026-04-14T11:00:00Z")
    lead = fold([missed.lead, talked.lead])
    assert lead.intents == ("callback", "inquiry")
    assert (lead.urgency, lead.test, lead.occurred_at) == (
        "high",
        True,
        datetime(2026, 4, 14, 10, tzinfo=UTC),
    )


@pytest.mark.parametrize("case", ["R7"])
def test_warnings(case: str, reading: Any) -> None:
    doubtful = reading(1, customer={"phone": "ask Bob", "email": "none"})
    corrected = reading(2, customer={"phone": "312-555-0148"}, vehicle=None)
    lead = fold([doubtful.lead, corrected.lead])
    assert [(warning.code, warning.field) for warning in lead.warnings] == [
        ("email_invalid", "customer.emails.0")
    ]


@pytest.mark.parametrize("case", ["R8"])
def test_order_of_arrival(case: str, reading: Any) -> None:
    told = [
        reading(1, comments="one", related_ids={"a": "1"}),
        reading(2, comments="two", customer={"name": "Dana"}),
        reading(3, comments="", test=True),
    ]
    contents = set()
    for arrival in permutations(told):
        known: Lead | None = None
        seen: list[Reading] = []
        for each in arrival:
            seen = sorted([*seen, each], key=lambda one: one.lead.received_at)
            made = refold(known, seen, each.raw_key)
            known = made[-1].lead if made else known
        assert known is not None
        contents.add(known.digest())
    assert len(contents) == 1


@pytest.mark.parametrize("case", ["R9"])
def test_dealer(case: str, reading: Any, dealer: Any) -> None:
    renamed = dealer.model_copy(update={"name": "New Name"})
    other = dealer.model_copy(update={"dealer_id": "lakeside"})
    assert len(advance(None, [reading(1), reading(2, to=renamed)])) == 1
    _, revision = advance(None, [reading(1), reading(2, to=other)])
    assert revision.changed == ("dealer",)
    assert revision.lead.dealer == other


@pytest.mark.parametrize("case", ["R10"])
def test_door_time(case: str, reading: Any) -> None:
    revisions = advance(None, [reading(1), reading(2, comments="x")])
    assert [revision.lead.received_at for revision in revisions] == [AT + timedelta(seconds=1)] * 2


@pytest.mark.parametrize("case", ["R11"])
def test_placeholder(case: str, reading: Any) -> None:
    named = reading(1, customer={"name": "Dana Whitfield"})
    called = reading(2, "TrackedCall", customer={"name": "WIRELESS CALLER", "phone": "312-555-0148"})
    assert fold([named.lead, called.lead]).customer.name == named.lead.customer.name
    assert fold([called.lead, named.lead]).customer.name == named.lead.customer.name


@pytest.mark.parametrize("case", ["R12"])
def test_extras_of_a_vehicle(case: str, reading: Any) -> None:
    doubtful = reading(1, vehicle={"make": "Audi", "vin": "short"}, campaign="spring")
    other = reading(2, vehicle={"make": "BMW"})
    silent = reading(2, vehicle=None)
    assert fold([doubtful.lead, silent.lead]).extras["vehicles.0.vin"] == "short"
    extras = fold([doubtful.lead, other.lead]).extras
    assert "vehicles.0.vin" not in extras
    assert extras["campaign"] == "spring"
