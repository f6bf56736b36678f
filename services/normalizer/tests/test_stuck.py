"""Parked messages of a normalizer process: redriven by the command, killed in the middle, by two replicas."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import httpx2
import pytest
from leadbus.topology import dead_letters
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.services import ServiceName, ServiceProcess
from pydantic import SecretStr

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
TOKEN = sign_token(SecretStr(TOKEN_KEY), "olga", "operator")
ADMIN = sign_token(SecretStr(TOKEN_KEY), "test", "admin")
DEADLINE_SECONDS = 90.0
QUEUE = "normalizer.raw"
MANY = 300


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110 -- the condition is another process's
            await asyncio.sleep(0.03)


@dataclass
class Deployment:
    """Normalizers on one vhost and one database, and what an operator sees of them."""

    replicas: list[ServiceProcess]
    http: list[httpx2.AsyncClient]
    channel: Any
    database: Any

    async def start(self) -> None:
        for replica in self.replicas:
            await asyncio.to_thread(replica.start)
        for replica in self.replicas:
            await asyncio.to_thread(replica.wait_ready)

    async def map_dealer(self) -> None:
        headers = {"Authorization": f"Bearer {ADMIN}"}
        dealer = {"spec": {"name": "Prairie Motors", "country": "US"}}
        await self.http[0].put("/v1/settings/Dealer/prairie", json=dealer, headers=headers)
        location = {"spec": {"source": "contactatonce", "external_id": "40217", "dealer": "prairie"}}
        answer = await self.http[0].put("/v1/settings/Location/l", json=location, headers=headers)
        assert answer.status_code == 201, answer.text

    async def park(self, payload: Any, number: int) -> None:
        """As the broker parks: through the queue's own dead-letter exchange, under the key it had."""
        exchange = await self.channel.get_exchange(dead_letters(QUEUE))
        for n in range(number):
            attributes = {"specversion": "1.0", "id": f"raw-{n}", "source": "partner", "type": "lead"}
            message = aio_pika.Message(
                json.dumps(payload(lead_id=f"CAO-{n}")).encode(),
                content_type="application/json",
                headers={f"cloudEvents_{name}": value for name, value in attributes.items()},
                delivery_mode=2,
            )
            await exchange.publish(message, "raw.contactatonce")

    async def parked(self) -> int:
        queue = await self.channel.get_queue(f"{QUEUE}.parked")
        return int(queue.declaration_result.message_count)

    async def leads(self) -> dict[str, int]:
        rows = await self.database.fetch("SELECT revision, count(*) AS leads FROM lead GROUP BY revision")
        return {str(row["revision"]): row["leads"] for row in rows}

    async def end_leases(self) -> None:
        """As if a killed replica had been silent for its lease: 30 seconds at least in a deployment."""
        await self.database.execute(
            "UPDATE job SET lease_expires_at = clock_timestamp() WHERE lease_token IS NOT NULL"
        )

    async def job(self, replica: int = 0) -> dict[str, Any]:
        (job,) = (await self.http[replica].get("/v1/jobs", params={"kind": "parked.redrive"})).json()["items"]
        told: dict[str, Any] = job
        return told


Deploy = Callable[[int], Awaitable[Deployment]]


@pytest.fixture
async def deploy(topology: Any, make_database: Any, tmp_path: Path) -> AsyncIterator[Deploy]:
    made: list[Deployment] = []
    connection = await aio_pika.connect(topology.amqp_url)

    async def with_replicas(number: int) -> Deployment:
        url = make_database("normalizer")
        settings = {
            "AMQP_URL": topology.amqp_url,
            "DATABASE_URL": url,
            "TOKEN_KEY": TOKEN_KEY,
        }
        replicas = [
            ServiceProcess(ServiceName("normalizer"), port, settings, tmp_path / f"{port}.log")
            for port in free_ports(number)
        ]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        http = [httpx2.AsyncClient(base_url=one.url, headers=headers, timeout=30) for one in replicas]
        made.append(Deployment(replicas, http, await connection.channel(), await asyncpg.connect(url)))
        return made[-1]

    yield with_replicas
    for deployment in made:
        for replica in deployment.replicas:
            await asyncio.to_thread(replica.stop)
        for client in deployment.http:
            await client.aclose()
        await deployment.database.close()
    await connection.close()


