"""SD80–SD91: how fast one smart host is sent to, and who takes what it has no room for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from adf_mailer.delivery import SmartHost, SmartHosts, hosts
from adf_mailer.delivery.gates import Busy
from adf_mailer.delivery.hosts import HostGates
from adf_mailer.delivery.replies import Step, Verdict
from leadbus.delivery import Delivered, Transient
from leadbus_devstack.smtp.scripted import DROP
from pydantic import SecretStr

Mailer = Any
Scripted = Any
Connect = Any
Leads = Any
Pool = Any
SLOW_DOWN = Verdict(Transient("host_refused", answer="421 4.7.0 slow", destination_down=True), Step.CONNECT)
DEADLINE_SECONDS = 20.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Stuck:
    """Keeps every mail at its recipient until it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def rcpt(self, _: str) -> str | None:
        await self.let_go.wait()
        return None


@pytest.fixture
def stuck() -> Stuck:
    return Stuck()


async def begin(pool: Pool, *servers: Any) -> asyncio.Task[Any]:
    """One mail; returns when its recipient is named at one of the servers, or it has come back."""
    before = addressed(*servers)
    task = asyncio.create_task(pool.send())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while addressed(*servers) == before and not task.done():  # noqa: ASYNC110 -- nothing tells
            await asyncio.sleep(0.001)
    return task


def addressed(*servers: Any) -> int:
    """How many mails' recipients were named there."""
    return sum(line.startswith("RCPT") for server in servers for line in server.commands)


async def test_sd80_the_next_host_takes_what_the_first_has_no_room_for(
    scripted: Scripted, connect: Connect, stuck: Stuck
) -> None:
    first, second = await scripted(rcpt=stuck.rcpt), await scripted()
    pool = connect(first, second, pool={"size": 2}, step_timeout_seconds=5)
    tasks = [await begin(pool, first, second) for _ in range(2)]
    assert [isinstance(await pool.send(), Delivered) for _ in range(3)] == [True] * 3
    assert (first.connections, len(second.mails)) == (2, 3)

    stuck.let_go.set()
    await asyncio.gather(*tasks)
    assert isinstance(await pool.send(), Delivered)
    assert (len(first.mails), len(second.mails)) == (3, 3), "there is room at the first again"
    await pool.close()


async def test_sd81_and_what_is_more_than_its_mails_per_minute(
    scripted: Scripted, connect: Connect, clock: Clock
) -> None:
    first, second = await scripted(), await scripted()
    pool = connect(first, second, pool={"mails_per_minute": 20, "now": clock})
    taken = []
    for now in (0.0, 1.0, 3.0, 4.0, 6.0):
        clock.now = now
        assert isinstance(await pool.send(), Delivered)
        taken.append((len(first.mails), len(second.mails)))
    assert taken == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2)]
    await pool.close()


async def test_sd82_where_there_is_no_other_a_mail_waits_for_room_that_comes_soon(
    scripted: Scripted, connect: Connect
) -> None:
    server = await scripted()
    pool = connect(server, pool={"size": 1}, before_dot_timeout_seconds=5)

    outcomes = await asyncio.gather(*(pool.send() for _ in range(4)))
    assert [type(outcome) for outcome in outcomes] == [Delivered] * 4
    assert (server.connections, len(server.mails)) == (1, 4)
    await pool.close()


async def test_sd83_else_it_is_held(scripted: Scripted, connect: Connect, clock: Clock) -> None:
    first, second = await scripted(), await scripted()
    pool = connect(first, second, pool={"mails_per_minute": 10, "now": clock})
    for _ in range(2):
        await pool.send()

    held = []
    for _ in range(4):
        with pytest.raises(Busy) as busy:
            await pool.send()
        held.append((busy.value.reason, busy.value.after_seconds))
    assert held == [("host_busy", 6.0), ("host_busy", 12.0), ("host_busy", 15.0), ("host_busy", 15.0)]
    assert (len(first.mails), len(second.mails)) == (1, 1)
    await pool.close()


