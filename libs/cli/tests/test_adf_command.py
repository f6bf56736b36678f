"""`leadbus adf`, and what `leadbus apply` says of an odd address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from tests.support.fake_services import Fake

PATTERN: dict[str, Any] = {"pattern": "dm{number}@highergear.net", "told": "chart", "vehicles": None}
VENDOR = {"name": "Higher Gear", "patterns": [PATTERN], "profile": "default"}
BARE = {"name": "DX1", "patterns": [], "profile": "dx1"}
PROFILE = {
    "name": "dx1",
    "known": "told",
    "why": "It says so.",
    "form": {"layout": "body", "mime_type": None, "cdata": False},
    "subject": ["dealer_name"],
    "vendors": ["DX1"],
}
BOUNCE: dict[str, Any] = {
    "id": 7,
    "received_at": "2026-04-15T16:00:00Z",
    "kind": "delivery_status",
    "verdict": "permanent",
    "reason": "bad_address",
    "status": "5.1.1",
    "became": "failed",
    "delivery_id": "0b0c0d0e-0000-4000-8000-000000000001",
    "dealer": "prairie-motors",
    "reporting_mta": "mx.relay.example",
    "diagnostic": "smtp; 550 5.1.1 User unknown",
}
REFUSING = {
    "address": "x@crm.example",
    "refusals": 4,
    "reason": "policy",
    "refusing_since": "2026-04-13T09:30:00Z",
    "refused_at": "2026-04-15T16:00:00Z",
    "suspended": True,
    "suspended_at": "2026-04-15T15:00:00Z",
    "probe_at": "2026-04-15T17:00:00Z",
}
NOTICE = {"pointer": "/address", "code": "address_unlike_vendor", "detail": "ask the vendor"}


@pytest.fixture
def mailer(fakes: dict[str, Fake]) -> Fake:
    suggested: dict[str, Any] = {"vendor": "Higher Gear", "address": "dm7@highergear.net", "missing": []}
    change = {"action": "created", "dry_run": True, "diff": [], "document": None, "notices": [NOTICE]}
    fakes["adf-mailer"].answers = {
        "GET /v1/crm-vendors": {"items": [VENDOR, BARE]},
        "GET /v1/crm-profiles": {"items": [PROFILE]},
        "GET /v1/crm-vendors/suggestions": {"items": [PATTERN | suggested]},
        "GET /v1/addresses": {"items": [REFUSING], "next_cursor": None},
        "POST /v1/addresses/x%40crm.example/resume": {"address": "x@crm.example", "due": 2},
        "GET /v1/bounces": {"items": [BOUNCE], "next_cursor": None},
        "GET /v1/bounces/7": BOUNCE,
        "GET /v1/bounces/7/raw": Response(b"Subject: failure notice\r\n\r\nSorry.\r\n"),
        "GET /v1/settings": {
            "items": [{"kind": "AdfRoute", "references": {}, "spec_schema": {"properties": {}}}]
        },
        "PUT /v1/settings/AdfRoute/odd": change,
    }
    for name in ("ingest", "normalizer"):
        fakes[name].answers = {"GET /v1/settings": {"items": []}}
    return fakes["adf-mailer"]


def test_vendors_are_listed_with_their_forms(leadbus: Any, mailer: Fake) -> None:
    ran = leadbus("adf", "vendors")
    assert (ran.code, ran.err) == (0, "")
    assert "Higher Gear" in ran.out
    assert "dm{number}@highergear.net" in ran.out
    assert leadbus("adf", "vendors", "--json").json == {"items": [VENDOR, BARE]}
    assert next(line for line in ran.out.splitlines() if "DX1" in line).split() == ["DX1", "unknown", "dx1"]


def test_profiles_are_listed_with_what_they_say(leadbus: Any, mailer: Fake) -> None:
    ran = leadbus("adf", "profiles")
    assert (ran.code, ran.err) == (0, "")
    assert "layout=body cdata=off subject={dealer_name}" in ran.out
    assert "mime_type" not in ran.out
    assert leadbus("adf", "profiles", "--json").json == {"items": [PROFILE]}


def test_addresses_are_suggested(leadbus: Any, mailer: Fake) -> None:
    command = ("adf", "suggest", "--vendor", "Higher Gear", "--dealer-name", "P", "--dealer-number", "7")
    ran = leadbus(*command)
    assert (ran.code, ran.err) == (0, "")
    assert "dm7@highergear.net" in ran.out
    assert "ask the vendor" in ran.out
    asked = {"vendor": "Higher Gear", "dealer_name": "P", "dealer_number": "7"}
    assert ("GET /v1/crm-vendors/suggestions", asked, None) in mailer.asked
    assert leadbus(*command, "--json").json["items"][0]["address"] == "dm7@highergear.net"


def test_a_vendor_of_whom_no_address_is_known(leadbus: Any, mailer: Fake) -> None:
    mailer.answers["GET /v1/crm-vendors/suggestions"] = {"items": []}
    ran = leadbus("adf", "suggest", "--vendor", "DX1")
    assert (ran.code, ran.err) == (0, "")
    assert "no form of address is known of DX1: ask it" in ran.out


def test_an_unknown_vendor_is_said_in_one_line(leadbus: Any, mailer: Fake) -> None:
    problem = {"type": "x/not-found", "title": "Not found", "status": 404, "detail": "there are Cobalt"}
    mailer.answers["GET /v1/crm-vendors/suggestions"] = JSONResponse(problem, 404)
    ran = leadbus("adf", "suggest", "--vendor", "Acme")
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert "there are Cobalt" in ran.err


def test_apply_warns_and_applies(leadbus: Any, mailer: Fake, tmp_path: Path) -> None:
    file = tmp_path / "route.yaml"
    file.write_text("kind: AdfRoute\nmetadata: {name: odd}\nspec: {dealer: d, address: x@highergear.net}\n")
    ran = leadbus("apply", "-f", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert "warning: address: ask the vendor" in ran.out
    assert leadbus("apply", "-f", str(file), "--json").json["changes"][0]["notices"] == [NOTICE]


def test_bounces_are_listed(leadbus: Any, mailer: Fake) -> None:
    ran = leadbus("adf", "bounces", "--unmatched", "--kind", "delivery_status", "--limit", "5")
    assert (ran.code, ran.err) == (0, "")
    for seen in ("mx.relay.example", "bad_address", "5.1.1", BOUNCE["delivery_id"]):
        assert seen in ran.out
    asked = {"unmatched": "true", "kind": "delivery_status", "limit": "5"}
    assert ("GET /v1/bounces", asked, None) in mailer.asked
    assert leadbus("adf", "bounces", "--json").json == {"items": [BOUNCE]}


def test_one_bounce_is_shown_and_its_bytes_when_asked_for(leadbus: Any, mailer: Fake) -> None:
    ran = leadbus("adf", "bounce", "7")
    assert (ran.code, ran.err) == (0, "")
    assert "User unknown" in ran.out
    assert ("GET /v1/bounces/7/raw", {}, None) not in mailer.asked
    assert leadbus("adf", "bounce", "7", "--raw", "--json").json["body"].startswith("Subject: failure")
    missing = leadbus("adf", "bounce", "8")
    assert (missing.code, missing.out, missing.complaints) == (1, "", ["there is no bounce 8"])


def test_addresses_that_refuse_are_listed_and_resumed(leadbus: Any, mailer: Fake) -> None:
    ran = leadbus("adf", "addresses", "--suspended")
    assert (ran.code, ran.err) == (0, "")
    for seen in ("x@crm.example", "policy", "2026-04-13"):
        assert seen in ran.out
    assert ("GET /v1/addresses", {"suspended": "true", "limit": "50"}, None) in mailer.asked
    resumed = leadbus("adf", "resume-address", "x@crm.example")
    assert (resumed.code, resumed.out.strip()) == (0, "x@crm.example is resumed; 2 leads waited for it")
    for due, told in ((1, "1 lead waited"), (0, "no leads waited")):
        mailer.answers["POST /v1/addresses/x%40crm.example/resume"] = {"address": "x@crm.example", "due": due}
        assert told in leadbus("adf", "resume-address", "x@crm.example").out
    unknown = leadbus("adf", "resume-address", "y@crm.example")
    assert (unknown.code, unknown.out, len(unknown.complaints)) == (1, "", 1)
