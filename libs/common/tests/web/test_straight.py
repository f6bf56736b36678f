"""Requests that go past the reading of parameters are answered like those that do not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from leadbus.web import Problem, create_app, straight
from leadbus.web.problems import CONFLICT


def _app() -> FastAPI:
    async def bring(request: Request, name: str, loud: bool = False) -> Response:
        if name == "problem":
            raise Problem(CONFLICT)
        if name == "defect":
            raise ValueError(name)
        return Response(f"{name} {loud} {len(await request.body())}", 202)

    async def plainly(request: Request) -> Response:
        answer = await bring(request, request.path_params["name"])
        answer.headers["X-Way"] = "plain"
        return answer

    router = APIRouter()
    router.add_api_route("/things/{name}", bring, methods=["POST"], route_class_override=straight(plainly))
    return create_app("things", "Things", "1", [router], body_limit_bytes=100)


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(_app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://things") as client:
        yield client


async def test_only_without_a_query(http: httpx2.AsyncClient) -> None:
    plain = await http.post("/things/ball", content=b"123")
    assert (plain.status_code, plain.text, plain.headers.get("x-way")) == (202, "ball False 3", "plain")
    asked = await http.post("/things/ball?loud=true", content=b"123")
    assert (asked.status_code, asked.text, asked.headers.get("x-way")) == (202, "ball True 3", None)
    wrong = await http.post("/things/ball?loud=perhaps")
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (422, "loud")


@pytest.mark.parametrize(
    ("name", "body", "status"), [("problem", b"", 409), ("defect", b"", 500), ("ball", b"1" * 101, 413)]
)
async def test_failures_and_limits_are_the_same_both_ways(
    http: httpx2.AsyncClient, name: str, body: bytes, status: int
) -> None:
    answers = [await http.post(f"/things/{name}{query}", content=body) for query in ("", "?loud=true")]
    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].text == answers[1].text
    assert _named(answers[0].headers) == _named(answers[1].headers)
    assert answers[0].headers["content-type"] == "application/problem+json"


def _named(headers: Mapping[str, Any]) -> dict[str, Any]:
    assert headers["x-correlation-id"]
    return {name: value for name, value in headers.items() if name != "x-correlation-id"}


def test_it_is_documented_as_the_endpoint() -> None:
    operation = _app().openapi()["paths"]["/things/{name}"]["post"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["name", "loud"]
