"""The part of RabbitMQ's management API that the topology and those who look after it need."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

_TIMEOUT_SECONDS = 10.0
_PAUSES_SECONDS = (0.1, 0.5, 2.0)
"""Between asking again, where the API failed over what changes by itself."""


class ManagementError(Exception):
    """The management API is away or refuses; the message says which call and why.

    `status` is the HTTP status, None when there was no answer.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Management:
    """One virtual host seen through the management API. Everything raises ManagementError."""

    def __init__(self, url: str, vhost: str, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        try:
            address = httpx2.URL(url)
        except httpx2.InvalidURL:
            # The error quotes what it took for the port: a part of the password where that holds a #.
            raise ManagementError("its address cannot be read") from None
        self.vhost = vhost
        self._vhost = quote(vhost, safe="")
        self._client = httpx2.AsyncClient(
            base_url=address.copy_with(username=None, password=None, path="/"),
            auth=(address.username or "guest", address.password or "guest"),
            timeout=timeout_seconds,
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

    async def policies(self) -> dict[str, dict[str, Any]]:
        return {found["name"]: found for found in await self._list("policies")}

    async def whoami(self) -> dict[str, Any]:
        """Name and tags of the user that asks."""
        found: dict[str, Any] = await self._get("whoami")
        return found

    async def overview(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._get("overview")
        return found

    async def nodes(self) -> list[dict[str, Any]]:
        """The cluster's nodes: `running`, `mem_alarm`, `disk_free_alarm`, `partitions`."""
        found: list[dict[str, Any]] = await self._get(
            "nodes", columns="name,running,mem_alarm,disk_free_alarm,partitions"
        )
        return found

    async def users(self) -> dict[str, dict[str, Any]]:
        """All users of the broker by name, `tags` always a list. Needs an administrator."""
        return {found["name"]: {**found, "tags": _tags(found)} for found in await self._get("users")}

    async def put_user(self, name: str, body: dict[str, Any]) -> None:
        await self._call("PUT", f"users/{quote(name, safe='')}", body)

    async def delete_user(self, name: str) -> None:
        """Its connections end with it. Nothing happens when there is none."""
        with _gone_is_fine():
            await self._call("DELETE", f"users/{quote(name, safe='')}")

    async def permissions(self) -> dict[str, dict[str, dict[str, str]]]:
        """By user, then virtual host: `configure`, `write`, `read`."""
        by_user: dict[str, dict[str, dict[str, str]]] = {}
        for found in await self._get("permissions"):
            rights = {kind: found[kind] for kind in ("configure", "write", "read")}
            by_user.setdefault(found["user"], {})[found["vhost"]] = rights
        return by_user

    async def topic_permissions(self) -> dict[str, dict[str, dict[str, str]]]:
        """In this virtual host: by user, then exchange: `write`, `read`."""
        by_user: dict[str, dict[str, dict[str, str]]] = {}
        for found in await self._get(f"vhosts/{self._vhost}/topic-permissions"):
            rights = {kind: found[kind] for kind in ("write", "read")}
            by_user.setdefault(found["user"], {})[found["exchange"]] = rights
        return by_user

    async def set_permission(self, user: str, rights: dict[str, str]) -> None:
        await self._call("PUT", f"permissions/{self._vhost}/{quote(user, safe='')}", rights)

    async def set_topic_permission(self, user: str, exchange: str, rights: dict[str, str]) -> None:
        body = {"exchange": exchange, **rights}
        await self._call("PUT", f"topic-permissions/{self._vhost}/{quote(user, safe='')}", body)

    async def connections_of(self, user: str) -> int:
        """How many connections a user has, in any virtual host."""
        return len(await self._get(f"connections/username/{quote(user, safe='')}"))

    async def close_connections_of(self, user: str) -> None:
        """Open channels keep what they were allowed once: only a new connection asks again.

        The API fails over a connection that ends by itself just then, as those of a deleted user do.
        """
        path = f"connections/username/{quote(user, safe='')}"
        for pause_seconds in _PAUSES_SECONDS:
            try:
                with _gone_is_fine():
                    await self._call("DELETE", path)
            except ManagementError as error:
                if error.status != httpx2.codes.INTERNAL_SERVER_ERROR:
                    raise
                await asyncio.sleep(pause_seconds)
            else:
                return
        with _gone_is_fine():
            await self._call("DELETE", path)

    async def _list(self, what: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._get(f"{what}/{self._vhost}", **query)
        return found

    async def _get(self, path: str, **query: str) -> Any:
        answer = await self._call("GET", path, query=query)
        try:
            return answer.json()
        except ValueError as error:
            raise ManagementError(f"GET /api/{path}: the answer is not JSON; is this the API?") from error

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
            raise ManagementError(f"{call}: {answer.status_code} {_reason(answer)}", answer.status_code)
        return answer


@contextlib.contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except ManagementError as error:
        if error.status != httpx2.codes.NOT_FOUND:
            raise


def _tags(user: dict[str, Any]) -> list[str]:
    """A list since 3.9, words with commas before."""
    tags = user.get("tags") or []
    return [tag for tag in (tags.split(",") if isinstance(tags, str) else tags) if tag]


def _reason(answer: httpx2.Response) -> str:
    try:
        said = answer.json()
    except ValueError:
        return answer.reason_phrase
    return str(said.get("reason", answer.reason_phrase)) if isinstance(said, dict) else answer.reason_phrase
