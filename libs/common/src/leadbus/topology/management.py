"""The part of RabbitMQ's management API that the topology needs."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

_TIMEOUT_SECONDS = 10.0


class ManagementError(Exception):
    """The management API is away or refuses; the message says which call and why."""


class Management:
    """One virtual host seen through the management API. Everything raises ManagementError."""

    def __init__(self, url: str, vhost: str) -> None:
        try:
            address = httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise ManagementError(f"its address cannot be read: {error}") from error
        self._vhost = quote(vhost, safe="")
        self._client = httpx2.AsyncClient(
            base_url=address.copy_with(username=None, password=None, path="/"),
            auth=(address.username or "guest", address.password or "guest"),
            timeout=_TIMEOUT_SECONDS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def exchanges(self) -> dict[str, dict[str, Any]]:
        return {found["name"]: found for found in await self._list("exchanges")}

    async def queues(self) -> dict[str, dict[str, Any]]:
        """By name. `effective_policy_definition` may be missing, or old by a few seconds, on a new queue.

        The broker's statistics follow its state by up to 5 s on 3.10, and only they have that field; the
        rest comes from a listing without them.
        """
        with_statistics = {found["name"]: found for found in await self._list("queues")}
        now = await self._list("queues", disable_stats="true", enable_queue_totals="true")
        return {found["name"]: {**with_statistics.get(found["name"], {}), **found} for found in now}

    async def has_operator_policies(self) -> bool:
        return bool(await self._list("operator-policies"))

    async def bindings(self) -> list[dict[str, Any]]:
        return await self._list("bindings")

    async def set_policy(self, name: str, policy: dict[str, Any]) -> None:
        await self._call("PUT", f"policies/{self._vhost}/{quote(name, safe='')}", policy)

    async def _list(self, what: str, **query: str) -> list[dict[str, Any]]:
        path = f"{what}/{self._vhost}"
        answer = await self._call("GET", path, query=query)
        try:
            found: list[dict[str, Any]] = answer.json()
        except ValueError as error:
            raise ManagementError(f"GET /api/{path}: the answer is not JSON; is this the API?") from error
        return found

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> httpx2.Response:
        call = f"{method} /api/{path}"
        try:
            answer = await self._client.request(method, f"api/{path}", json=body, params=query)
        except httpx2.HTTPError as error:
            raise ManagementError(f"{call}: {type(error).__name__}") from error
        if answer.is_error:
            raise ManagementError(f"{call}: {answer.status_code} {_reason(answer)}")
        return answer


def _reason(answer: httpx2.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return answer.reason_phrase
    return str(said.get("reason", answer.reason_phrase)) if isinstance(said, dict) else answer.reason_phrase