async def test_sd84_a_host_that_rests_is_not_asked_because_another_is_busy(
    scripted: Scripted, connect: Connect, clock: Clock, stuck: Stuck
) -> None:
    first, second = await scripted(connect=[DROP]), await scripted(rcpt=stuck.rcpt)
    pool = connect(
        first, second, pool={"size": 1, "now": clock}, step_timeout_seconds=5, before_dot_timeout_seconds=5
    )
    task = await begin(pool, second)
    clock.now = 4.0
    with pytest.raises(Busy):
        await pool.send()
    assert (first.connections, second.connections) == (1, 1)
    clock.now = 5.0
    assert isinstance(await pool.send(), Delivered)
    assert len(first.mails) == 1, "its rest is over"

    stuck.let_go.set()
    assert isinstance(await task, Delivered)
    await pool.close()


async def test_sd85_held_as_well_where_one_fails_and_the_other_is_busy(
    scripted: Scripted, connect: Connect, clock: Clock, stuck: Stuck
) -> None:
    """The destination is not down: that other host takes mails."""
    first, second = await scripted(connect=DROP), await scripted(rcpt=stuck.rcpt)
    pool = connect(
        first, second, pool={"size": 1, "now": clock}, step_timeout_seconds=5, before_dot_timeout_seconds=5
    )
    task = await begin(pool, second)
    clock.now = 5.0
    with pytest.raises(Busy):
        await pool.send()
    assert (first.connections, second.connections) == (2, 1)

    stuck.let_go.set()
    assert isinstance(await task, Delivered)
    await pool.close()


@pytest.mark.parametrize(
    ("script", "to_the_first"),
    [
        pytest.param({"connect": ["421 4.3.2 busy"]}, 2, id="SD86a-greeting-421"),
        pytest.param({"connect": ["450 4.7.0 too many"]}, 2, id="SD86b-greeting-4.7.x"),
        pytest.param({"ehlo": ["421 4.7.0 slow"]}, 2, id="SD86c-ehlo"),
        pytest.param({"auth": ["454 4.7.0 too many logins", *["235 ok"] * 9]}, 2, id="SD86d-auth"),
        pytest.param({"mail": ["421 4.7.0 slow"]}, 2, id="SD86e-mail-421"),
        pytest.param({"mail": ["450 4.7.1 rate"]}, 2, id="SD86f-mail-4.7.x"),
        pytest.param({"connect": [DROP]}, 4, id="SD86g-no-connection"),
        pytest.param({"mail": ["452 4.3.1 disk"]}, 4, id="SD86h-another-subject"),
        pytest.param({"data": ["421 4.3.2 stopping"]}, 4, id="SD86i-the-recipient-was-named"),
    ],
)
async def test_asked_to_slow_down_it_comes_back_with_half_as_many_at_once(
    scripted: Scripted,
    connect: Connect,
    clock: Clock,
    stuck: Stuck,
    script: dict[str, Any],
    to_the_first: int,
) -> None:
    login: dict[str, Any] = {"extensions": ("AUTH PLAIN",)} if "auth" in script else {}
    first, second = await scripted(**script, **login), await scripted(auth="235 ok", **login)
    pool = connect(
        first,
        second,
        pool={"size": 4, "now": clock},
        step_timeout_seconds=5,
        before_dot_timeout_seconds=5,
        **({"username": "u", "password": SecretStr("p")} if login else {}),
    )
    await pool.send()
    first.script.pop("data", None)
    clock.now = 5.0
    assert isinstance(await pool.send(), Delivered)
    assert len(first.mails) == 1, "it has had its rest"

    first.script["rcpt"] = second.script["rcpt"] = stuck.rcpt
    before, tasks = addressed(first), []
    for _ in range(4):
        clock.now += 5.0
        tasks.append(await begin(pool, first, second))
    assert addressed(first) - before == to_the_first
    stuck.let_go.set()
    assert [type(outcome) for outcome in await asyncio.gather(*tasks)] == [Delivered] * 4
    await pool.close()


async def test_sd87_and_apart(scripted: Scripted, connect: Connect, clock: Clock) -> None:
    """One host, so that its rest does not count."""
    server = await scripted(connect=["421 4.7.0 slow", "421 4.7.0 slow"])
    pool = connect(server, pool={"now": clock})
    asked = []
    for now in (0.0, 0.4, 1.0, 2.4, 3.0, 4.0, 5.0, 5.4, 6.0, 6.1):
        clock.now = now
        try:
            await pool.send()
        except Busy:
            asked.append("held")
        else:
            asked.append("asked")
    assert asked == ["asked", "held"] * 4 + ["asked"] * 2
    assert len(server.mails) == 4
    await pool.close()


