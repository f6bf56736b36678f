"""Tokens and answers, without a network: how often what is asked for, and what never shows."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from ingest.bdk.asking import new_client
from ingest.bdk.client import MOST_LEAD_BYTES, BdkClient
from ingest.bdk.outcome import Outcome, Trouble
from ingest.bdk.setting import BdkConnection
from ingest.bdk.tokens import Tokens

CONNECTION = BdkConnection.model_validate(
    {
        "base_url": "https://bank.example",
        "token_url": "https://login.example/token",
        "client_id": "leadbus:crm",
        "client_secret": "env:BDK_SECRET",
        "partner_numbers": ["1"],
    }
)
SECRET = "very/secret+1"


class Bank:
    """Answers by `lead`, gives out tokens that `lets_in` knows, and counts."""

    def __init__(self) -> None:
        self.token_requests: list[httpx2.Request] = []
        self.lead_requests: list[httpx2.Request] = []
        self.good: set[str] = set()
        self.life: Any = 300
        self.lead: Callable[[], httpx2.Response] = lambda: httpx2.Response(200, json={"leadId": "LS-1"})
        self.token: Callable[[], httpx2.Response] | None = None
        self.now = 0.0
        http = new_client()
        http._transport = httpx2.MockTransport(self._streamed)
        self.client = BdkClient(http, Tokens(http, now=lambda: self.now))

    async def _streamed(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._answer(request)
        if not answer.is_closed:
            return answer
        return httpx2.Response(
            answer.status_code, headers=answer.headers, stream=httpx2.ByteStream(answer.content)
        )

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0)
        if request.url.path == "/token":
            self.token_requests.append(request)
            if self.token is not None:
                return self.token()
            token = f"token-{len(self.token_requests)}"
            self.good.add(token)
            return httpx2.Response(200, json={"access_token": token, "expires_in": self.life})
        self.lead_requests.append(request)
        if request.headers["authorization"].removeprefix("Bearer ") not in self.good:
            return httpx2.Response(401)
        return self.lead()

    async def ask(self, lead_id: str = "LS-1") -> Any:
        return await self.client.lead(CONNECTION, lead_id)

    async def trouble(self, lead_id: str = "LS-1") -> Trouble:
        with pytest.raises(Trouble) as told:
            await self.ask(lead_id)
        return told.value


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Bank:
    monkeypatch.setenv("BDK_SECRET", SECRET)
    return Bank()


async def test_many_at_once_wait_for_one_token(bank: Bank) -> None:
    await asyncio.gather(*(bank.ask() for _ in range(20)))
    assert (len(bank.token_requests), len(bank.lead_requests)) == (1, 20)


async def test_the_client_says_who_it_is_encoded_as_in_a_form(bank: Bank) -> None:
    await bank.ask()
    (request,) = bank.token_requests
    told = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    assert told == "leadbus%3Acrm:very%2Fsecret%2B1"
    assert parse_qs(request.content.decode()) == {"grant_type": ["client_credentials"]}


async def test_or_in_the_body(bank: Bank) -> None:
    in_body = CONNECTION.model_copy(update={"client_authentication": "body", "scope": "crm leads"})
    await bank.client.lead(in_body, "LS-1")
    (request,) = bank.token_requests
    assert "authorization" not in request.headers
    assert parse_qs(request.content.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["crm leads"],
        "client_id": ["leadbus:crm"],
        "client_secret": [SECRET],
    }


@pytest.mark.parametrize(("after", "tokens"), [(239, 1), (240, 2)])
async def test_a_token_is_replaced_at_four_fifths_of_its_life(bank: Bank, after: float, tokens: int) -> None:
    await bank.ask()
    bank.now = after
    await bank.ask()
    assert len(bank.token_requests) == tokens


async def test_the_old_token_serves_while_no_new_one_is_to_be_had(bank: Bank) -> None:
    await bank.ask()
    bank.now, bank.token = 250.0, lambda: httpx2.Response(503)
    await bank.ask()
    await bank.ask()
    assert len(bank.token_requests) == 2, "asked again too early"
    bank.now = 301.0
    assert (await bank.trouble()).outcome is Outcome.UNAVAILABLE


async def test_a_withdrawn_token_is_replaced_once_for_all_who_had_it(bank: Bank) -> None:
    await bank.ask()
    bank.good.clear()
    await asyncio.gather(*(bank.ask() for _ in range(10)))
    assert len(bank.token_requests) == 2
    assert len(bank.lead_requests) == 1 + 20


async def test_a_fresh_token_that_is_not_taken_is_a_login_refused(bank: Bank) -> None:
    bank.token = lambda: httpx2.Response(200, json={"access_token": "never-good"})
    trouble = await bank.trouble()
    assert (trouble.outcome, trouble.status) == (Outcome.LOGIN_REFUSED, 401)
    assert (len(bank.token_requests), len(bank.lead_requests)) == (2, 2)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx2.Response(400, json={"error": "invalid_client"}), Outcome.LOGIN_REFUSED),
        (httpx2.Response(401), Outcome.LOGIN_REFUSED),
        (httpx2.Response(403), Outcome.LOGIN_REFUSED),
        (httpx2.Response(404), Outcome.UNAVAILABLE),
        (httpx2.Response(302, headers={"Location": "https://evil.example"}), Outcome.UNAVAILABLE),
        (httpx2.Response(429, headers={"Retry-After": "5"}), Outcome.THROTTLED),
        (httpx2.Response(500), Outcome.UNAVAILABLE),
        (httpx2.Response(200, text="<html>"), Outcome.UNAVAILABLE),
        (httpx2.Response(200, json=[]), Outcome.UNAVAILABLE),
        (httpx2.Response(200, json={"access_token": ""}), Outcome.UNAVAILABLE),
        (httpx2.Response(200, json={"access_token": "a\nb"}), Outcome.UNAVAILABLE),
        (httpx2.Response(200, json={"access_token": 1}), Outcome.UNAVAILABLE),
        (httpx2.Response(200, json={"access_token": "a", "token_type": "mac"}), Outcome.UNAVAILABLE),
        (httpx2.Response(200, json={"access_token": "a", "expires_in": 0}), Outcome.UNAVAILABLE),
        (httpx2.Response(200, json={"access_token": "a", "expires_in": "nan"}), Outcome.UNAVAILABLE),
        (httpx2.Response(200, json={"access_token": "a", "expires_in": [1]}), Outcome.UNAVAILABLE),
        (httpx2.Response(200, content=b"x" * 70_000), Outcome.UNAVAILABLE),
    ],
    ids=range(17),
)
async def test_a_token_endpoint_that_gives_none(
    bank: Bank, answer: httpx2.Response, outcome: Outcome
) -> None:
    bank.token = lambda: answer
    assert (await bank.trouble()).outcome is outcome
    assert bank.lead_requests == []


async def test_who_waits_for_a_login_that_is_refused_does_not_try_it_again(bank: Bank) -> None:
    bank.token = lambda: httpx2.Response(401)
    outcomes = [trouble.outcome for trouble in await asyncio.gather(*(bank.trouble() for _ in range(8)))]
    assert outcomes == [Outcome.LOGIN_REFUSED] * 8
    assert len(bank.token_requests) == 1
    bank.token = None
    await bank.ask()


async def test_a_secret_that_is_gone_asks_nobody(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BDK_SECRET")
    assert (await bank.trouble()).outcome is Outcome.SECRET_UNREADABLE
    assert bank.token_requests == []


@pytest.mark.parametrize(
    ("answer", "outcome", "kept"),
    [
        (httpx2.Response(200, text="<html>"), Outcome.UNREADABLE, b"<html>"),
        (httpx2.Response(200, text=""), Outcome.UNREADABLE, b""),
        (httpx2.Response(200, json={"leadId": "LS-2"}), Outcome.UNREADABLE, b'{"leadId":"LS-2"}'),
        (httpx2.Response(200, content=b"x" * (MOST_LEAD_BYTES + 1)), Outcome.TOO_LARGE, None),
        (httpx2.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx2.ByteStream(b"\x1f")),
         Outcome.UNREADABLE, None),
        (httpx2.Response(302, headers={"Location": "https://evil.example"}), Outcome.REJECTED, None),
        (httpx2.Response(404), Outcome.NOT_FOUND, None),
        (httpx2.Response(503), Outcome.UNAVAILABLE, None),
    ],
    ids=range(8),
)  # fmt: skip
async def test_what_comes_in_place_of_a_lead(
    bank: Bank, answer: httpx2.Response, outcome: Outcome, kept: bytes | None
) -> None:
    bank.lead = lambda: answer
    trouble = await bank.trouble()
    assert (trouble.outcome, trouble.body) == (outcome, kept)
    assert all(request.url.host == "bank.example" for request in bank.lead_requests)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Tue, 14 Apr 2026 12:01:00 GMT", 60.0),
        ("Tue, 14 Apr 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1" * 50, 111_111_111.0),
        ("", None),
    ],
)
async def test_retry_after_is_read_by_the_other_sides_clock(
    bank: Bank, told: str, seconds: float | None
) -> None:
    headers = {"Retry-After": told, "Date": "Tue, 14 Apr 2026 12:00:00 GMT"}
    bank.lead = lambda: httpx2.Response(429, headers=headers)
    trouble = await bank.trouble()
    assert (trouble.outcome, trouble.retry_after_seconds) == (Outcome.THROTTLED, seconds)


async def test_a_503_that_says_when_is_a_request_to_wait(bank: Bank) -> None:
    bank.lead = lambda: httpx2.Response(503, headers={"Retry-After": "9"})
    assert (await bank.trouble()).outcome is Outcome.THROTTLED


async def test_a_page_tells_the_other_sides_time(bank: Bank) -> None:
    bank.lead = lambda: httpx2.Response(200, json=[], headers={"Date": "Tue, 14 Apr 2026 12:00:00 GMT"})
    answer, page = await bank.client.page(CONNECTION, "1", datetime(2026, 4, 1, tzinfo=UTC), 0)
    assert answer.date == datetime(2026, 4, 14, 12, tzinfo=UTC)
    assert page.entries == ()


def _fails() -> httpx2.Response:
    raise httpx2.ReadError("https://bank.example/leads/LS-1?secret")


async def test_a_connection_that_breaks_is_told_by_its_kind_alone(bank: Bank) -> None:
    bank.lead = _fails
    trouble = await bank.trouble()
    assert (trouble.outcome, trouble.detail) == (Outcome.UNREACHABLE, "ReadError")
    assert trouble.__cause__ is None
    assert trouble.__suppress_context__


async def test_neither_secret_nor_token_is_ever_said(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, told = await bank.ask()
    token = await bank.client._tokens.get(CONNECTION)
    said = caplog.text + repr(told) + repr(token) + repr(CONNECTION)
    assert SECRET not in said
    assert "token-1" not in said
