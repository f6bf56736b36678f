"""``leadbus consent``: what is asked, what is shown, and what stands in no history."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LEAD = "0b7c5d3e-0000-5000-8000-000000000001"
ACT = "0b7c5d3e-0000-5000-8000-00000000000a"
AT = "2026-04-14T16:03:06Z"
STANDING = {"contact": "mailto", "purpose": "*", "state": "withdrawn", "at": AT, "words": None}


@dataclass
class Normalizer:
    """Remembers how it was asked."""

    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.asked.append((request.url.path, await request.json()))
        if request.url.path.endswith("/find"):
            act = {"action": "withdraw", "purposes": [], "told_by": "operator", "actor": "olga"}
            return JSONResponse({"standings": [STANDING], "acts": [act]})
        if request.url.path.endswith("/opt-in"):
            path = "/v1/opt-in/abc"
            return JSONResponse({"path": path, "url": None, "expires_at": AT, "words": "Yes, you may."})
        return JSONResponse({"act_id": ACT, "new": len(self.asked) == 1, "standings": [STANDING]})


@pytest.fixture
def normalizer(served: Any, leadbus: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Normalizer]:
    fake = Normalizer()
    paths = ("/v1/consents", "/v1/consents/find", f"/v1/leads/{LEAD}/opt-in")
    with served(Starlette(routes=[Route(path, fake.answer, methods=["POST"]) for path in paths])) as url:
        monkeypatch.setenv("LEADBUS_NORMALIZER_URL", url)
        yield fake


def test_a_grant_goes_into_the_body(leadbus: Any, normalizer: Normalizer) -> None:
    said = ("--at", AT, "--words", "Yes", "--evidence", "a letter")
    ran = leadbus("consent", "grant", LEAD, "--purpose", "sales", "--purpose", "nurture", *said)
    assert (ran.code, ran.err) == (0, "")
    assert normalizer.asked == [
        (
            "/v1/consents",
            {
                "lead_id": LEAD,
                "action": "grant",
                "purposes": ["sales", "nurture"],
                "at": AT,
                "words": "Yes",
                "evidence": "a letter",
            },
        )
    ]
    assert f"act {ACT} is recorded" in ran.out
    assert "withdrawn" in ran.out


def test_a_withdrawal_is_of_everything_and_its_address_may_be_typed(
    leadbus: Any, normalizer: Normalizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ann@example.org\n"))
    ran = leadbus("consent", "withdraw", "--email", "-")
    assert ran.code == 0
    body = {"email": "ann@example.org", "action": "withdraw", "purposes": []}
    assert normalizer.asked == [("/v1/consents", body)]


def test_a_repeat_is_said_to_be_one(leadbus: Any, normalizer: Normalizer) -> None:
    leadbus("consent", "withdraw", LEAD)
    assert "was recorded before" in leadbus("consent", "withdraw", LEAD).out


def test_where_a_person_stands(leadbus: Any, normalizer: Normalizer) -> None:
    ran = leadbus("consent", "show", "--phone", "312 555 0148", "--country", "US")
    assert normalizer.asked == [("/v1/consents/find", {"phone": "312 555 0148", "country": "US"})]
    assert "withdrawn" in ran.out
    assert "olga" in ran.out
    told = json.loads(leadbus("consent", "show", LEAD, "--json").out)
    assert told["standings"] == [STANDING]


def test_a_link(leadbus: Any, normalizer: Normalizer) -> None:
    ran = leadbus("consent", "link", LEAD, "--days", "7")
    assert normalizer.asked == [(f"/v1/leads/{LEAD}/opt-in", {"purpose": "nurture", "days": 7})]
    assert "/v1/opt-in/abc" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("grant", LEAD), id="a-grant-of-nothing"),
        pytest.param(("withdraw",), id="nobody"),
        pytest.param(("withdraw", LEAD, "--email", "ann@example.org"), id="two-ways"),
        pytest.param(("show", "12"), id="no-lead-id"),
        pytest.param(("link", "12"), id="no-lead-id-of-a-link"),
    ],
)
def test_what_is_not_even_asked(leadbus: Any, normalizer: Normalizer, arguments: Any) -> None:
    ran = leadbus("consent", *arguments)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert normalizer.asked == []
