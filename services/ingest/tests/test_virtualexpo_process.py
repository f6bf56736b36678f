"""Two processes of ingest and a vendor who hangs: killed in the middle, nobody asks again too soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from leadbus_devstack.pytest_plugin import MakeDatabase, StartSandbox
from leadbus_devstack.sandboxes.virtualexpo_documents import document, lead
from leadbus_devstack.vhosts import Vhost

from tests.support.replicas import Replicas, until

SUBSCRIPTION = "/v1/virtualexpo/subscriptions/aero"


class Asking(Replicas):
    """The partner is the vendor."""

    async def subscribe(self, **changed: Any) -> None:
        spec = {
            "marketplace": "AeroExpo",
            "url": f"{self.partner.url}/leads?key={{key}}",
            "key": f"file:{self.partner.secret_file}",
            **changed,
        }
        await self.apply("VirtualExpoSubscription", "aero", spec)

    async def asked(self) -> int:
        return len(await asyncio.to_thread(self.partner.requests))


@pytest.fixture
async def replicas(
    sandbox: StartSandbox, topology: Vhost, make_database: MakeDatabase, tmp_path: Path
) -> AsyncIterator[Asking]:
    async with Asking.of(
        sandbox("virtualexpo"), topology.amqp_url, make_database("ingest"), tmp_path
    ) as made:
        yield made


@pytest.mark.full
async def test_killed_while_the_vendor_is_asked_nobody_asks_again_too_soon(replicas: Asking) -> None:
    replicas.partner.control(hang=True)
    killed = await replicas.start()
    await replicas.subscribe()
    await until(replicas.asked)
    await asyncio.to_thread(killed.kill)
    replicas.partner.control()

    await replicas.start()
    await replicas.start()
    soon = (await replicas.ask("POST", f"{SUBSCRIPTION}/fetch")).json()
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


async def test_two_processes_fetch_a_lead_once_and_publish_it(replicas: Asking) -> None:
    replicas.partner.ask("PUT", "/document", {"xml": document([lead("VX-1")])})
    await replicas.start()
    await replicas.start()
    await replicas.subscribe()

    await until(replicas.published)
    assert await replicas.asked() == 1
    (attempt,) = (await replicas.ask("GET", "/v1/virtualexpo/attempts")).json()["items"]
    assert (attempt["outcome"], attempt["new_leads"]) == ("succeeded", 1)


@pytest.mark.parametrize(
    "faults", [{"status": 500}, {"cut_after_bytes": 10}, {"redirect": "https://a.example/"}]
)
async def test_a_key_is_nowhere_to_be_read(replicas: Asking, faults: dict[str, Any]) -> None:
    replicas.partner.control(**faults)
    await replicas.start()
    await replicas.subscribe()

    async def ended() -> object:
        return await replicas.sql("SELECT FROM virtualexpo_attempt WHERE ended_at IS NOT NULL")

    await until(ended)
    told = [
        (await replicas.ask("GET", path)).text
        for path in (SUBSCRIPTION, "/v1/virtualexpo/attempts", "/v1/settings/VirtualExpoSubscription/aero")
    ]
    rows = await replicas.sql("SELECT a::text FROM virtualexpo_attempt a UNION SELECT s::text FROM setting s")
    everything = f"{told} {rows} {replicas.log()}"
    assert "virtualexpo.attempt" in everything
    assert replicas.partner.secret not in everything
