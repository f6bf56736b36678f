"""The FastAPI application of a service: what is the same everywhere is built here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI

from leadbus.health import Health
from leadbus.web import documentation, failures, openapi
from leadbus.web.limits import BodyLimit
from leadbus.web.requests import Requests
from leadbus.web.tokens import TokenVerifier

DEFAULT_BODY_LIMIT_BYTES = 1_048_576


def create_app(
    service: str,
    title: str,
    version: str,
    routers: Sequence[APIRouter] = (),
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[Any]] | None = None,
    *,
    verifier: TokenVerifier | None = None,
    health: Health | None = None,
    body_limit_bytes: int = DEFAULT_BODY_LIMIT_BYTES,
    description: str = "",
) -> FastAPI:
    """An application whose every answer that is not a success is a problem document.

    `verifier` serves `require(...)`; without one, routes that need a token answer 503. `health` adds
    `/livez`, `/readyz`, `/metrics`.
    """
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # The framework's own spans and logs would carry request bodies.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = service
    app.state.verifier = verifier
    for router in routers:
        app.include_router(router)
    if health is not None:
        app.include_router(health.router())
    app.include_router(documentation.router(service))
    failures.install(app)
    openapi.install(app)
    app.add_middleware(BodyLimit, limit_bytes=body_limit_bytes)
    app.add_middleware(Requests, service=service)
    return app
