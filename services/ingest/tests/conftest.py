"""Ingest in this process, on a database of its own and without RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import uvloop
from ingest.app import build
from ingest.settings import IngestSettings
from leadbus.clock import FakeClock
from leadbus.db import Database
from leadbus.mailin.listener import Listener
from leadbus.web import sign_token
from leadbus_devstack.databases import DatabaseFactory
from leadbus_devstack.pytest_plugin import StartSandbox
from pydantic import SecretStr

from tests.support.bdk_bank import Bank, connected
from tests.support.mail_client import DEADLINE_SECONDS, Client, FakeMailroom, dialled, listening
from tests.support.vendor import Vendor

TABLES = (
    "bdk_connection, bdk_cursor, bdk_read, raw, idempotency_key, quarantine, virtualexpo_attempt, "
    "virtualexpo_subscription, api_key, outbox, connection_told, "
    "setting, setting_history, audit"
)
TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"


# What talks to connections themselves is tried on the loop of production too: its transports are others.
_ON_BOTH_LOOPS = {"test_mail_protocol", "test_mail_refusals", "test_mail_tls"}


def pytest_asyncio_loop_factories(config: pytest.Config, item: Any) -> Mapping[str, Any]:
    loops = {"asyncio": asyncio.new_event_loop}
    return {**loops, "uvloop": uvloop.new_event_loop} if item.path.stem in _ON_BOTH_LOOPS else loops


@dataclass
class Ingest:
    """The HTTP API in process, the database behind it, and a clock that stands still."""

    http: httpx2.AsyncClient
    database: Database
    clock: FakeClock
    settings: IngestSettings
    app: Any
    keys: dict[tuple[str, str], str] = field(default_factory=dict)

    def token(self, role: str, dealers: list[str] | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), f'test-{role}', role, dealers)}"}

    async def set_up(self, source: str = "contactatonce", **spec: Any) -> None:
        answer = await self.http.put(
            f"/v1/settings/Source/{source}",
            json={"spec": spec},
            headers={**self.token("admin"), "If-Match": "*"}
            if (source, "") in self.keys
            else self.token("admin"),
        )
        assert answer.status_code in (200, 201), answer.text
        self.keys[source, ""] = "set up"

    async def key(self, source: str = "contactatonce", account: str = "main") -> str:
        """A key of the account, made once."""
        if (source, account) not in self.keys:
            if (source, "") not in self.keys:
                await self.set_up(source)
            answer = await self.http.post(
                f"/v1/sources/{source}/keys", json={"account": account}, headers=self.token("admin")
            )
            assert answer.status_code == 201, answer.text
            self.keys[source, account] = answer.json()["key"]
        return self.keys[source, account]

    async def bring(
        self,
        body: bytes = b'{"a": 1}',
        content_type: str | None = "application/json",
        *,
        source: str = "contactatonce",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
    ) -> httpx2.Response:
        key = await self.key() if key is None else key
        sent = {"X-Api-Key": key, **(headers or {})}
        if content_type is not None:
            sent["Content-Type"] = content_type
        return await self.http.post(f"/v1/raw/{source}{query}", content=body, headers=sent)

    async def count(self, table: str) -> int:
        async with self.database.acquire() as conn:
            return int(await conn.fetchval(f"SELECT count(*) FROM {table}"))

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self.database.acquire() as conn:
            return [dict(row) for row in await conn.fetch(query, *arguments)]


@pytest.fixture
def settings_given() -> dict[str, Any]:
    """Settings a test module wants to be other than the default."""
    return {}


@pytest.fixture(scope="session")
def ingest_database_url(database_factory: DatabaseFactory) -> Iterator[str]:
    """One database for all tests in process; each finds it empty."""
    url = database_factory.create("ingest")
    yield url
    database_factory.drop(url)


@pytest.fixture
async def ingest(ingest_database_url: str, settings_given: dict[str, Any]) -> AsyncIterator[Ingest]:
    settings = IngestSettings(
        database_url=SecretStr(ingest_database_url),
        amqp_url=SecretStr("amqp://127.0.0.1:1"),
        token_key=SecretStr(TOKEN_KEY),
        **settings_given,
    )
    clock = FakeClock()
    service = build(settings, clock)
    database = service._database
    assert database is not None
    await database.open()
    async with database.acquire() as conn:
        await conn.execute(f"TRUNCATE {TABLES}")
    transport = httpx2.ASGITransport(service.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://ingest") as http:
        yield Ingest(http, database, clock, settings, service.app)
    await database.close()


@pytest.fixture
def vendor(ingest: Ingest, sandbox: StartSandbox) -> Vendor:
    """VirtualExpo's sandbox, and the database of `ingest`, of which no task runs."""
    settings = ingest.settings.model_copy(update={"partners_over_http": True})
    return Vendor(sandbox("virtualexpo"), ingest.database, settings, ingest.clock)


@pytest.fixture
async def bank(ingest: Ingest, sandbox: StartSandbox) -> AsyncIterator[Bank]:
    """The BDK's sandbox behind a connection; wants ``partners_over_http`` in ``settings_given``."""
    async with connected(ingest, sandbox("bdk")) as found:
        yield found


@pytest.fixture
def mailroom() -> FakeMailroom:
    """Who stands behind the listener that `start` starts."""
    room = FakeMailroom()
    room.gate.set()
    return room


@pytest.fixture
async def start(mailroom: FakeMailroom) -> AsyncIterator[Callable[..., Awaitable[Listener]]]:
    """`listener = await start(idle_seconds=1)`."""
    started: list[Listener] = []

    async def begin(**rules: Any) -> Listener:
        started.append(await listening(mailroom, **rules))
        return started[-1]

    yield begin
    for listener in started:
        listener.close()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """`client = await connect(listener, "lmtp")`, in a test that ends in time."""
    clients: list[Client] = []

    async def join(listener: Listener, protocol: str = "smtp") -> Client:
        clients.append(await dialled(listener, protocol))
        return clients[-1]

    async with asyncio.timeout(DEADLINE_SECONDS):
        yield join
    for client in clients:
        client.writer.close()
