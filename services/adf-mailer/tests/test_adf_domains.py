"""SD40–SD64: how fast a recipient domain is sent to, and that a slow one hurts nobody else."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from adf_mailer.delivery import domains
from adf_mailer.delivery.domains import DomainGates
from adf_mailer.delivery.gates import LONGEST_HOLD_SECONDS, SHORTEST_HOLD_SECONDS, Busy
from adf_mailer.delivery.replies import Step, Verdict
from adf_mailer.delivery.speed import Speed
from adf_mailer.metrics import SLOWED_DOMAINS
from hypothesis import given
from hypothesis import strategies as st
from leadbus.delivery import Delivered, Permanent, Transient

TAKEN = Verdict(Delivered("250 ok"), Step.CONTENT)
SLOW_DOWN = Verdict(Transient("mailbox_busy", answer="450 4.7.28 rate"), Step.RCPT)
REFUSED = Verdict(Permanent("bad_address", "550 5.1.1 no"), Step.RCPT)


def after(*steps: Any, most: int = 8) -> tuple[int, float]:
    """Mails at once and the interval; a step is "taken", or when a mail that was refused began and ended."""
    speed = Speed.full(most)
    for step in steps:
        speed = speed.taken() if step == "taken" else speed.refused(began=step[0], now=step[1])
    return speed.at_once, speed.interval_seconds


@pytest.mark.parametrize(
    ("steps", "at_once", "interval"),
    [
        pytest.param([], 8, 0.0, id="SD40-full"),
        pytest.param([(0, 1)], 4, 1.0, id="SD41-halved"),
        pytest.param([(0, 1), (2, 3)], 2, 2.0, id="SD42-and-again"),
        pytest.param([(0, 1), (0.5, 3)], 4, 1.0, id="SD43-one-under-way-says-nothing-new"),
        pytest.param([(n, n) for n in range(4)], 1, 8.0, id="SD44-never-below-one"),
        pytest.param([(n, n) for n in range(40)], 1, 60.0, id="SD45-never-above-a-minute"),
        pytest.param([(0, 1), "taken"], 4, 0.0, id="SD46-the-interval-shrinks-by-a-second"),
        pytest.param([(0, 1), *["taken"] * 5], 5, 0.0, id="SD47-one-more-after-a-round"),
        pytest.param([(0, 1), *["taken"] * 30], 8, 0.0, id="SD48-back-at-full-speed"),
        pytest.param(["taken"] * 100, 8, 0.0, id="SD49-never-above"),
    ],
)
def test_speed(steps: list[Any], at_once: int, interval: float) -> None:
    assert after(*steps) == (at_once, interval)


@given(
    most=st.integers(1, 50),
    steps=st.lists(st.one_of(st.just("taken"), st.tuples(st.integers(0, 9), st.integers(0, 9))), max_size=60),
)
def test_sd50_something_always_goes(most: int, steps: list[Any]) -> None:
    at_once, interval = after(*steps, most=most)
    assert 1 <= at_once <= most
    assert 0 <= interval <= 60
    assert after(*steps, *["taken"] * (60 + most * most), most=most) == (most, 0.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def gates(clock: Clock, **settings: Any) -> DomainGates:
    """Nobody waits inside."""
    defaults: dict[str, Any] = {"capacity": 8, "most": 4, "wait_seconds": 0.0, "now": clock}
    return DomainGates(**(defaults | settings))


async def send(gate: DomainGates, domain: str, verdict: Verdict = TAKEN) -> None:
    async with gate.passing(domain) as mail:
        mail.verdict = verdict


async def hold(gate: DomainGates, domain: str) -> float:
    """For how long the next mail would be held, 0 for not at all."""
    try:
        async with gate.passing(domain):
            return 0.0
    except Busy as busy:
        return busy.after_seconds


async def test_sd51_a_domain_gets_its_part_and_others_find_room(clock: Clock) -> None:
    gate = gates(clock)
    async with AsyncExitStack() as under_way:
        for _ in range(4):
            await under_way.enter_async_context(gate.passing("slow.example"))
        assert await hold(gate, "slow.example") > 0
        assert await hold(gate, "other.example") == 0
    assert await hold(gate, "slow.example") == 0


async def test_sd52_a_newcomer_finds_room_among_many_slow_domains(clock: Clock) -> None:
    gate = gates(clock)
    async with AsyncExitStack() as under_way:
        for name in ("a.example", "b.example"):
            while not await hold(gate, name):
                await under_way.enter_async_context(gate.passing(name))
        assert await hold(gate, "new.example") == 0


async def test_sd53_all_slots_are_one_domains_where_that_is_set(clock: Clock) -> None:
    gate = gates(clock, most=8)
    async with AsyncExitStack() as under_way:
        for _ in range(8):
            await under_way.enter_async_context(gate.passing("only.example"))
        assert await hold(gate, "only.example") > 0


async def test_sd54_mails_per_minute(clock: Clock) -> None:
    gate = gates(clock, per_minute=20)
    begun: list[float] = []
    for _ in range(600):
        if not await hold(gate, "paced.example"):
            begun.append(clock.now)
        clock.now += 0.1
    assert len(begun) == 20
    assert await hold(gate, "other.example") == 0


async def test_sd55_those_that_are_held_come_back_one_by_one(clock: Clock) -> None:
    gate = gates(clock, per_minute=20)
    assert [await hold(gate, "paced.example") for _ in range(4)] == pytest.approx([0, 3, 6, 9])


async def test_sd56_none_is_held_for_long(clock: Clock) -> None:
    gate = gates(clock, per_minute=1)
    assert {await hold(gate, "paced.example") for _ in range(30)} == {0.0, LONGEST_HOLD_SECONDS}


async def test_sd57_asked_to_slow_down_half_as_many_go_and_apart(clock: Clock) -> None:
    gate = gates(clock)
    await send(gate, "slow.example", SLOW_DOWN)
    assert SLOWED_DOMAINS._series._value.get() == 1
    assert await hold(gate, "slow.example") > 0
    assert await hold(gate, "other.example") == 0
    async with AsyncExitStack() as under_way:
        for _ in range(2):
            clock.now += 1.0
            await under_way.enter_async_context(gate.passing("slow.example"))
        clock.now += 1.0
        assert await hold(gate, "slow.example") > 0, "two of four"
    for _ in range(30):
        clock.now += 10.0
        await send(gate, "slow.example")
    assert SLOWED_DOMAINS._series._value.get() == 0
    async with AsyncExitStack() as under_way:
        for _ in range(4):
            await under_way.enter_async_context(gate.passing("slow.example"))


async def test_sd58_a_refused_address_is_no_reason_to_slow_down(clock: Clock) -> None:
    gate = gates(clock)
    for _ in range(9):
        await send(gate, "fine.example", REFUSED)
    assert SLOWED_DOMAINS._series._value.get() == 0


async def test_sd59_what_was_not_sent_gives_its_room_back(clock: Clock) -> None:
    gate = gates(clock, most=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            async with gate.passing("fine.example"):
                raise RuntimeError("the lease is lost")
    assert await hold(gate, "fine.example") == 0


async def test_sd64_nor_was_a_mail_begun_that_found_no_room_behind_the_gate(clock: Clock) -> None:
    gate = gates(clock, per_minute=20)
    for _ in range(3):
        with pytest.raises(Busy):
            async with gate.passing("paced.example"):
                raise Busy("host_busy", 5.0)
    assert [await hold(gate, "paced.example") for _ in range(2)] == pytest.approx([0, 3])


async def test_sd60_a_mail_waits_inside_where_it_will_not_be_long() -> None:
    gate = DomainGates(capacity=2, most=1, wait_seconds=30.0)
    order: list[int] = []
    gone = asyncio.Event()

    async def mail(number: int) -> None:
        async with gate.passing("fast.example"):
            order.append(number)
            await gone.wait()

    sent = [asyncio.create_task(mail(number)) for number in range(4)]
    while not order:  # noqa: ASYNC110 -- nothing tells when the first one is inside
        await asyncio.sleep(0)
    gone.set()
    await asyncio.gather(*sent)
    assert order == [0, 1, 2, 3]


async def test_sd61_nobody_waits_behind_what_hangs(clock: Clock) -> None:
    """How long it will take is judged by how long it has taken so far."""
    gate = gates(clock, most=1, wait_seconds=1.0)
    async with gate.passing("slow.example"):
        clock.now = 30.0
        assert await hold(gate, "slow.example") == LONGEST_HOLD_SECONDS


async def test_sd62_and_gives_up_waiting_for_it() -> None:
    gate = DomainGates(capacity=2, most=1, wait_seconds=0.05)
    async with gate.passing("slow.example"):
        assert await hold(gate, "slow.example") >= SHORTEST_HOLD_SECONDS


async def test_sd63_domains_are_forgotten_but_for_those_that_are_slow(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domains, "_MANY", 10)
    gate = gates(clock)
    await send(gate, "slow.example", SLOW_DOWN)
    for number in range(30):
        await send(gate, f"{number}.example")
    assert len(gate._lanes) <= 10
    assert "slow.example" in gate._lanes
    clock.now += domains.KEPT_SECONDS + 1
    for number in range(30):
        await send(gate, f"{number}.example")
    assert "slow.example" not in gate._lanes
    assert SLOWED_DOMAINS._series._value.get() == 0
