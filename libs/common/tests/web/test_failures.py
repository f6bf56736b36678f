"""Whatever goes wrong is a problem document that says nothing of what was sent."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from leadbus import log
from leadbus.db import DatabaseUnavailable
from leadbus.web import Actor, Problem, TokenVerifier, create_app, require, sign_token
from leadbus.web.tokens import StaticKey
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

KEY = SecretStr("0123456789abcdef0123456789abcdef")
LIMIT_BYTES = 1000
PLANTED = "john.planted@example.com"


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    email: str = Field(max_length=10)
    parts: list[dict[str, int]] = []
    word: str = "ok"

    @field_validator("word")
    @classmethod
    def _known(cls, word: str) -> str:
        if word != "ok":
            raise ValueError("not a word of ours")
        return word


def app() -> FastAPI:
    router = APIRouter()

    @router.post("/v1/orders/{number}")
    async def order(number: int, order: Order) -> Order:
        return order

    @router.get("/v1/away")
    async def away() -> None:
        raise DatabaseUnavailable("pool is not open")

    @router.get("/v1/timeout")
    async def timeout() -> None:
        raise TimeoutError

    @router.get("/v1/broken")
    async def broken() -> None:
        raise ValueError(f"{PLANTED} broke it")

    @router.get("/metrics")
    async def metrics() -> None:
        raise ValueError(f"{PLANTED} broke it")

    @router.get("/v1/teapot")
    async def teapot() -> None:
        from starlette.exceptions import HTTPException

        raise HTTPException(418, "detail of a library")

    @router.get("/v1/unauthorised")
    async def own_problem() -> None:
        raise Problem("conflict", "it is closed", state="closed")

    @router.get("/v1/operators")
    async def operators(actor: Annotated[Actor, require("operator")]) -> str:
        return actor.subject

    verifier = TokenVerifier(StaticKey(KEY))
    return create_app("test", "Test", "1", [router], verifier=verifier, body_limit_bytes=LIMIT_BYTES)


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    written = io.StringIO()
    log.configure("test", stream=written)
    yield written
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    log.unconfigured()


def slug(response: httpx2.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    assert document["title"]
    base, _, name = document["type"].rpartition("/")
    assert base == "https://leadbus.dev/problems"
    return str(name)


JSON = {"content-type": "application/json"}
XML = {"content-type": "application/xml"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "kind"),
    [
        ("GET", "/nowhere", {}, b"", 404, "not-found"),
        ("GET", "/v1/orders/1/", {}, b"", 404, "not-found"),
        ("DELETE", "/v1/away", {}, b"", 405, "method-not-allowed"),
        ("POST", "/v1/orders/1", JSON, b"{", 400, "malformed-body"),
        ("POST", "/v1/orders/1", JSON, b"\xff\xfe{", 400, "bad-request"),
        ("POST", "/v1/orders/1", JSON, b"[" * 900, 400, "malformed-body"),
        ("POST", "/v1/orders/1", XML, b"<a/>", 415, "unsupported-media-type"),
        ("POST", "/v1/orders/1", {}, b"{}", 415, "unsupported-media-type"),
        ("POST", "/v1/orders/1", JSON, b"", 422, "invalid"),
        ("POST", "/v1/orders/1", JSON, b"{}", 422, "invalid"),
        ("POST", "/v1/orders/x", JSON, b'{"email": "a"}', 422, "invalid"),
        ("POST", "/v1/orders/1", JSON, b'"%s"' % (b"x" * LIMIT_BYTES), 413, "too-large"),
        ("GET", "/v1/away", {}, b"", 503, "unavailable"),
        ("GET", "/v1/timeout", {}, b"", 503, "unavailable"),
        ("GET", "/v1/broken", {}, b"", 500, "internal"),
        ("GET", "/v1/teapot", {}, b"", 418, "http"),
        ("GET", "/v1/unauthorised", {}, b"", 409, "conflict"),
        ("GET", "/v1/operators", {}, b"", 401, "unauthenticated"),
        ("GET", "/v1/operators", {"authorization": "Basic YTpi"}, b"", 401, "unauthenticated"),
        ("GET", "/v1/operators", {"authorization": "Bearer x"}, b"", 401, "unauthenticated"),
    ],
)
async def test_every_failure_is_a_problem(
    http: httpx2.AsyncClient,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
    kind: str,
) -> None:
    response = await http.request(method, path, headers=headers, content=body)
    assert (response.status_code, slug(response)) == (status, kind)


async def test_what_answers_carry(http: httpx2.AsyncClient) -> None:
    assert (await http.delete("/v1/away")).headers["allow"] == "GET"
    assert (await http.get("/v1/away")).headers["retry-after"] == "5"
    assert (await http.get("/v1/operators")).headers["www-authenticate"] == "Bearer"
    assert (await http.post("/v1/orders/1", headers=JSON, content=b'{"a":')).json()["position"] == 5
    assert (await http.get("/v1/unauthorised")).json()["state"] == "closed"


async def test_validation_errors_point_and_do_not_echo(http: httpx2.AsyncClient) -> None:
    sent = {"email": PLANTED, "parts": [{"a": 1}, {"b/c": PLANTED}], "word": PLANTED, "more": PLANTED}
    response = await http.post("/v1/orders/1", json=sent)
    assert {(error["pointer"], error["code"]) for error in response.json()["errors"]} == {
        ("/email", "string_too_long"),
        ("/parts/1/b~1c", "int_parsing"),
        ("/word", "value_error"),
        ("/more", "extra_forbidden"),
    }
    assert "planted" not in response.text
    parameter = await http.post(f"/v1/orders/{PLANTED}", json={"email": "a"})
    assert [error["parameter"] for error in parameter.json()["errors"]] == ["number"]
    assert "planted" not in parameter.text


async def test_a_body_without_declared_length_is_counted(http: httpx2.AsyncClient) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 100 * LIMIT_BYTES:
            taken += 100
            yield b" " * 100

    response = await http.post("/v1/orders/1", headers=JSON, content=endless())
    assert (response.status_code, slug(response)) == (413, "too-large")
    assert response.json()["limit_bytes"] == LIMIT_BYTES
    exactly = await http.post("/v1/orders/1", headers=JSON, content=b'{"email":"a"}'.ljust(LIMIT_BYTES))
    assert exactly.status_code == 200


async def test_a_body_is_not_read_past_the_limit() -> None:
    """ASGI by hand: after the limit nothing more is asked of the client."""
    asked = 0
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b" " * 400, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/orders/1",
        "raw_path": b"/v1/orders/1",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"5")],
        "server": ("test", 80),
        "client": ("test", 1),
        "scheme": "http",
        "root_path": "",
    }
    await app()(scope, receive, send)
    assert sent[0]["status"] == 413
    assert asked == 3


@pytest.mark.parametrize("path", ["/v1/broken", "/metrics"], ids=["ordinary", "of-the-platform"])
async def test_500_says_nothing_and_the_log_says_where(
    http: httpx2.AsyncClient, lines: io.StringIO, path: str
) -> None:
    response = await http.get(path, headers={"X-Correlation-Id": "trace-me-0001"})
    assert response.headers["x-correlation-id"] == "trace-me-0001"
    assert "planted" not in response.text
    (line,) = [json.loads(written) for written in lines.getvalue().splitlines()]
    assert (line["event"], line["route"], line["status"]) == ("http.request", path, 500)
    assert line["correlation_id"] == "trace-me-0001"
    assert line["exception"]["kind"] == "ValueError"
    assert any("test_failures.py" in frame for frame in line["exception"]["frames"])
    assert "planted" not in lines.getvalue()


async def test_one_wide_line_per_request_with_the_route_not_the_path(
    http: httpx2.AsyncClient, lines: io.StringIO
) -> None:
    token = sign_token(KEY, "anna", "viewer")
    await http.post("/v1/orders/4711?secret=x", json={"email": "a@b.c"})
    await http.get("/v1/operators", headers={"Authorization": f"Bearer {token}"})
    await http.get("/v1/customers/4711")
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["method"], line["route"], line["status"], line["outcome"]) for line in written] == [
        ("POST", "/v1/orders/{number}", 200, "ok"),
        ("GET", "/v1/operators", 403, "refused"),
        ("GET", "unmatched", 404, "refused"),
    ]
    assert written[1]["actor"] == "anna"
    assert written[1]["problem"] == "forbidden"
    assert all(line["duration_ms"] >= 0 for line in written)
    assert "4711" not in lines.getvalue()
    assert "secret" not in lines.getvalue()
    assert token not in lines.getvalue()


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space in it", "line\u2028break"])
async def test_a_strange_correlation_id_is_replaced(http: httpx2.AsyncClient, given: str) -> None:
    response = await http.get("/docs", headers={b"X-Correlation-Id": given.encode()})
    assert response.headers["x-correlation-id"] != given
    assert len(response.headers["x-correlation-id"]) == 36


async def test_roles_include_the_ones_below(http: httpx2.AsyncClient) -> None:
    statuses = {}
    for role in ("viewer", "operator", "admin"):
        token = sign_token(KEY, "anna", role)
        response = await http.get("/v1/operators", headers={"Authorization": f"Bearer {token}"})
        statuses[role] = response.status_code
    assert statuses == {"viewer": 403, "operator": 200, "admin": 200}


async def test_answers_are_safe_in_a_browser(http: httpx2.AsyncClient) -> None:
    for path in ("/v1/away", "/openapi.json", "/nowhere"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]


async def test_the_pages_need_no_other_host(http: httpx2.AsyncClient) -> None:
    for path, named in (("/docs", "/v1/orders/{number}"), ("/docs/asyncapi", "lead.received.v1")):
        page = await http.get(path)
        assert page.status_code == 200
        assert named in page.text
        assert "<script" not in page.text
        assert "src=" not in page.text
        assert "<link" not in page.text
