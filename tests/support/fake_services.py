"""Services that answer as a test says, for what asks them over HTTP."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class Fake:
    """Answers by method and path; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        request = Request(scope, receive)
        body = await request.body()
        # The raw path: a quoted slash must not become one.
        key = f"{request.method} {scope['raw_path'].decode().partition('?')[0]}"
        self.asked.append((key, dict(request.query_params), json.loads(body) if body else None))
        await self._response(key)(scope, receive, send)

    def _response(self, key: str) -> Response:
        answer = self.answers.get(key)
        if answer is None:
            problem = {"type": "https://leadbus.dev/problems/not-found", "title": "Not found", "status": 404}
            return JSONResponse(problem, 404)
        if isinstance(answer, Response):
            return answer
        return JSONResponse(answer)
