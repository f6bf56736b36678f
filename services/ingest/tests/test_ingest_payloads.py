"""What a rehearsal says of payloads: found by the reader that the normalizer uses, source by source."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ingest.domain import media_type
from ingest.sources import CONTRACTS
from ingest.sources.findings import Findings
from leadbus.contracts.examples.alfatrack import ALFATRACK_KNOWLEDGE, ALFATRACK_LEADS
from leadbus.contracts.examples.bdk import BDK

FORM = ALFATRACK_LEADS["form"]


def said(source: str, body: Any, content_type: str = "application/json") -> Findings:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CONTRACTS[source](data, media_type.read(content_type))


def codes(found: Any) -> list[tuple[str | None, str]]:
    return [(one.pointer, one.code) for one in found]


EXAMPLES = [
    *(("alfatrack", name, told) for name, told in ALFATRACK_LEADS.items()),
    ("alfatrack", "knowledge", ALFATRACK_KNOWLEDGE),
    *(("bdk", name, told) for name, told in BDK.items()),
]


@pytest.mark.parametrize(("source", "name", "told"), EXAMPLES, ids=[f"{one[0]} {one[1]}" for one in EXAMPLES])
def test_published_examples_have_no_findings(source: str, name: str, told: Any) -> None:
    assert said(source, told) == Findings()
    assert said(source, b"\xef\xbb\xbf" + json.dumps(told).encode()) == Findings()


@pytest.mark.parametrize(
    ("source", "told", "faults"),
    [
        ("alfatrack", {**FORM, "lead_id": " "}, [("/lead_id", "value_error")]),
        ("alfatrack", {**FORM, "project": {"name": "N"}}, [("/project/id", "missing")]),
        ("alfatrack", {"event": "knowledge"}, [("/lead_id", "missing")]),
        ("alfatrack", [], [("", "model_type")]),
        ("bdk", {"leadId": "1"}, [("/partnerNumber", "missing")]),
        ("bdk", [], [("", "model_type")]),
    ],
)
def test_what_makes_no_lead(source: str, told: Any, faults: Any) -> None:
    found = said(source, told)
    assert (codes(found.faults), found.warnings) == (faults, [])


@pytest.mark.parametrize("source", ["alfatrack", "bdk"])
def test_a_source_of_json_takes_no_xml(source: str) -> None:
    found = said(source, b"<lead/>", "text/xml")
    assert (codes(found.faults), found.warnings) == ([("", "unsupported_type")], [])


@pytest.mark.parametrize(
    ("source", "told", "warnings"),
    [
        ("alfatrack", {**FORM, "occurred_at": "yesterday"}, [("/occurred_at", "value_unread")]),
        (
            "alfatrack",
            {**ALFATRACK_KNOWLEDGE, "parameters": {"city": ["Omsk"], "source": "ads", "other": 1}},
            [("/parameters/city", "value_unread")],
        ),
        (
            "alfatrack",
            {**FORM, "call": {"recording_url": "file:///a"}},
            [("/call/recording_url", "value_unread")],
        ),
        ("bdk", {**BDK["1e"], "createdAt": ["x"]}, [("/createdAt", "value_unread")]),
        (
            "bdk",
            {**BDK["1e"], "customer": {"lastName": "A", "birthDate": "1980-01-01"}},
            [("/customer", "birth_data_left_out")],
        ),
    ],
)
def test_what_will_not_reach_its_field(source: str, told: Any, warnings: Any) -> None:
    found = said(source, told)
    assert (found.faults, codes(found.warnings)) == ([], warnings)


def test_half_of_a_pair_is_read_as_the_normalizer_does() -> None:
    assert said("alfatrack", json.dumps({**FORM, "subject": "\ud83d"}).encode()) == Findings()
