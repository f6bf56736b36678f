"""A limit on request bodies that does not trust `Content-Length`."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leadbus.web.headers import header_of
from leadbus.web.problems import TOO_LARGE, Problem


class BodyTooLarge(HTTPException):
    """An HTTPException, because body readers let that kind pass unchanged."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(413)
        # Without "Connection: close": closing while the sender still sends resets the connection, and the
        # answer is lost. The server throws the rest away as it comes.
        self.problem = Problem(TOO_LARGE, limit_bytes=limit_bytes)


class BodyLimit:
    """Answers 413 as soon as the declared or the counted size exceeds `limit_bytes`.

    (Starlette's own middleware answers in plain text.)
    """

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app = app
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = header_of(scope, b"content-length") or "0"
        if declared.isdigit() and int(declared) > self._limit_bytes:
            await BodyTooLarge(self._limit_bytes).problem.response()(scope, receive, send)
            return
        counted = 0

        async def receive_counted() -> Message:
            nonlocal counted
            message = await receive()
            if message["type"] == "http.request":
                counted += len(message.get("body", b""))
                if counted > self._limit_bytes:
                    raise BodyTooLarge(self._limit_bytes)
            return message

        await self._app(scope, receive_counted, send)
