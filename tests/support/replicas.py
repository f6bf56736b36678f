"""Processes of ingest on one database, and a partner's sandbox that they ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx2
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.sandboxes import SandboxProcess
from leadbus_devstack.services import ServiceName, ServiceProcess
from pydantic import SecretStr

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
_ADMIN = {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', 'admin')}"}
_DEADLINE_SECONDS = 90.0


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait for what another process does."""
    async with asyncio.timeout(_DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is another process's
            await asyncio.sleep(0.1)


class Replicas:
    """Each `start` adds a process; requests go to the one started last."""

    def __init__(self, partner: SandboxProcess, amqp_url: str, database_url: str, logs: Path) -> None:
        self.partner = partner
        self._database_url = database_url
        self._settings = {
            "AMQP_URL": amqp_url,
            "DATABASE_URL": database_url,
            "TOKEN_KEY": TOKEN_KEY,
            "PARTNERS_OVER_HTTP": "true",
            "LOG_LEVEL": "DEBUG",
        }
        self._logs = logs
        self._processes: list[ServiceProcess] = []

    @classmethod
    @asynccontextmanager
    async def of(
        cls, partner: SandboxProcess, amqp_url: str, database_url: str, logs: Path
    ) -> AsyncIterator[Self]:
        """None at first; those that were started end with it."""
        made = cls(partner, amqp_url, database_url, logs)
        try:
            yield made
        finally:
            for process in made._processes:
                await asyncio.to_thread(process.stop)

    @property
    def url(self) -> str:
        return self._processes[-1].url

    async def start(self) -> ServiceProcess:
        log = self._logs / f"ingest-{len(self._processes)}.log"
        process = ServiceProcess(ServiceName("ingest"), free_ports(1)[0], self._settings, log)
        self._processes.append(process)
        await asyncio.to_thread(process.start)
        await asyncio.to_thread(process.wait_ready)
        return process

    async def ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """The answer of a success to an admin."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=20) as http:
            answer = await http.request(method, path, json=body, headers=_ADMIN)
        assert answer.is_success, answer.text
        return answer

    async def apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        """A new setting."""
        await self.ask("PUT", f"/v1/settings/{kind}/{name}", {"spec": spec})

    async def sql(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self._database_url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def published(self) -> list[Any]:
        """A row for each raw message that the broker has."""
        return await self.sql("SELECT FROM raw WHERE published_at IS NOT NULL")

    def log(self) -> str:
        """What all of them said."""
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self._logs.glob("*.log*")))
