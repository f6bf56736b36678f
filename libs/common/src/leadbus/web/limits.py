"""A limit on request bodies that does not trust `Content-Length`."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leadbus.web.problems import TOO_LARGE, Problem


class _TooLarge(HTTPException):
    """An HTTPException, because body readers let that kind pass unchanged."""

    def __init__(self) -> None:
        super().__init__(413)


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
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > self._limit_bytes:
            await self._refuse(scope, receive, send)
            return
        counted = 0
        answered = False

        async def receive_counted() -> Message:
            nonlocal counted
            message = await receive()
            if message["type"] == "http.request":
                counted += len(message.get("body", b""))
                if counted > self._limit_bytes:
                    raise _TooLarge
            return message

        async def send_watched(message: Message) -> None:
            nonlocal answered
            answered = answered or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive_counted, send_watched)
        except _TooLarge:
            if answered:
                raise
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The rest of the body is not read, so the connection cannot be used again.
        problem = Problem(TOO_LARGE, headers={"Connection": "close"}, limit_bytes=self._limit_bytes)
        await problem.response()(scope, receive, send)