async def leadbus(deployment: Deployment, *arguments: str, replica: int = 0) -> tuple[int, str, str]:
    """The command as a person runs it; no terminal is there to be asked."""
    environment = {
        "PATH": os.environ["PATH"],
        "LEADBUS_NORMALIZER_URL": deployment.replicas[replica].url,
        "LEADBUS_TOKEN": TOKEN,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "leadbus_cli",
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.timeout(240)
async def test_redriven_by_the_command_and_killed_in_the_middle(deploy: Deploy, payload: Any) -> None:
    normalizer = await deploy(1)
    await normalizer.start()
    await normalizer.map_dealer()
    await normalizer.park(payload, MANY)

    code, out, err = await leadbus(normalizer, "parked", "redrive", QUEUE, "--all", "--rate", "60")
    assert (code, await normalizer.leads()) == (1, {}), "nobody agreed"
    assert str(MANY) in out
    assert "nothing was touched: repeat with --yes" in err

    running = asyncio.create_task(
        leadbus(
            normalizer, "parked", "redrive", QUEUE, "--all", "--rate", "60", "--batch-size", "10", "--yes"
        )
    )

    async def some() -> bool:
        return sum((await normalizer.leads()).values()) >= 60

    await until(some)
    await asyncio.to_thread(normalizer.replicas[0].kill)
    await normalizer.end_leases()
    assert 0 < sum((await normalizer.leads()).values()) < MANY
    await normalizer.start()
    code, out, err = await running
    assert (code, err) == (0, ""), "the command waited for the service and saw the job to its end"
    assert f"done: {MANY} done, 0 failed, 0 remaining" in out
    assert await normalizer.leads() == {"1": MANY}
    assert await normalizer.parked() == 0
    duplicates = await normalizer.database.fetchval("SELECT count(*) FROM quarantine")
    assert duplicates == 0


@pytest.mark.timeout(240)
async def test_two_replicas_one_killed_each_message_once(deploy: Deploy, payload: Any) -> None:
    normalizer = await deploy(2)
    await normalizer.start()
    await normalizer.map_dealer()
    await normalizer.park(payload, MANY)
    body = {"kind": "parked.redrive", "filter": {"queue": QUEUE, "all": True}, "rate_per_second": 60}
    job_id = (await normalizer.http[0].post("/v1/jobs", json=body)).json()["id"]
    started = await normalizer.http[1].post(f"/v1/jobs/{job_id}/run")
    assert started.status_code == 202, "planned at one replica, run at the other"
    twice = await normalizer.http[0].post(f"/v1/jobs/{job_id}/run")
    assert twice.status_code == 409

    async def some() -> bool:
        return sum((await normalizer.leads()).values()) >= 60

    await until(some)
    await asyncio.to_thread(normalizer.replicas[0].kill)
    await normalizer.end_leases()

    async def ended() -> bool:
        return bool((await normalizer.job(1))["state"] != "running")

    await until(ended)
    job = await normalizer.job(1)
    assert (job["state"], job["done"], job["failed"], job["remaining"]) == ("done", MANY, 0, 0)
    assert await normalizer.leads() == {"1": MANY}
    assert await normalizer.parked() == 0


@pytest.mark.timeout(180)
async def test_what_a_person_is_told(deploy: Deploy, payload: Any) -> None:
    normalizer = await deploy(1)
    await normalizer.start()
    await normalizer.park(payload, 3)
    code, out, _ = await leadbus(normalizer, "parked", "list", "--json")
    queues = {one["queue"]: one["messages"] for one in json.loads(out)["items"]}
    assert (code, queues) == (0, {QUEUE: 3, "normalizer.ledger": 0})
    code, out, _ = await leadbus(normalizer, "parked", "list", QUEUE, "--json")
    ids = [one["id"] for one in json.loads(out)["items"]]
    assert len(set(ids)) == 3
    code, out, _ = await leadbus(normalizer, "parked", "show", QUEUE, ids[0])
    assert (code, "Jordan" in out, "raw.contactatonce" in out) == (0, False, True)
    code, out, _ = await leadbus(normalizer, "parked", "show", QUEUE, ids[0], "--reveal")
    assert json.loads(out)["lead_id"] == "CAO-0"
    discarded = await leadbus(
        normalizer, "parked", "discard", QUEUE, "--id", ids[0], "--reason", "a test", "--yes", "--json"
    )
    job = json.loads(discarded[1])
    assert (discarded[0], job["done"], job["reason"]) == (0, 1, "a test")
    assert await normalizer.parked() == 2
    code, out, err = await leadbus(normalizer, "parked", "redrive", QUEUE, "--id", ids[0], "--yes")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert "not all of these messages are there" in err
    assert await normalizer.parked() == 2
