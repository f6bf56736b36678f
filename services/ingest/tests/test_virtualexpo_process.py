"""Two processes of ingest and a vendor who hangs: killed in the middle, nobody asks again too soon."""

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
from leadbus_devstack.sandboxes.virtualexpo_documents import document, lead
from leadbus_devstack.services import ServiceName, ServiceProcess
from leadbus_devstack.vhosts import Vhost
from pydantic import SecretStr

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
ADMIN = {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', 'admin')}"}
SUBSCRIPTION = "/v1/virtualexpo/subscriptions/aero"
DEADLINE_SECONDS = 60.0


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is another process's
            await asyncio.sleep(0.1)


class Replicas:
    """Processes of ingest on one database, and the vendor that they ask."""

    def __init__(self, vendor: SandboxProcess, amqp_url: str, database_url: str, logs: Path) -> None:
        self.vendor = vendor
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

    async def subscribe(self, **changed: Any) -> None:
        spec = {
            "marketplace": "AeroExpo",
            "url": f"{self.vendor.url}/leads?key={{key}}",
            "key": f"file:{self.vendor.secret_file}",
            **changed,
        }
        await self.ask("PUT", "/v1/settings/VirtualExpoSubscription/aero", {"spec": spec})

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        async with httpx2.AsyncClient(base_url=self.processes[-1].url, timeout=20) as http:
            answer = await http.request(method, path, json=body, headers=ADMIN)
        assert answer.is_success, answer.text
        return answer.json()

    async def asked(self) -> int:
        return len(await asyncio.to_thread(self.vendor.requests))

    async def sql(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    def log(self) -> str:
        return "".join(path.read_text("utf-8", "replace") for path in sorted(self._logs.glob("*.log*")))


@pytest.fixture
async def replicas(
    sandbox: StartSandbox, topology: Vhost, make_database: MakeDatabase, tmp_path: Path
) -> AsyncIterator[Replicas]:
    made = Replicas(sandbox("virtualexpo"), topology.amqp_url, make_database("ingest"), tmp_path)
    yield made
    for process in made.processes:
        await asyncio.to_thread(process.stop)


@pytest.mark.full
async def test_killed_while_the_vendor_is_asked_nobody_asks_again_too_soon(replicas: Replicas) -> None:
    replicas.vendor.control(hang=True)
    killed = await replicas.start()
    await replicas.subscribe()
    await until(replicas.asked)
    await asyncio.to_thread(killed.kill)
    replicas.vendor.control()

    await replicas.start()
    await replicas.start()
    soon = await replicas.ask("POST", f"{SUBSCRIPTION}/fetch")
    (row,) = await replicas.sql(
        "SELECT due_at - last_attempt_at >= interval '2 hours' AS put_off FROM virtualexpo_subscription"
    )
    assert row["put_off"]
    assert soon["due_at"] > soon["last_attempt_at"]

    # Time passes for the dead one's attempt; the next is told apart from it.
    await replicas.sql("UPDATE virtualexpo_attempt SET lease_until = now() - interval '1 second'")

    async def ended() -> object:
        return await replicas.sql("SELECT FROM virtualexpo_attempt WHERE outcome = 'interrupted'")

    await until(ended)
    assert await replicas.asked() == 1


async def test_two_processes_fetch_a_lead_once_and_publish_it(replicas: Replicas) -> None:
    replicas.vendor.ask("PUT", "/document", {"xml": document([lead("VX-1")])})
    await replicas.start()
    await replicas.start()
    await replicas.subscribe()

    async def published() -> object:
        return await replicas.sql("SELECT FROM raw WHERE published_at IS NOT NULL")

    await until(published)
    assert await replicas.asked() == 1
    (attempt,) = (await replicas.ask("GET", "/v1/virtualexpo/attempts"))["items"]
    assert (attempt["outcome"], attempt["new_leads"]) == ("succeeded", 1)


@pytest.mark.parametrize(
    "faults", [{"status": 500}, {"cut_after_bytes": 10}, {"redirect": "https://a.example/"}]
)
async def test_a_key_is_nowhere_to_be_read(replicas: Replicas, faults: dict[str, Any]) -> None:
    replicas.vendor.control(**faults)
    await replicas.start()
    await replicas.subscribe()

    async def ended() -> object:
        return await replicas.sql("SELECT FROM virtualexpo_attempt WHERE ended_at IS NOT NULL")

    await until(ended)
    told = [
        await replicas.ask("GET", path)
        for path in (SUBSCRIPTION, "/v1/virtualexpo/attempts", "/v1/settings/VirtualExpoSubscription/aero")
    ]
    rows = await replicas.sql("SELECT a::text FROM virtualexpo_attempt a UNION SELECT s::text FROM setting s")
    everything = f"{told} {rows} {replicas.log()}"
    assert "virtualexpo.attempt" in everything
    assert replicas.vendor.secret not in everything
