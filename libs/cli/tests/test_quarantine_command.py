"""`leadbus quarantine` speaks of the normalizer's entries and of what ingest kept, as of one thing."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response

from tests.support.fake_services import Fake

THEIRS = "3f1de8d4-1d0d-4a37-8f2c-5b0d0b1a7e42"
OURS = "5f3ab1c6-5a57-4a27-9d6b-2f2f0f5c9b01"


def read_in_vain(**more: Any) -> dict[str, Any]:
    return {
        "id": THEIRS,
        "raw_id": "theirs/1",
        "source": "contactatonce",
        "account": "main",
        "state": "open",
        "reason": "location_unmapped",
        "field": "dealer.id",
        "quarantined_at": "2026-04-14T16:03:07Z",
    } | more


def never_published() -> dict[str, Any]:
    return {
        "raw_id": OURS,
        "source": "virtualexpo",
        "account": "aero",
        "reason": "undecodable",
        "quarantined_at": "2026-04-14T17:00:00Z",
    }


@pytest.fixture
def kept(fakes: dict[str, Fake]) -> dict[str, Fake]:
    fakes["normalizer"].answers = {
        "GET /v1/quarantine": {"items": [read_in_vain()], "next_cursor": None},
        f"GET /v1/quarantine/{THEIRS}": read_in_vain(),
        f"POST /v1/quarantine/{THEIRS}/discard": read_in_vain(state="discarded"),
    }
    fakes["ingest"].answers = {
        "GET /v1/quarantine": {"items": [never_published()], "next_cursor": None},
        f"GET /v1/quarantine/{OURS}": never_published(),
        f"GET /v1/quarantine/{OURS}/body": Response(b"<leads>", media_type="application/octet-stream"),
        f"POST /v1/quarantine/{OURS}/discard": Response(status_code=204),
    }
    return fakes


def test_both_are_listed_the_newest_first(leadbus: Any, kept: dict[str, Fake]) -> None:
    found = leadbus("quarantine", "list", "--json").json["items"]
    assert [(one["service"], one["id"], one["state"]) for one in found] == [
        ("ingest", OURS, "open"),
        ("normalizer", THEIRS, "open"),
    ]
    assert len(leadbus("quarantine", "list", "--limit", "1", "--json").json["items"]) == 1


def test_at_ingest_there_are_open_ones_only(leadbus: Any, kept: dict[str, Fake]) -> None:
    found = leadbus("quarantine", "list", "--state", "discarded", "--json").json["items"]
    assert [one["service"] for one in found] == ["normalizer"]
    assert kept["ingest"].asked == []
    assert len(leadbus("quarantine", "list", "--all", "--json").json["items"]) == 2


def test_what_one_says_is_shown_while_the_other_is_away(
    leadbus: Any, kept: dict[str, Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADBUS_NORMALIZER_URL", "http://127.0.0.1:9")
    ran = leadbus("quarantine", "list")
    assert (ran.code, len(ran.complaints)) == (1, 1)
    assert OURS in ran.out


def test_with_both_away_there_is_a_line_for_each_and_no_list(
    leadbus: Any, kept: dict[str, Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INGEST", "NORMALIZER"):
        monkeypatch.setenv(f"LEADBUS_{name}_URL", "http://127.0.0.1:9")
    ran = leadbus("quarantine", "list", "--json")
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 2)


def test_a_deployment_may_know_one_of_them_alone(
    leadbus: Any, kept: dict[str, Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADBUS_INGEST_URL")
    ran = leadbus("quarantine", "list", "--json")
    assert (ran.code, [one["id"] for one in ran.json["items"]]) == (0, [THEIRS])


def test_an_entry_is_shown_wherever_it_is(leadbus: Any, kept: dict[str, Fake]) -> None:
    assert leadbus("quarantine", "show", OURS, "--json").json["service"] == "ingest"
    assert leadbus("quarantine", "show", THEIRS, "--json").json["service"] == "normalizer"
    shown = leadbus("quarantine", "show", OURS, "--reveal", "--json").json
    assert (shown["reason"], shown["body"]) == ("undecodable", "<leads>")


def test_an_entry_is_discarded_wherever_it_is(leadbus: Any, kept: dict[str, Fake]) -> None:
    for entry_id, service in ((OURS, "ingest"), (THEIRS, "normalizer")):
        ran = leadbus("quarantine", "discard", entry_id, "--reason", "a test")
        assert (ran.code, ran.out) == (0, f"{entry_id} is discarded\n")
        assert (f"POST /v1/quarantine/{entry_id}/discard", {}, {"reason": "a test"}) in kept[service].asked
    assert leadbus("quarantine", "discard", OURS, "--reason", "a", "--json").json["state"] == "discarded"


def test_what_was_never_published_cannot_be_read_again(leadbus: Any, kept: dict[str, Fake]) -> None:
    ran = leadbus("quarantine", "replay", THEIRS, OURS)
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert "never published (undecodable)" in ran.err
    assert not [asked for fake in kept.values() for asked, _, _ in fake.asked if asked.startswith("POST")]
