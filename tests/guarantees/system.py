"""The system under attack: what may be done to it, and what it says of itself afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.fault_proxy import Mode
from leadbus_devstack.links import Links, Server
from leadbus_devstack.postgres import NativePostgres
from leadbus_devstack.rabbitmq import NativeRabbitMQ
from leadbus_devstack.services import SERVICES, ServiceProcess
from leadbus_devstack.small_disk import SmallDisk
from leadbus_devstack.stack import Stack

from tests.guarantees.fates import DELIVERED_DEALERS, REFUSAL, REFUSED_ADDRESS

DEALERS = DELIVERED_DEALERS
_POLL_SECONDS = 0.25


class Breakable(Protocol):
    """A process that can be killed and frozen."""

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Surface:
    """What a running system says of itself, wherever its servers are."""

    stack: Stack

    def database_urls(self) -> dict[str, str]:
        """By service, past every proxy."""
        return {service.folder: self.stack.database_url(service) for service in SERVICES}

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


@dataclass(frozen=True, slots=True)
class System(Surface):
    """`run` tells this run's leads from every other's. `disk`: Postgres' own, where that is a small one."""

    rabbitmq: NativeRabbitMQ
    postgres: NativePostgres
    run: str
    disk: SmallDisk | None = None

    @property
    def links(self) -> Links:
        assert self.stack.links is not None, "this system has no fault proxies"
        return self.stack.links

    def process(self, victim: str) -> Breakable:
        """`victim`: a process of a service (`ingest`, `ingest-2`) or a server."""
        servers: dict[str, Breakable] = {
            "rabbitmq": self.rabbitmq,
            "postgres": self.postgres,
            "smtp": self.stack.smtp.process,
        }
        return servers.get(victim) or self.stack.services[victim]

    async def kill(self, victim: str) -> None:
        """kill -9; nobody starts it again."""
        await asyncio.to_thread(self.process(victim).kill)

    async def restart(self, victim: str) -> None:
        """Start what was killed, and wait until it answers."""
        target = self.process(victim)
        await asyncio.to_thread(target.start)
        if isinstance(target, ServiceProcess):
            await asyncio.to_thread(target.wait_ready)

    async def freeze(self, victim: str) -> None:
        """SIGSTOP; returns when every thread has stopped."""
        await asyncio.to_thread(self.process(victim).freeze)

    async def thaw(self, victim: str) -> None:
        await asyncio.to_thread(self.process(victim).thaw)

    async def network(self, mode: Mode, server: Server, process: str | None = None) -> None:
        """The network between `server` and the services behaves so from now on."""
        await asyncio.to_thread(lambda: self.links.set(mode, server=server, process=process))

    async def smtp(self, **faults: Any) -> None:
        """The mail server misbehaves so from now on, and refuses the one address that it always refuses."""
        addresses = {**faults.pop("rcpt", {}), REFUSED_ADDRESS: REFUSAL}
        await asyncio.to_thread(lambda: self.stack.smtp.control(rcpt=addresses, **faults))

    def delete_queue(self, name: str) -> None:
        """With all that is in it, as an operator may."""
        self.stack.vhost.manage("DELETE", f"queues/{self.stack.vhost.name}/{name}")

    def queue_depths(self) -> dict[str, int]:
        """Messages by queue, asked of the queues themselves."""
        rows = self.rabbitmq.ctl(
            "-q", "--no-table-headers", "list_queues", "-p", self.stack.vhost.name, "name", "messages"
        )
        return {name: int(count) for name, count in (row.split() for row in rows.splitlines() if row.strip())}

    def leftovers(self) -> object:
        """True when every queue is empty, else their depths; a node that starts again is asked again."""
        try:
            return {queue: depth for queue, depth in self.queue_depths().items() if depth} or True
        except DevstackError as error:
            return str(error)


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
