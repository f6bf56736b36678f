"""A withdrawal that concerns many leads, and the process that lays it over them killed again and again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import httpx2
import pytest
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.services import ServiceName, ServiceProcess
from pydantic import SecretStr

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
ADMIN = {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', 'admin')}"}
DEADLINE_SECONDS = 120.0
MANY = 450
KILLS = 3
PHONE = "+13125550191"


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is another process's
            await asyncio.sleep(0.01)


class Deployment:
    """One normalizer after the other, on the same servers."""

    def __init__(self, vhost: Any, database_url: str, logs: Path) -> None:
        self.vhost = vhost
        self.logs = logs
        self.settings = {
            "AMQP_URL": vhost.amqp_url,
            "DATABASE_URL": database_url,
            "TOKEN_KEY": TOKEN_KEY,
            "FINDING_KEY": "the key of these tests, 32 bytes and more",
        }
        self.processes: list[ServiceProcess] = []

    async def connect(self) -> None:
        self.database = await asyncpg.connect(self.settings["DATABASE_URL"])
        self.amqp = await aio_pika.connect(self.vhost.amqp_url)
        self.channel = await self.amqp.channel()

    async def start(self) -> ServiceProcess:
        log = self.logs / f"normalizer-{len(self.processes)}.log"
        process = ServiceProcess(ServiceName("normalizer"), free_ports(1)[0], self.settings, log)
        self.processes.append(process)
        await asyncio.to_thread(process.start)
        await asyncio.to_thread(process.wait_ready)
        return process

    async def close(self) -> None:
        for process in self.processes:
            await asyncio.to_thread(process.stop)
        await self.amqp.close()
        await self.database.close()

    async def bring(self, payload: Any, count: int) -> None:
        """So many chats of one person."""
        exchange = await self.channel.get_exchange("leadbus.raw")
        for number in range(count):
            told = payload(lead_id=f"CAO-{number}", customer={"name": "Ann Example", "phone": PHONE})
            body = json.dumps(told).encode()
            await exchange.publish(
                aio_pika.Message(body, content_type="application/json"), "raw.contactatonce"
            )
        await until(lambda: self.count("lead", count))

    async def count(self, table: str, wanted: int, where: str = "true") -> bool:
        return bool(await self.database.fetchval(f"SELECT count(*) >= $1 FROM {table} WHERE {where}", wanted))

    async def events(self, type_: str, count: int) -> list[Any]:
        """Events of this type as a sink gets them, until `count` different ones came."""
        found: dict[str, Any] = {}
        queue = await self.channel.get_queue("adf-mailer.leads")
        async with asyncio.timeout(DEADLINE_SECONDS), queue.iterator() as iterator:
            async for message in iterator:
                await message.ack()
                if message.routing_key == type_:
                    found[str(message.message_id)] = json.loads(message.body)
                if len(found) == count:
                    break
        return list(found.values())


@pytest.fixture
async def deployment(topology: Any, make_database: Any, tmp_path: Path) -> AsyncIterator[Deployment]:
    deployment = Deployment(topology, make_database("normalizer"), tmp_path)
    await deployment.connect()
    yield deployment
    await deployment.close()


async def test_killed_in_the_middle_it_ends_with_every_lead_told_once(
    deployment: Deployment, payload: Any
) -> None:
    process = await deployment.start()
    async with httpx2.AsyncClient(base_url=process.url, headers=ADMIN, timeout=20) as http:
        dealer = {"spec": {"name": "Prairie Motors", "country": "US"}}
        assert (await http.put("/v1/settings/Dealer/prairie", json=dealer)).status_code == 201
        location = {"spec": {"source": "contactatonce", "external_id": "40217", "dealer": "prairie"}}
        assert (await http.put("/v1/settings/Location/prairie", json=location)).status_code == 201
        await deployment.bring(payload, MANY)
        said = await http.post("/v1/consents", json={"action": "withdraw", "phone": PHONE})
        assert said.status_code == 200
    for number in range(KILLS):
        reached = 1 + number * MANY // (KILLS + 1)
        await until(lambda: deployment.count("lead_revision", reached, "act_id IS NOT NULL"))  # noqa: B023
        await asyncio.to_thread(process.kill)
        process = await deployment.start()
    await until(lambda: deployment.count("consent_act", 1, "applied_at IS NOT NULL"))
    events = await deployment.events("lead.consent_changed.v1", MANY)
    assert {event["lead"]["consent"]["basis"] for event in events} == {"withdrawn"}
    assert {event["lead"]["revision"] for event in events} == {2}
    assert len({event["lead"]["lead_id"] for event in events}) == MANY
    assert await deployment.database.fetchval("SELECT count(*) FROM lead_revision") == 2 * MANY
    async with httpx2.AsyncClient(base_url=process.url, headers=ADMIN, timeout=20) as http:
        assert "leadbus_consent_act_oldest_age_seconds 0.0" in (await http.get("/metrics")).text
