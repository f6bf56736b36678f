"""Ingest as a process that dies with leads of the BDK in hand, and what it never says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from leadbus_devstack.pytest_plugin import MakeDatabase, StartSandbox
from leadbus_devstack.sandboxes.bdk import CLIENT_ID
from leadbus_devstack.vhosts import Vhost

from tests.support.bdk_bank import PARTNER, lead
from tests.support.replicas import Replicas, until


class Told(Replicas):
    """The partner is the bank, which tells the process started last."""

    async def connect(self, **changed: Any) -> None:
        secret = f"file:{self.partner.secret_file}"
        spec = {
            "base_url": self.partner.url,
            "token_url": f"{self.partner.url}/oauth/token",
            "client_id": CLIENT_ID,
            "client_secret": secret,
            "partner_numbers": [PARTNER],
            "notifications": {"secrets": [secret]},
            **changed,
        }
        await self.apply("BdkConnection", "bank", spec)
        await self.at_bank("PUT", "/notifying", {"url": f"{self.url}/v1/bdk/notifications/bank"})

    async def at_bank(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(self.partner.ask, method, path, body)

    async def misbehave(self, **faults: Any) -> None:
        await asyncio.to_thread(self.partner.control, **faults)

    async def asked(self) -> bool:
        return any(seen.path.startswith("/leads/") for seen in await asyncio.to_thread(self.partner.requests))


@pytest.fixture
async def replicas(
    sandbox: StartSandbox, topology: Vhost, make_database: MakeDatabase, tmp_path: Path
) -> AsyncIterator[Told]:
    async with Told.of(sandbox("bdk"), topology.amqp_url, make_database("ingest"), tmp_path) as made:
        yield made


async def test_told_of_by_the_bank_a_lead_is_fetched_and_published(replicas: Told) -> None:
    await replicas.start()
    await replicas.connect()
    assert await replicas.at_bank("POST", "/leads", [lead()]) == [202]
    await until(replicas.published)
    (row,) = await replicas.sql("SELECT account, source FROM raw")
    assert (row["account"], row["source"]) == ("bank", "bdk")


async def test_killed_with_a_lead_in_hand_another_one_fetches_it(replicas: Told) -> None:
    killed = await replicas.start()
    await replicas.connect(reconciliation={"enabled": False})
    await replicas.misbehave(hang=True)
    assert await replicas.at_bank("POST", "/leads", [lead()]) == [202]
    await until(replicas.asked)
    await asyncio.to_thread(killed.kill)
    await replicas.misbehave()
    await replicas.start()
    # The lease of the dead one is what the next waits for; here its time passes at once.
    assert await replicas.sql("SELECT FROM bdk_read WHERE lease_until > now()")
    await replicas.sql("UPDATE bdk_read SET lease_until = now() - interval '1 second'")
    await until(replicas.published)
    assert len(await replicas.sql("SELECT FROM raw")) == 1


async def test_what_was_answered_202_outlives_the_process_that_answered(replicas: Told) -> None:
    killed = await replicas.start()
    await replicas.connect(reconciliation={"enabled": False})
    await replicas.misbehave(early=10**6)
    numbers = [f"LS-{n}" for n in range(20)]
    assert await replicas.at_bank("POST", "/leads", [lead(number) for number in numbers]) == [202] * 20
    await asyncio.to_thread(killed.kill)
    await replicas.misbehave()
    await replicas.start()
    await replicas.sql("UPDATE bdk_read SET lease_until = NULL, due_at = now()")

    async def all_published() -> bool:
        return len(await replicas.published()) == 20

    await until(all_published)


async def test_at_sigterm_it_ends_what_it_has_in_hand(replicas: Told) -> None:
    process = await replicas.start()
    await replicas.connect(reconciliation={"enabled": False})
    await replicas.misbehave(delay_seconds=2)
    assert await replicas.at_bank("POST", "/leads", [lead()]) == [202]
    await until(replicas.asked)
    await asyncio.to_thread(process.stop)
    assert len(await replicas.sql("SELECT FROM raw")) == 1
    assert process.process.exit_code == 0


@pytest.mark.parametrize(
    "faults", [{}, {"status": 500}, {"cut": True}, {"token_status": 401}, {"status": 302}, {"answer": "html"}]
)
async def test_no_secret_no_token_and_nobodys_name_is_ever_said(
    replicas: Told, faults: dict[str, Any]
) -> None:
    await replicas.start()
    await replicas.connect()
    await replicas.misbehave(**faults)
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
        for seen in await asyncio.to_thread(replicas.partner.requests)
        if seen.path.startswith("/leads")
    }
    for secret in (replicas.partner.secret, "Ahlen", "joerdis", *tokens):
        assert secret not in everything