async def passes(gates: HostGates, verdict: Verdict | None = None) -> bool:
    try:
        async with gates.passing("smtp.example:587") as mail:
            mail.verdict = verdict
    except Busy:
        return False
    return True


async def test_sd88_never_further_than_five_seconds(clock: Clock) -> None:
    gates = HostGates(most=8, wait_seconds=0.0, now=clock)
    for _ in range(20):
        assert await passes(gates, SLOW_DOWN)
        assert not await passes(gates)
        clock.now += 5.0
    assert await passes(gates)


async def test_sd89_back_at_full_speed_as_it_takes_mails(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, bool]] = []

    class Slowed:
        """In place of the gauge, whose hosts are those of all tests and more than it names."""

        def labels(self, *, host: str) -> Any:
            return SimpleNamespace(set=lambda slowed: told.append((host, slowed)))

    monkeypatch.setattr(hosts, "HOST_SLOWED", Slowed())
    gates = HostGates(most=2, wait_seconds=0.0, now=clock)
    for verdict in (SLOW_DOWN, *[Verdict(Delivered("250 ok"), Step.CONTENT)] * 5):
        assert await passes(gates, verdict)
        clock.now += 1.0
    assert told == [("smtp.example:587", True), ("smtp.example:587", False)]
    async with gates.passing("smtp.example:587"):
        assert await passes(gates)


async def until(
    mailer: Mailer, wanted: Callable[[dict[str, Any]], bool], number: int, *, seconds: float = 1.0
) -> list[dict[str, Any]]:
    """The engine works until so many deliveries are as wanted; so many seconds go by between its steps."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(found := [row for row in await mailer.deliveries() if wanted(row)]) < number:
            mailer.clock.advance(seconds)
            await mailer.engine.step()
            await asyncio.sleep(0.01)
    return found


async def test_sd90_who_was_held_lost_no_try(
    mailer: Mailer, scripted: Scripted, golden_lead: Leads, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await scripted(rcpt=stuck.rcpt)
    host = SmartHost("127.0.0.1", server.port, "leadbus.example", tls="off", step_timeout_seconds=30)
    smart_hosts = SmartHosts([host], size=1)
    monkeypatch.setattr(mailer.engine._acting._sink, "_hosts", smart_hosts)
    await mailer.route()
    for _ in range(3):
        await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()))))

    held = await until(mailer, lambda row: row["outcome"] == "held", 2)
    assert {(row["phase"], row["reason"], row["attempts"], row["failures"]) for row in held} == {
        ("queued", "host_busy", 1, 0)
    }
    stuck.let_go.set()
    await until(mailer, lambda row: row["phase"] == "delivered", 3)
    assert len(server.mails) == 3
    (destination,) = await mailer.rows("SELECT breaker, consecutive_failures FROM destination")
    assert dict(destination) == {"breaker": "closed", "consecutive_failures": 0}
    await smart_hosts.close()


async def test_sd91_a_host_that_said_421_for_a_while_gets_all_that_waited(
    mailer: Mailer, scripted: Scripted, golden_lead: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held mails do not keep the breaker's probes from finding out."""
    server = await scripted(connect=["421 4.3.2 busy"] * 8)
    host = SmartHost("127.0.0.1", server.port, "leadbus.example", tls="off", step_timeout_seconds=5)
    smart_hosts = SmartHosts([host], size=4, now=lambda: mailer.clock.now().timestamp())
    monkeypatch.setattr(mailer.engine._acting._sink, "_hosts", smart_hosts)
    await mailer.route()
    for _ in range(8):
        await mailer.take(mailer.event("received", golden_lead(lead_id=str(uuid4()))))

    delivered = await until(mailer, lambda row: row["phase"] == "delivered", 8, seconds=10)
    assert (len(server.mails), {row["failures"] for row in delivered}) == (8, {0})
    await smart_hosts.close()
