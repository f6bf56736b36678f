"""Ingest as a process that dies with leads of the BDK in hand, and what it never says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.pytest_plugin import MakeDatabase, StartSandbox
from leadbus_devstack.sandboxes import SandboxProcess
from leadbus_devstack.sandboxes.bdk import CLIENT_ID
from leadbus_devstack.services import ServiceName, ServiceProcess
from leadbus_devstack.vhosts import Vhost
from pydantic import SecretStr

from tests.support.bdk_bank import PARTNER, lead

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
ADMIN = {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', 'admin')}"}
DEADLINE_SECONDS = 90.0


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is another process's
            await asyncio.sleep(0.1)


class Replicas:
    """Processes of ingest on one database, and the bank that tells them."""

    def __init__(self, bank: SandboxProcess, amqp_url: str, database_url: str, logs: Path) -> None:
        self.bank = bank
        self.database_url = database_url
        self._settings = {
            "AMQP_URL": amqp_url,
            "DATABASE_URL": database_url,
            "TOKEN_KEY": TOKEN_KEY,
            "PARTNERS_OVER_HTTP": "true",
            "LOG_LEVEL": "DEBUG",
        }
        self._logs = logs
        self.processes: list[ServiceProcess] = []

    async def start(self) -> ServiceProcess:
        log = self._logs / f"ingest-{len(self.processes)}.log"
        process = ServiceProcess(ServiceName("ingest"), free_ports(1)[0], self._settings, log)
        self.processes.append(process)
        await asyncio.to_thread(process.start)
        await asyncio.to_thread(process.wait_ready)
        return process

    async def connect(self, **changed: Any) -> None:
        secret = f"file:{self.bank.secret_file}"
        spec = {
            "base_url": self.bank.url,
            "token_url": f"{self.bank.url}/oauth/token",
            "client_id": CLIENT_ID,
            "client_secret": secret,
            "partner_numbers": [PARTNER],
            "notifications": {"secrets": [secret]},
            **changed,
        }
        answer = await self.ask("PUT", "/v1/settings/BdkConnection/bank", {"spec": spec})
        assert answer.is_success, answer.text
        url = f"{self.processes[-1].url}/v1/bdk/notifications/bank"
        await self.at_bank("PUT", "/notifying", {"url": url})

    async def at_bank(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self.bank.ask, method, path, body)

    async def ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=self.processes[-1].url, timeout=20) as http:
            return await http.request(method, path, json=body, headers=ADMIN)

    async def asked(self) -> bool:
        return any(seen.path.startswith("/leads/") for seen in await asyncio.to_thread(self.bank.requests))

    async def sql(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def published(self) -> bool:
        return bool(await self.sql("SELECT FROM raw WHERE published_at IS NOT NULL"))

    def log(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self._logs.glob("*.log*")))


@pytest.fixture
async def replicas(
    sandbox: StartSandbox, topology: Vhost, make_database: MakeDatabase, tmp_path: Path
) -> AsyncIterator[Replicas]:
    made = Replicas(sandbox("bdk"), topology.amqp_url, make_database("ingest"), tmp_path)
    yield made
    for process in made.processes:
        await asyncio.to_thread(process.stop)


async def test_told_of_by_the_bank_a_lead_is_fetched_and_published(replicas: Replicas) -> None:
    await replicas.start()
    await replicas.connect()
    assert await replicas.at_bank("POST", "/leads", [lead()]) == [202]
    await until(replicas.published)
    (row,) = await replicas.sql("SELECT account, source FROM raw")
    assert (row["account"], row["source"]) == ("bank", "bdk")


async def test_killed_with_a_lead_in_hand_another_one_fetches_it(replicas: Replicas) -> None:
    killed = await replicas.start()
    await replicas.connect(reconciliation={"enabled": False})
    await asyncio.to_thread(replicas.bank.control, hang=True)
    assert await replicas.at_bank("POST", "/leads", [lead()]) == [202]
    await until(replicas.asked)
    await asyncio.to_thread(killed.kill)
    await asyncio.to_thread(replicas.bank.control)
    await replicas.start()
    # The lease of the dead one is what the next waits for; here its time passes at once.
    assert await replicas.sql("SELECT FROM bdk_read WHERE lease_until > now()")
    await replicas.sql("UPDATE bdk_read SET lease_until = now() - interval '1 second'")
    await until(replicas.published)
    assert len(await replicas.sql("SELECT FROM raw")) == 1


async def test_what_was_answered_202_outlives_the_process_that_answered(replicas: Replicas) -> None:
    killed = await replicas.start()
    await replicas.connect(reconciliation={"enabled": False})
    await asyncio.to_thread(replicas.bank.control, early=10**6)
    numbers = [f"LS-{n}" for n in range(20)]
    assert await replicas.at_bank("POST", "/leads", [lead(number) for number in numbers]) == [202] * 20
    await asyncio.to_thread(killed.kill)
    await asyncio.to_thread(replicas.bank.control)
    await replicas.start()
    await replicas.sql("UPDATE bdk_read SET lease_until = NULL, due_at = now()")

    async def all_published() -> bool:
        return len(await replicas.sql("SELECT FROM raw WHERE published_at IS NOT NULL")) == 20

    await until(all_published)


async def test_at_sigterm_it_ends_what_it_has_in_hand(replicas: Replicas) -> None:
    process = await replicas.start()
    await replicas.connect(reconciliation={"enabled": False})
    await asyncio.to_thread(replicas.bank.control, delay_seconds=2)
    assert await replicas.at_bank("POST", "/leads", [lead()]) == [202]
    await until(replicas.asked)
    await asyncio.to_thread(process.stop)
    assert len(await replicas.sql("SELECT FROM raw")) == 1
    assert process.process.exit_code == 0


@pytest.mark.parametrize(
    "faults", [{}, {"status": 500}, {"cut": True}, {"token_status": 401}, {"status": 302}, {"answer": "html"}]
)
async def test_no_secret_no_token_and_nobodys_name_is_ever_said(
    replicas: Replicas, faults: dict[str, Any]
) -> None:
    await replicas.start()
    await replicas.connect()
    await asyncio.to_thread(replicas.bank.control, **faults)
    await replicas.at_bank("POST", "/leads", [lead()])

    async def tried() -> bool:
        return bool(await replicas.sql("SELECT FROM bdk_read WHERE outcome IS NOT NULL"))

    await until(tried)
    paths = ("/v1/bdk/connections", "/v1/bdk/reads", "/v1/settings/BdkConnection/bank", "/metrics")
    told = [(await replicas.ask("GET", path)).text for path in paths]
    everything = f"{told}{replicas.log()}"
    assert "bdk.read" in everything
    tokens = {
        seen.headers["authorization"].removeprefix("Bearer ")
        for seen in await asyncio.to_thread(replicas.bank.requests)
        if seen.path.startswith("/leads")
    }
    for secret in (replicas.bank.secret, "Ahlen", "joerdis", *tokens):
        assert secret not in everything
