"""``leadbus lead find``: whom a number belongs to, asked without leaving it anywhere."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

LEAD = {
    "lead_id": "0b7c5d3e-0000-5000-8000-000000000001",
    "revision": 1,
    "source": "contactatonce",
    "account": "main",
    "dealer": "prairie",
    "state": "delivered",
    "received_at": "2026-04-14T16:03:06Z",
}


@dataclass
class Normalizer:
    """Answers the search with two pages, and remembers how it was asked."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    refusal: Response | None = None

    async def find(self, request: Request) -> Response:
        self.urls.append(str(request.url))
        self.asked.append(await request.json())
        if self.refusal is not None:
            return self.refusal
        if "cursor" in self.asked[-1]:
            return JSONResponse({"items": [{**LEAD, "test": False}], "next_cursor": None})
        return JSONResponse({"items": [{**LEAD, "test": True}], "next_cursor": "more"})


@pytest.fixture
def normalizer(served: Any, leadbus: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Normalizer]:
    fake = Normalizer()
    routes = [Route("/v1/leads/find", fake.find, methods=["POST"])]
    with served(Starlette(routes=routes)) as url:
        monkeypatch.setenv("LEADBUS_NORMALIZER_URL", url)
        yield fake


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_every_filter_goes_into_the_body(leadbus: Any, normalizer: Normalizer) -> None:
    options = ("--vin", "1HGCM82633A004352", "--dealer", "prairie", "--source", "bdk", "--state", "failed")
    ran = leadbus("lead", "find", "--phone", "312 555 0148", "--country", "US", *options, "--no-test")
    assert (ran.code, ran.err) == (0, "")
    assert normalizer.asked[0] == {
        "phone": "312 555 0148",
        "country": "US",
        "vin": "1HGCM82633A004352",
        "dealer": "prairie",
        "source": "bdk",
        "state": "failed",
        "test": False,
        "limit": 50,
    }
    assert normalizer.asked[1] == {**normalizer.asked[0], "cursor": "more", "limit": 49}
    assert all("555" not in url for url in normalizer.urls)


def test_a_test_lead_is_seen_to_be_one(leadbus: Any, normalizer: Normalizer) -> None:
    first, second = leadbus("lead", "find", "--email", "dana@example.com").out.splitlines()[1:]
    assert "TEST" in first
    assert "TEST" not in second


@pytest.mark.parametrize(
    ("options", "text", "asked"),
    [
        (("--phone", "-"), "+13125550148\n", {"phone": "+13125550148"}),
        (("--email", "-"), "dana@example.com", {"email": "dana@example.com"}),
        (
            ("--phone", "-", "--email", "-"),
            "+13125550148\ndana@example.com\n",
            {"phone": "+13125550148", "email": "dana@example.com"},
        ),
        ((), "\ndana@example.com\n", {"email": "dana@example.com"}),
    ],
)
def test_who_is_looked_for_may_come_from_standard_input(
    leadbus: Any, normalizer: Normalizer, monkeypatch: pytest.MonkeyPatch, options: Any, text: Any, asked: Any
) -> None:
    typed(monkeypatch, text)
    assert leadbus("lead", "find", *options, "--limit", "1").code == 0
    assert normalizer.asked == [{**asked, "limit": 1}]


@pytest.mark.parametrize("options", [(), ("--phone", "-")])
def test_nobody_to_look_for_is_said(
    leadbus: Any, normalizer: Normalizer, monkeypatch: pytest.MonkeyPatch, options: Any
) -> None:
    typed(monkeypatch, "")
    ran = leadbus("lead", "find", *options)
    assert (ran.code, len(ran.complaints), normalizer.asked) == (1, 1, [])


def test_a_refusal_is_one_line_without_what_was_asked(leadbus: Any, normalizer: Normalizer) -> None:
    error = {"detail": "no phone number can be read", "code": "phone_unreadable", "pointer": "/phone"}
    normalizer.refusal = JSONResponse({"title": "Not valid", "status": 422, "errors": [error]}, 422)
    ran = leadbus("lead", "find", "--phone", "ask for Bob")
    assert (ran.code, ran.out) == (1, "")
    assert ran.complaints == ["normalizer: Not valid; /phone: no phone number can be read"]
