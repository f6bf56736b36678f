"""What every request passes: correlation id, one wide line, counters, safe headers, no naked error."""

from __future__ import annotations

import re
import time
import uuid
from http import HTTPMethod

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leadbus import metrics
from leadbus.log import Wide, wide
from leadbus.web.failures import problem_of
from leadbus.web.headers import header_of

CORRELATION_HEADER = "X-Correlation-Id"
_CORRELATION = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})
_STATUSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_ROUTES = metrics.configured("route templates of the service, or `unmatched`", 300)

REQUESTS = metrics.counter(
    "leadbus_http_requests_total",
    "HTTP requests answered.",
    labels={"route": _ROUTES, "method": tuple(HTTPMethod), "status": _STATUSES},
)
DURATION = metrics.histogram(
    "leadbus_http_request_duration_seconds", "Time to answer an HTTP request.", labels={"route": _ROUTES}
)

_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
_CORRELATION_NAME = CORRELATION_HEADER.lower().encode()


class Requests:
    """Outermost middleware. Says the route's template, never the path: paths carry ids of strangers."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id = _correlation_id(header_of(scope, _CORRELATION_NAME))
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        bound = structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        try:
            await self._answer(_Exchange(scope, send, correlation_id), scope, receive)
        finally:
            structlog.contextvars.reset_contextvars(**bound)

    async def _answer(self, exchange: _Exchange, scope: Scope, receive: Receive) -> None:
        if scope["path"] in _QUIET:
            await exchange.run(self._app, receive)
            if exchange.failed:
                with wide("http.request", method=scope["method"]) as line:
                    exchange.say(line)
            return
        with wide("http.request", method=scope["method"]) as line:
            try:
                await exchange.run(self._app, receive)
            finally:
                exchange.say(line)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, correlation_id: str) -> None:
        self._scope = scope
        self._send = send
        self._correlation_id = correlation_id
        self._started = time.perf_counter()
        self._status: int | None = None
        self._response_bytes = 0
        self._failure: Exception | None = None

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        try:
            await app(self._scope, receive, self._watch)
        except Exception as error:
            self._failure = error
            if self._status is not None:
                raise
            await problem_of(error).response()(self._scope, receive, self._watch)
        finally:
            self._count()

    @property
    def failed(self) -> bool:
        """Something was raised that no route answered."""
        return self._failure is not None

    def say(self, line: Wide) -> None:
        status = self._status or 0
        line["route"] = self._route
        line["status"] = status
        line["response_bytes"] = self._response_bytes
        actor = self._scope.get("state", {}).get("actor")
        if actor is not None:
            line["actor"] = actor.subject
        problem = self._scope.get("state", {}).get("problem")
        if problem is not None:
            line["problem"] = problem
        line.setdefault(
            "outcome", "error" if status >= 500 or not status else "ok" if status < 400 else "refused"
        )
        if self._failure is not None:
            line["exc_info"] = self._failure

    async def _watch(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            given = [header for header in message.get("headers", ()) if header[0] != _CORRELATION_NAME]
            names = {name for name, _ in given}
            given.append((_CORRELATION_NAME, self._correlation_id.encode("latin-1")))
            given += [header for header in _SAFE_HEADERS if header[0] not in names]
            message["headers"] = given
        elif message["type"] == "http.response.body":
            self._response_bytes += len(message.get("body", b""))
        await self._send(message)

    def _count(self) -> None:
        REQUESTS.labels(
            route=self._route, method=self._scope["method"], status=f"{(self._status or 500) // 100}xx"
        ).inc()
        DURATION.labels(route=self._route).observe(time.perf_counter() - self._started)

    @property
    def _route(self) -> str:
        return getattr(self._scope.get("route"), "path", None) or "unmatched"


def _correlation_id(given: str | None) -> str:
    return given if given and _CORRELATION.match(given) else str(uuid.uuid4())
