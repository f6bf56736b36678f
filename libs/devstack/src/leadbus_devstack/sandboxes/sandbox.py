"""One partner: its app, its faults, and a record of what it was asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from fastapi import APIRouter, FastAPI, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROL = "/_sandbox"
"""Below it is the control, beside it the partner."""
_KEPT_BODY_BYTES = 64 * 1024
_KEPT_REQUESTS = 10_000


class Faults(BaseModel):
    """Everything off by default; a partner's own faults are further fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times: int | None = Field(
        None, ge=1, description="How often a fault shows before all are off; None: for good."
    )


class Seen(BaseModel):
    """One request that came: `status` 0 while it is not answered, or when its connection was cut."""

    at: datetime
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str = ""
    status: int = 0


F = TypeVar("F", bound=Faults)


class Sandbox(Generic[F]):
    """A partner's paths go to `app`, further control to `control`; extend `reset` by what is the partner's.

    Routes look at `faults` and call `shown` when one of them showed itself.
    """

    def __init__(self, name: str, faults: type[F], secret: str) -> None:
        self.name = name
        self.secret = secret
        self.requests: list[Seen] = []
        self.app = FastAPI(title=f"Sandbox of {name}", docs_url=None, redoc_url=None)
        self.control = APIRouter(prefix=CONTROL)
        self._kind = faults
        self._shown = 0
        self.faults: F = faults()

    def apply(self, faults: F) -> None:
        """Replace all faults."""
        self.faults, self._shown = faults, 0

    def shown(self) -> None:
        """A fault showed itself once; after `times` of them all are off."""
        self._shown += 1
        if self.faults.times is not None and self._shown >= self.faults.times:
            self.apply(self._kind())

    def reset(self) -> None:
        """As it was started."""
        self.apply(self._kind())
        self.requests.clear()

    def status(self) -> dict[str, Any]:
        return {"name": self.name, "requests": len(self.requests)}

    def served(self) -> ASGIApp:
        """The whole of it, to be served; called once, when all routes are there."""
        self._add_control()
        self.app.include_router(self.control)
        return _Recorded(self.app, self.requests)

    def _add_control(self) -> None:
        kind = self._kind

        @self.control.get("/faults")
        async def read_faults() -> dict[str, Any]:
            return self.faults.model_dump(mode="json")

        @self.control.put("/faults")
        async def set_faults(faults: dict[str, Any]) -> dict[str, Any]:
            try:
                self.apply(kind.model_validate(faults))
            except ValidationError as error:
                raise HTTPException(422, str(error)) from None
            return self.faults.model_dump(mode="json")

        @self.control.delete("/faults", status_code=204)
        async def clear_faults() -> Response:
            self.apply(kind())
            return Response(status_code=204)

        @self.control.get("/requests")
        async def all_requests() -> list[Seen]:
            return self.requests

        @self.control.post("/reset", status_code=204)
        async def reset() -> Response:
            self.reset()
            return Response(status_code=204)

        @self.control.get("/status")
        async def status() -> dict[str, Any]:
            return self.status()


class _Recorded:
    """Notes each request to the partner before it is answered: one that is never answered shows too."""

    def __init__(self, app: ASGIApp, requests: list[Seen]) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self._app(scope, receive, send)
            return
        seen = _seen(scope)
        self._requests.append(seen)
        del self._requests[:-_KEPT_REQUESTS]
        body = bytearray()

        async def received() -> Message:
            message = await receive()
            body.extend(message.get("body", b"")[: _KEPT_BODY_BYTES - len(body)])
            seen.body = body.decode("utf-8", "replace")
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
            await send(message)

        await self._app(scope, received, sent)


def _seen(scope: Scope) -> Seen:
    return Seen(
        at=datetime.now(UTC),
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("ascii", "replace"),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
    )
