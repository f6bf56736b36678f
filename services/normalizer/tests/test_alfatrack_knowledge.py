"""What Alfa-Track tells about its leads later on: parameters S11, each by its key and by its label."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from leadbus.contracts.alfatrack import LABELS
from leadbus.contracts.examples.alfatrack import ALFATRACK_KNOWLEDGE, ALFATRACK_LEADS
from leadbus.contracts.lead import Dealer
from normalizer.domain.draft import Draft
from normalizer.domain.knowledge import PARAMETERS, Knowledge, Told
from normalizer.domain.placing import Origin, id_told, place
from normalizer.sources.alfatrack import PLACEHOLDERS, read

JSON = "application/json"
AT = datetime(2026, 4, 14, 9, 30, tzinfo=UTC)
ORIGIN = Origin("alfatrack", "north", AT)
NORTH = Dealer(dealer_id="north", name="Север", country="RU", time_zone="Europe/Moscow")


def pushed(payload: Any) -> bytes:
    return json.dumps(payload).encode()


def lead_with(type_: str = "form", /, **changes: Any) -> dict[str, Any]:
    merged = {**ALFATRACK_LEADS[type_], **changes}
    return {name: value for name, value in merged.items() if value is not None}


def knowledge_of(payload: Any) -> Knowledge:
    knowledge = read(pushed(payload), JSON)
    assert isinstance(knowledge, Knowledge)
    return knowledge


def draft_of(payload: Any) -> Draft:
    draft = read(pushed(payload), JSON)
    assert isinstance(draft, Draft)
    return draft


def knowing(parameters: Any, **changes: Any) -> Knowledge:
    return knowledge_of({"event": "knowledge", "lead_id": "1", "parameters": parameters, **changes})


def warned(told: Knowledge) -> list[tuple[str, str]]:
    return [(warning.code, warning.field) for warning in told.warnings]


@pytest.mark.parametrize("key", PARAMETERS, ids=[f"S11-{n}-{key}" for n, key in enumerate(PARAMETERS, 1)])
def test_each_parameter_is_known_with_its_moment(key: str) -> None:
    (label,) = (label for label, named in LABELS.items() if named == key)
    for name in (key, label):
        told = knowing({name: "v", "other": "x"}, as_of="2026-04-14T09:15:00Z")
        assert told.parameters == {key: Told("v", datetime(2026, 4, 14, 9, 15, tzinfo=UTC))}
        assert told.extras == {"parameters.other": "x"}


def test_the_published_knowledge_arrives() -> None:
    told = knowledge_of(ALFATRACK_KNOWLEDGE)
    assert (told.external_id, told.issuer) == ("AT-900317", None)
    assert {key: one.value for key, one in told.parameters.items()} == {
        key: one["value"] if isinstance(one, dict) else one
        for key, one in ALFATRACK_KNOWLEDGE["parameters"].items()
    }
    assert told.parameters["keyword"].as_of == datetime(2026, 4, 14, 9, 15, 5, tzinfo=UTC)
    assert told.parameters["source"].as_of == datetime(2026, 4, 14, 9, 15, 20, tzinfo=UTC)
    assert (told.extras, told.warnings) == ({}, ())


def test_a_lead_may_bring_its_knowledge_along() -> None:
    draft = draft_of(ALFATRACK_LEADS["email"])
    assert draft.parameters is not None
    assert draft.parameters["mailbox_address"].value == "sales-17@track.example"
    assert not any(path.startswith("parameters") for path in draft.extras)


def test_a_lead_without_parameters_may_still_get_some() -> None:
    assert draft_of(lead_with(parameters={"city": " "})).parameters == {}


@pytest.mark.parametrize("test", [False, True])
def test_it_names_its_lead_whichever_of_the_two_comes_first(test: bool) -> None:
    told = knowledge_of({**ALFATRACK_KNOWLEDGE, "test": test})
    lead = place(draft_of(lead_with(test=test)), ORIGIN, NORTH)
    assert id_told(told, ORIGIN) == lead.lead_id
    assert id_told(told, replace(ORIGIN, account="south")) != lead.lead_id
    assert id_told(replace(told, test=not test), ORIGIN) != lead.lead_id


def test_knowledge_may_tell_its_project() -> None:
    told = knowing({}, project={"id": 9, "name": "N"})
    assert told.extras == {"project.id": "9", "project.name": "N"}


@pytest.mark.parametrize("written", sorted(PLACEHOLDERS))
def test_a_placeholder_is_no_knowledge(written: str) -> None:
    told = knowing({"keyword": f" {written.upper()}", "source": "(direct)", "traffic_type": "(none)"})
    assert set(told.parameters) == {"source", "traffic_type"}
    assert told.extras == {"parameters.keyword": written.upper()}
    assert warned(told) == [("parameter_placeholder", "attribution.keyword")]


# id, parameters, what is known, warnings
DOUBTFUL: list[tuple[str, Any, Any, Any]] = [
    ("blank", {"city": " ", "ip": "", "source": None}, {}, []),
    ("number", {"ga_client_id": 17}, {"ga_client_id": "17"}, []),
    ("AT8 list", {"city": ["A"]}, {}, [("value_unread", "attribution.city")]),
    ("lines", {"page_path": "/a\n/b"}, {"page_path": "/a /b"}, []),
    (
        "AT8 moment",
        {"city": {"value": "A", "as_of": "x"}},
        {"city": "A"},
        [("value_unread", "attribution.city")],
    ),
    (
        "AT8 implausible",
        {"city": {"value": "A", "as_of": "2999-01-01T00:00:00Z"}},
        {"city": "A"},
        [("time_implausible", "attribution.city")],
    ),
    ("AT8 bare", "google", {}, [("value_unread", "attribution")]),
    ("AT8 stranger", {"m@x.example": ["A"], "city": 1}, {"city": "1"}, []),
]


@pytest.mark.parametrize(
    ("case", "parameters", "known", "warnings"), DOUBTFUL, ids=[row[0] for row in DOUBTFUL]
)
def test_doubtful_parameters(case: str, parameters: Any, known: Any, warnings: Any) -> None:
    told = knowing(parameters)
    assert {key: one.value for key, one in told.parameters.items()} == known
    assert warned(told) == warnings


def test_a_push_whose_clock_went_wrong_keeps_its_values() -> None:
    told = knowing({"city": "A"}, as_of="1970-01-01T00:00:00Z")
    assert told.parameters == {"city": Told("A")}
    assert told.extras == {"as_of": "1970-01-01T00:00:00+00:00"}
    assert warned(told) == [("time_implausible", "attribution")]


def test_a_push_without_a_readable_moment_keeps_its_values() -> None:
    told = knowing({"city": "A"}, as_of="this morning")
    assert (told.parameters, told.extras) == ({"city": Told("A")}, {"as_of": "this morning"})
    assert warned(told) == [("value_unread", "attribution")]


def test_a_moment_that_was_not_read_leaves_that_of_the_push() -> None:
    told = knowing({"city": {"value": "A", "as_of": "x"}}, as_of="2026-04-14T09:15:00Z")
    assert told.parameters["city"].as_of == datetime(2026, 4, 14, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize("test", [True, False])
def test_a_test_is_told_of_lead_and_knowledge(test: bool) -> None:
    payload = lead_with(test=test, parameters={"city": "A"})
    assert draft_of(payload).test is test
    assert knowing({"city": "A"}, test=test).test is test
