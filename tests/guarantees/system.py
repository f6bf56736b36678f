"""The system under attack: what may be killed in it, and what it says of itself afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
from leadbus_devstack.postgres import NativePostgres
from leadbus_devstack.rabbitmq import NativeRabbitMQ
from leadbus_devstack.services import ServiceProcess
from leadbus_devstack.stack import Stack

DEALERS = ("1001", "1002")
_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class System:
    """`run` tells this run's leads from every other's."""

    stack: Stack
    rabbitmq: NativeRabbitMQ
    postgres: NativePostgres
    run: str

    async def kill(self, victim: str) -> None:
        """kill -9, then start again and wait until it answers. `victim`: a service or a server."""
        targets: dict[str, NativeRabbitMQ | NativePostgres | ServiceProcess] = {
            **self.stack.services,
            "rabbitmq": self.rabbitmq,
            "postgres": self.postgres,
        }
        target = targets[victim]
        await asyncio.to_thread(target.kill)
        await asyncio.to_thread(target.start)
        if isinstance(target, ServiceProcess):
            await asyncio.to_thread(target.wait_ready)

    def every(self, service: str, path: str, **filters: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        return list(self._items(service, path, filters))

    def one(self, service: str, path: str) -> dict[str, Any]:
        return dict(self._get(service, path, {}))

    def _items(self, service: str, path: str, filters: dict[str, str]) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self._get(
                service, path, filters | {"limit": "500"} | ({"cursor": cursor} if cursor else {})
            )
            yield from page["items"]
            if (cursor := page.get("next_cursor")) is None:
                return

    def _get(self, service: str, path: str, parameters: dict[str, str]) -> Any:
        answer = httpx2.get(
            f"{self.stack.services[service].url}{path}",
            params=parameters,
            headers={"Authorization": f"Bearer {self.stack.token('operator')}"},
            timeout=20,
        )
        return answer.raise_for_status().json()

    def queue_depths(self) -> dict[str, int]:
        """Messages by queue, asked of the queues themselves."""
        rows = self.rabbitmq.ctl(
            "-q", "--no-table-headers", "list_queues", "-p", self.stack.vhost.name, "name", "messages"
        )
        return {name: int(count) for name, count in (row.split() for row in rows.splitlines() if row.strip())}


async def eventually(what: str, holds: Callable[[], object], *, within_seconds: float) -> None:
    """Returns when `holds()` is true. Fails with `what` and the last answer when time is up."""
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            answer: object = await asyncio.to_thread(holds)
        except httpx2.HTTPStatusError as error:
            answer = f"{error.request.url}: {error.response.status_code} {error.response.text}"
        except httpx2.TransportError as error:
            answer = type(error).__name__
        else:
            if answer is True:
                return
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within_seconds:g} s, last answer: {answer}")
        await asyncio.sleep(_POLL_SECONDS)
