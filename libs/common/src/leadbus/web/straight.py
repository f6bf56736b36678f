"""Ordinary requests of a busy route go past FastAPI's reading of parameters, a third of their time.

Why: docs/adr/0110-ordinary-requests-go-past-the-framework.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

Handle = Callable[[Request], Awaitable[Response]]


def straight(handle: Handle) -> type[APIRoute]:
    """A class of routes that give requests without a query to `handle`, all others to their endpoint.

    The endpoint is what is documented, so `handle` does with a bare request what the endpoint does with the
    parameters' defaults. What it raises is answered in the same way.
    """

    class StraightRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            by_parameters = super().get_route_handler()

            async def handler(request: Request) -> Response:
                if request.scope["query_string"]:
                    return await by_parameters(request)
                return await handle(request)

            return handler

    return StraightRoute
