"""Moments without an offset, by the clock at the dealer's: cases Z1.. of RULES.md, by their ids."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from leadbus.contracts.examples import CONTACTATONCE
from leadbus.contracts.lead import Dealer, Lead
from normalizer.domain.draft import Draft
from normalizer.domain.placing import Origin, place
from normalizer.domain.way import NO_WAY
from normalizer.sources import read

CHICAGO, BERLIN = "America/Chicago", "Europe/Berlin"
WRITTEN = "2026-04-14T10:00:00"


def _placed(source: str, body: bytes, content_type: str, zone: str | None) -> Lead:
    dealer = Dealer(dealer_id="d", name="Dealer", time_zone=zone)
    origin = Origin(source, "a", datetime(2026, 4, 15, tzinfo=UTC))
    draft = read(source, body, content_type, NO_WAY)
    assert isinstance(draft, Draft)
    return place(draft, origin, dealer)


def _chat(zone: str | None, lead_type: str = "Chat", /, **told: Any) -> Lead:
    body = {**json.loads(json.dumps(CONTACTATONCE[lead_type])), **told}
    return _placed("contactatonce", json.dumps(body).encode(), "application/json", zone)


def _adf(zone: str | None, written: str) -> Lead:
    body = f"""<adf><prospect><id source="s">1</id><requestdate>{written}</requestdate>
<customer><contact><email>a@b.example</email></contact></customer>
<vendor><vendorname>D</vendorname></vendor></prospect></adf>"""
    return _placed("adf", body.encode(), "application/xml", zone)


def _codes(lead: Lead, field: str = "occurred_at") -> list[str]:
    return [warning.code for warning in lead.warnings if warning.field == field]


@pytest.mark.parametrize(
    ("written", "zone", "at"),
    [
        pytest.param(WRITTEN, CHICAGO, "2026-04-14T10:00:00-05:00", id="Z1"),
        pytest.param(WRITTEN, BERLIN, "2026-04-14T10:00:00+02:00", id="Z2"),
        pytest.param("2026-12-14T10:00:00", BERLIN, "2026-12-14T10:00:00+01:00", id="Z3"),
        pytest.param("2026-10-25T02:30:00", BERLIN, "2026-10-25T02:30:00+02:00", id="Z4"),
    ],
)
def test_a_moment_without_an_offset_is_the_dealers_clock(written: str, zone: str, at: str) -> None:
    chat, adf = _chat(zone, occurred_at=written), _adf(zone, written)
    for lead in (chat, adf):
        assert lead.occurred_at is not None
        assert lead.occurred_at.isoformat() == at
        assert lead.consent.at == lead.occurred_at
        assert _codes(lead) == ["zone_assumed"]
        assert lead.extras["occurred_at"] == written


def test_without_a_zone_it_stays_as_the_source_tells_it() -> None:
    """Z5."""
    assert _codes(_chat(None, occurred_at=WRITTEN)) == ["value_unread"]
    told = _adf(None, WRITTEN)
    assert (told.occurred_at, _codes(told)) == (datetime(2026, 4, 14, 10, tzinfo=UTC), ["zone_assumed"])


@pytest.mark.parametrize("zone", [CHICAGO, BERLIN, None])
def test_an_offset_that_is_told_counts(zone: str | None) -> None:
    """Z6."""
    at = datetime(2026, 4, 14, 16, tzinfo=UTC)
    for lead in (_chat(zone, occurred_at="2026-04-14T11:00:00-05:00"), _adf(zone, "2026-04-14T11:00:00 CDT")):
        assert (lead.occurred_at, _codes(lead)) == (at, [])


def test_a_call_began_by_the_dealers_clock_and_so_did_the_lead() -> None:
    """Z7."""
    call = {**CONTACTATONCE["TrackedCall"]["call"], "started_at": WRITTEN}
    lead = _chat(CHICAGO, "TrackedCall", occurred_at=None, call=call)
    assert lead.call is not None
    assert lead.call.started_at == lead.occurred_at == datetime(2026, 4, 14, 15, tzinfo=UTC)
    assert _codes(lead, "call.started_at") == ["zone_assumed"]


@pytest.mark.parametrize("written", ["yesterday", "2026-04-14", "0001-01-01T00:00:00", "9999-12-31T23:59:59"])
def test_what_no_clock_shows_stays_unread(written: str) -> None:
    """Z8."""
    assert _codes(_chat(CHICAGO, occurred_at=written)) == ["value_unread"]


def test_a_day_alone_begins_where_the_dealer_is() -> None:
    """Z9: the doubt that weighs more is told."""
    lead = _adf(CHICAGO, "2026-04-14")
    assert (lead.occurred_at, _codes(lead)) == (datetime(2026, 4, 14, 5, tzinfo=UTC), ["time_of_day_missing"])


def test_a_lead_without_an_id_is_the_same_one_whatever_the_dealers_clock() -> None:
    """Z10."""
    body = b"""<adf><prospect><requestdate>2026-04-14T10:00:00</requestdate><customer><contact>
<email>a@b.example</email></contact></customer><vendor><vendorname>D</vendorname></vendor></prospect></adf>"""
    ids = {_placed("adf", body, "application/xml", zone).lead_id for zone in (CHICAGO, BERLIN, None)}
    assert len(ids) == 1


def test_a_tracker_that_tells_no_offset() -> None:
    """Z11."""
    body = {
        "event": "lead",
        "lead_id": "1",
        "type": "form",
        "project": {"id": "p"},
        "occurred_at": WRITTEN,
        "detected_at": WRITTEN,
    }
    lead = _placed("alfatrack", json.dumps(body).encode(), "application/json", CHICAGO)
    assert lead.occurred_at == lead.detected_at == datetime(2026, 4, 14, 15, tzinfo=UTC)


def test_lines_of_a_chat_were_said_by_that_clock() -> None:
    """Z12: and a lead that tells no other moment happened when the first was."""
    lines = [
        {"at": "2026-04-14T10:00:00", "speaker": "customer", "text": "Hello"},
        {"at": "2026-04-14T11:00:05-05:00", "speaker": "agent", "text": "Hi"},
    ]
    lead = _chat(CHICAGO, occurred_at=None, transcript=lines)
    told = [line.at for line in lead.transcript]
    assert told == [datetime(2026, 4, 14, 15, tzinfo=UTC), datetime(2026, 4, 14, 16, 0, 5, tzinfo=UTC)]
    assert _codes(lead, "transcript.0.at") == ["zone_assumed"]
    (only,) = _chat(CHICAGO, occurred_at=None, transcript=[lines[0], {**lines[0], "text": " "}]).transcript
    assert only.at is None, "of a transcript with empty lines nothing is guessed"
    assert _chat(CHICAGO, occurred_at=None, transcript=lines[:1]).occurred_at == told[0]
