"""SD70–SD72: a recipient domain that is slow, and what the others notice of it: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from adf_mailer.delivery import AdfMailSink, DomainGates, SmartHost, SmartHosts

Mailer = Any
Scripted = Any
Leads = Any
Behind = Any
SLOW, FAST = "leads@slow.example", "leads@fast.example"
LEADS = 6
DEADLINE_SECONDS = 20.0


class Host:
    """A smart host that answers for the slow domain when it is let go, and the mailer in front of it."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.asked = 0
        self.most = 0
        self._now = 0

    async def rcpt(self, line: str) -> str | None:
        if SLOW in line:
            self.asked += 1
            self._now += 1
            self.most = max(self.most, self._now)
            await self.let_go.wait()
            self._now -= 1
        return None


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
async def behind(mailer: Mailer) -> AsyncIterator[Callable[..., None]]:
    """`behind(server, most=1)`: the mailer's engine (four at once) sends there, through gates of its own."""
    acting, hosts = mailer.engine._acting, []

    def put(server: Any, **gates: Any) -> None:
        smart_host = SmartHost(
            "127.0.0.1", server.port, "leadbus.example", tls="off", step_timeout_seconds=30
        )
        hosts.append(SmartHosts([smart_host], size=4))
        acting._sink = AdfMailSink(
            acting._sink._desk,
            hosts[0],
            DomainGates(**({"capacity": 4, "most": 2, "wait_seconds": 0.05} | gates)),
            acting._sink._addresses,
            acting._sink._refusals,
            mailer.clock,
        )

    yield put
    await hosts[0].close()


async def leads_to_both(mailer: Mailer, golden_lead: Leads, number: int = LEADS) -> None:
    """The slow domain's first, so that they are in front everywhere."""
    await mailer.route("slow", address=SLOW, intents=["test_drive"])
    await mailer.route("fast", address=FAST)
    for intent in ("test_drive", "callback"):
        for _ in range(number):
            lead = golden_lead(lead_id=str(uuid4()), intents=[intent])
            await mailer.take(mailer.event("received", lead))


async def phases(mailer: Mailer, route: str) -> list[str]:
    rows = await mailer.deliveries()
    return [row["phase"] for row in rows if row["route"] == route]


async def until_delivered(mailer: Mailer, route: str) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while set(await phases(mailer, route)) != {"delivered"}:
            mailer.clock.advance(1)
            await mailer.engine.step()
            await asyncio.sleep(0.01)


async def test_sd70_a_slow_domain_holds_up_no_other(
    mailer: Mailer, behind: Behind, scripted: Scripted, golden_lead: Leads, host: Host
) -> None:
    behind(await scripted(rcpt=host.rcpt))
    await leads_to_both(mailer, golden_lead)
    await until_delivered(mailer, "fast")

    assert "delivered" not in await phases(mailer, "slow")
    assert host.most <= 2
    host.let_go.set()
    await until_delivered(mailer, "slow")
    assert host.asked == LEADS, "each was sent once"


async def test_sd71_who_was_held_is_told_so_and_nobody_lost_a_try(
    mailer: Mailer, behind: Behind, scripted: Scripted, golden_lead: Leads, host: Host
) -> None:
    behind(await scripted(rcpt=host.rcpt), most=1)
    await leads_to_both(mailer, golden_lead, 3)
    await until_delivered(mailer, "fast")
    held: list[dict[str, Any]] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(held) < 2:  # the third one is at the host
            await mailer.engine.step()
            await asyncio.sleep(0.01)
            held = [row for row in await mailer.deliveries() if row["phase"] == "queued"]
    assert {(row["outcome"], row["reason"], row["attempts"], row["failures"]) for row in held} == {
        ("held", "domain_busy", 1, 0)
    }

    host.let_go.set()
    await until_delivered(mailer, "slow")
    story = (await mailer.http.get(f"/v1/deliveries/{held[0]['id']}", headers=mailer.token("viewer"))).json()
    assert [(one["n"], one["outcome"], one["reason"]) for one in story["tries"]] == [
        (1, "held", "domain_busy"),
        (2, "delivered", None),
    ]
    (destination,) = await mailer.rows("SELECT breaker, consecutive_failures FROM destination")
    assert dict(destination) == {"breaker": "closed", "consecutive_failures": 0}


async def test_sd72_a_domain_that_asks_for_less_gets_its_mails_one_by_one(
    mailer: Mailer, behind: Behind, scripted: Scripted, golden_lead: Leads
) -> None:
    server = await scripted(rcpt=["450 4.7.28 too fast"])
    behind(server, most=4, wait_seconds=0.0)
    await mailer.route("slow", address=SLOW)
    await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()))))
    await mailer.work()
    for _ in range(3):
        await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()))))
    await mailer.work()

    outcomes = sorted(str(row["outcome"]) for row in await mailer.deliveries())
    assert outcomes == ["held", "held", "held", "transient"]
    assert len(server.mails) == 0
