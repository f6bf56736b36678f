"""`leadbus virtualexpo` and `leadbus bdk`: what is fetched from partners."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import JSONResponse

from tests.support.fake_services import Fake

ATTEMPT = "3f1de8d4-1d0d-4a37-8f2c-5b0d0b1a7e42"
READ = "5f3ab1c6-5a57-4a27-9d6b-2f2f0f5c9b01"
EXPO, BANK = "/v1/virtualexpo", "/v1/bdk"
SOON = {"due_at": "2026-04-14T18:03:07Z", "last_attempt_at": "2026-04-14T16:03:07Z"}


def attempt(**more: Any) -> dict[str, Any]:
    return {
        "attempt_id": ATTEMPT,
        "subscription": "aero",
        "trial": True,
        "started_at": "2026-04-14T16:03:07Z",
        "outcome": "partial",
        "code": "count_mismatch",
        "http_status": 200,
        "leads": 3,
        "new_leads": 3,
        "quarantine_id": None,
        "faults": [{"code": "count_mismatch", "line": 41}],
        "report": {
            "leads": 3,
            "not_selected": 1,
            "fields": {"buyer/email": 2},
            "faults": [{"rule": "cvc_enumeration_valid", "path": "product/@*", "leads": 2}],
        },
    } | more


def connection(**more: Any) -> dict[str, Any]:
    return {
        "name": "bank",
        "enabled": True,
        "state": "needs_person",
        "needs_person": ["forbidden"],
        "not_before": None,
        "failures": 0,
        "waiting": {"held": 2},
        "oldest_due": None,
        "lists": [{"partner_number": "0047110", "outcome": "forbidden", "status": 403, "failures": 1}],
    } | more


@pytest.fixture
def ingest(fakes: dict[str, Fake]) -> Fake:
    fakes["ingest"].answers = {
        f"GET {EXPO}/subscriptions": {"items": [{"name": "aero", "last_outcome": "succeeded"}]},
        f"GET {EXPO}/subscriptions/aero": {"name": "aero"},
        f"GET {EXPO}/subscriptions/aero/trial": attempt(),
        f"POST {EXPO}/subscriptions/aero/fetch": JSONResponse(SOON, 202),
        f"GET {EXPO}/attempts": {"items": [attempt()]},
        f"GET {EXPO}/attempts/{ATTEMPT}": attempt(report=None),
        f"GET {BANK}/connections": {"items": [connection()]},
        f"GET {BANK}/connections/bank": connection(),
        f"POST {BANK}/connections/bank/resume": connection(state="well", needs_person=[]),
        f"POST {BANK}/connections/bank/reconcile": connection(),
        f"GET {BANK}/reads": {"items": [{"read_id": READ, "lead_id": "LS-1", "state": "held"}]},
        f"POST {BANK}/reads/{READ}/retry": JSONResponse(None, 202),
        f"POST {BANK}/reads/{READ}/discard": JSONResponse(None, 202),
    }
    return fakes["ingest"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("virtualexpo", "list"), ["aero", "succeeded"]),
        (("virtualexpo", "attempts"), [ATTEMPT, "partial", "count_mismatch"]),
        (("virtualexpo", "attempt", ATTEMPT), [ATTEMPT, "document", "41"]),
        (
            ("virtualexpo", "trial", "aero"),
            ["report, in numbers of leads", "buyer/email", "cvc_enumeration_valid"],
        ),
        (("virtualexpo", "fetch", "aero"), ["aero is fetched at 2026-04-14 18:03:07"]),
        (("bdk", "list"), ["bank", "needs_person", "forbidden"]),
        (("bdk", "show", "bank"), ["forbidden", "0047110", "403"]),
        (("bdk", "resume", "bank"), ["well"]),
        (("bdk", "reconcile", "bank"), ["0047110"]),
        (("bdk", "reads"), [READ, "LS-1", "held"]),
        (("bdk", "retry", READ), [f"{READ} is fetched again"]),
        (("bdk", "discard", READ), [f"{READ} is discarded"]),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_each_says_what_is_there_to_people_and_to_programs(
    leadbus: Any, ingest: Fake, command: tuple[str, ...], said: list[str]
) -> None:
    ran = leadbus(*command)
    assert (ran.code, ran.err) == (0, "")
    for word in said:
        assert word in ran.out
    assert leadbus(*command, "--json").json


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (
            ("virtualexpo", "attempts", "aero", "--outcome", "failed", "--code", "html_answer"),
            (
                f"GET {EXPO}/attempts",
                {"subscription": "aero", "outcome": "failed", "code": "html_answer", "limit": "50"},
                None,
            ),
        ),
        (
            ("bdk", "reads", "--connection", "bank", "--state", "held", "--lead", "LS-1"),
            (
                f"GET {BANK}/reads",
                {"connection": "bank", "state": "held", "lead_id": "LS-1", "limit": "50"},
                None,
            ),
        ),
        (
            ("bdk", "reconcile", "bank", "--since", "2026-04-14T00:00:00+02:00"),
            (f"POST {BANK}/connections/bank/reconcile", {}, {"since": "2026-04-14T00:00:00+02:00"}),
        ),
    ],
    ids=["attempts", "reads", "reconcile"],
)
def test_options_are_passed_on(leadbus: Any, ingest: Fake, command: tuple[str, ...], asked: Any) -> None:
    assert leadbus(*command).code == 0
    assert asked in ingest.asked


@pytest.mark.parametrize(
    "command",
    [
        ("virtualexpo", "attempt", READ),
        ("virtualexpo", "attempt", "../keys"),
        ("virtualexpo", "trial", "nothing"),
        ("virtualexpo", "fetch", "nothing"),
        ("bdk", "show", "nobody"),
        ("bdk", "resume", "nobody"),
        ("bdk", "reconcile", "nobody"),
        ("bdk", "retry", ATTEMPT),
        ("bdk", "retry", "../x"),
        ("bdk", "discard", ATTEMPT),
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_said_in_one_line(leadbus: Any, ingest: Fake, command: tuple[str, ...]) -> None:
    ran = leadbus(*command)
    assert (ran.code, ran.out, len(ran.complaints)) == (1, "", 1)
    assert not [asked for asked, _, _ in ingest.asked if asked.endswith(("fetch", "resume", "reconcile"))]
