"""MOD: engines, operators and a fickle outside in random order; then the books must agree with the world.

The world knows what it really accepted. Whatever happened, it accepted each repeat at most once more often
than there are doubts on record, and once it behaves, everything ends.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leadbus.db import at_once
from leadbus.delivery import (
    Ambiguous,
    Delivered,
    DeliveryEngine,
    Held,
    Job,
    Limits,
    NewDelivery,
    Offer,
    OperationRefused,
    Outcome,
    Permanent,
    Planning,
    Skipped,
    Suspended,
    Transient,
    cancel,
    limit,
    pause,
    plan,
    redrive,
    resume,
)

Bench = Any
DESTINATIONS = ("x", "y")
WAYS = (
    *("taken", "busy", "down", "refused", "suspended"),
    *("skipped", "held", "lost_taken", "lost_untaken", "crash_taken"),
)

Command = tuple[str, int]
commands = st.lists(
    st.one_of(
        st.tuples(st.just("plan"), st.integers(0, 5)),
        st.tuples(
            st.sampled_from(
                [
                    "offer",
                    "offer_any",
                    "plan_and_start",
                    "step",
                    "die",
                    "redrive",
                    "cancel",
                    "pause",
                    "resume",
                    "limit",
                ]
            ),
            st.integers(0, 5),
        ),
        st.tuples(st.just("advance"), st.sampled_from([1, 10, 30, 60, 120])),
    ),
    min_size=10,
    max_size=40,
)


class World:
    """The other side: takes or does not take, answers or does not."""

    def __init__(self, ways: list[str]) -> None:
        self._ways = ways
        self._asked = 0
        self.accepted: Counter[tuple[str, int]] = Counter()
        self.in_flight: Counter[str] = Counter()
        self.disorder: list[str] = []
        self.behaves = False

    async def answer(self, job: Job) -> Outcome:
        order = job.ordering_key
        if order is not None:
            self.in_flight[order] += 1
            if self.in_flight[order] > 1:
                self.disorder.append(job.key)
        try:
            await asyncio.sleep(0)
            return self._answer(job)
        finally:
            if order is not None:
                self.in_flight[order] -= 1

    def _answer(self, job: Job) -> Outcome:
        way = "taken" if self.behaves else self._ways[self._asked % len(self._ways)]
        self._asked += 1
        if way in ("taken", "lost_taken", "crash_taken"):
            self.accepted[job.key, job.repeat_number] += 1
        if way == "crash_taken":
            raise RuntimeError("after the act")
        answers: dict[str, Outcome] = {
            "taken": Delivered(),
            "busy": Transient("busy"),
            "down": Transient("down", destination_down=True),
            "refused": Permanent("refused"),
            "suspended": Suspended("auth_refused"),
            "skipped": Skipped("consent"),
            "held": Held("domain_busy", 5),
        }
        return answers.get(way, Ambiguous("lost"))


class Play:
    """Carries out commands."""

    def __init__(self, bench: Bench, world: World) -> None:
        self.bench = bench
        bench.sink.acts.clear()
        bench.sink.answer = world.answer
        self.engines = [self._engine(), self._engine()]
        self.planned = 0

    def _engine(self) -> DeliveryEngine:
        engine: DeliveryEngine = self.bench.engine(capacity=4, retry_share=0.5)
        return engine

    async def do(self, command: Command) -> None:
        name, number = command
        await getattr(self, name)(number)

    async def plan(self, number: int) -> list[Offer]:
        one = self._new(number)
        async with self.bench.database.transaction() as conn:
            planned = await plan(conn, [one], now=self.bench.clock.now())
        return [Offer(each, one.destination) for each in planned if each is not None]

    async def plan_and_start(self, number: int) -> None:
        """By one statement of the process of one of the engines."""
        one, engine = self._new(number), self.engines[number % 2]
        planning = Planning([one], self.bench.clock.now())
        async with self.bench.database.acquire() as conn, engine.starting(planning) as starting:
            starting.committed(await at_once(conn, *starting.parts))
        if not starting.started:
            engine.offer([Offer(planning.ids[0], one.destination)])
        await asyncio.sleep(0.002)

    def _new(self, number: int) -> NewDelivery:
        self.planned += 1
        order = f"order-{number % 2}" if number < 4 else None
        key = f"k{self.planned}"
        return NewDelivery(
            key, f"lead-{key}", DESTINATIONS[number % 2], "route", ordering_key=order, priority=number % 3
        )

    async def offer(self, number: int) -> None:
        """Planned by the process of one of the engines."""
        self.engines[number % 2].offer(await self.plan(number))

    async def offer_any(self, number: int) -> None:
        """Whatever has become of it since."""
        rows = await self.bench.rows("SELECT id, destination FROM delivery ORDER BY seq OFFSET $1", number)
        self.engines[number % 2].offer([Offer(row["id"], row["destination"]) for row in rows[:2]])

    async def step(self, number: int) -> None:
        await self.engines[number % 2].step()
        await asyncio.sleep(0.002)

    async def advance(self, seconds: int) -> None:
        self.bench.clock.advance(seconds)

    async def die(self, number: int) -> None:
        """An engine's process ends in the middle; its leases run out."""
        dead = self.engines[number % 2]
        await dead.step()
        for act in list(dead._acts.values()):
            if act.task is not None:
                act.task.cancel()
                await asyncio.wait({act.task})
        self.engines[number % 2] = self._engine()
        await self.bench.expire_leases()

    async def redrive(self, number: int) -> None:
        await self._operate(redrive, number)

    async def cancel(self, number: int) -> None:
        await self._operate(cancel, number)

    async def pause(self, number: int) -> None:
        await self._destination(pause, number, reason="test")

    async def resume(self, number: int) -> None:
        await self._destination(resume, number)

    async def limit(self, number: int) -> None:
        wanted = Limits(max_in_flight=number or None, per_minute=60 * number or None)
        name = DESTINATIONS[number % 2]
        if await self.bench.rows("SELECT 1 FROM destination WHERE name = $1", name):
            async with self.bench.database.transaction() as conn:
                await limit(conn, name, wanted, actor="a")

    async def _operate(self, operation: Any, number: int) -> None:
        rows = await self.bench.rows("SELECT id FROM delivery ORDER BY seq OFFSET $1 LIMIT 1", number)
        for row in rows:
            try:
                async with self.bench.database.transaction() as conn:
                    await operation(conn, row["id"], actor="a", sink="test-sink", now=self.bench.clock.now())
            except OperationRefused:
                pass

    async def _destination(self, operation: Any, number: int, **more: Any) -> None:
        name = DESTINATIONS[number % 2]
        if await self.bench.rows("SELECT 1 FROM destination WHERE name = $1", name):
            async with self.bench.database.transaction() as conn:
                await operation(conn, name, actor="a", now=self.bench.clock.now(), **more)

    async def end(self) -> None:
        """Everybody behaves from now on: time must bring everything to an end."""
        for number in range(2):
            await self.plan(number)  # where all were cancelled nothing would be left to probe with
            await self.resume(number)
        for _ in range(40):
            await self.bench.settle(*self.engines)
            if not await self.bench.rows("SELECT 1 FROM delivery WHERE finished_at IS NULL"):
                return
            self.bench.clock.advance(120)
        raise AssertionError("something never ends")


async def audit(bench: Bench, world: World) -> None:
    assert world.disorder == [], "two of the same order in flight"
    deliveries = {row["key"]: row for row in await bench.rows("SELECT * FROM delivery")}
    attempts = await bench.rows(
        "SELECT attempt.*, key FROM attempt JOIN delivery ON delivery.id = delivery_id"
    )
    doubts = Counter((one["key"], one["repeat_number"]) for one in attempts if one["ambiguous"])
    taken = Counter((one["key"], one["repeat_number"]) for one in attempts if one["outcome"] == "delivered")
    for repeat, times in world.accepted.items():
        assert times <= 1 + doubts[repeat], f"{repeat} was taken {times} times without saying so"
    for repeat in taken:
        assert world.accepted[repeat] >= 1, f"{repeat} is said to be delivered and was not"
    for key, row in deliveries.items():
        tries = [one for one in attempts if one["key"] == key]
        assert sorted(one["n"] for one in tries) == list(range(1, row["attempts"] + 1))
        assert all(one["outcome"] is not None for one in tries), "every try has an end"
        assert row["doubts"] == doubts[key, row["repeat_number"]]
        if row["phase"] == "delivered":
            assert taken[key, row["repeat_number"]] == 1
    told = Counter(event.delivery_id for _, event in await bench.events())
    assert told == Counter(
        {row["id"]: row["announcements"] for row in deliveries.values() if row["announcements"]}
    )


async def audit_destinations(bench: Bench) -> None:
    """Suspended and resumed take turns, each told once, and in the end nothing is suspended."""
    told: dict[str, list[str]] = {}
    for kind, event in await bench.turns():
        told.setdefault(event.destination, []).append(kind)
    for row in await bench.rows("SELECT * FROM destination"):
        kinds = told.get(row["name"], [])
        assert kinds == ["suspended", "resumed"] * (row["announcements"] // 2)
        assert (row["breaker"], row["suspended_at"]) == ("closed", None) or not kinds


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(commands=commands, ways=st.lists(st.sampled_from(WAYS), min_size=1, max_size=10))
async def test_mod1_books_agree_with_the_world(
    bench: Bench, commands: list[Command], ways: list[str]
) -> None:
    await bench.execute("TRUNCATE delivery, attempt, destination, outbox, audit")
    world = World(ways)
    play = Play(bench, world)
    for command in commands:
        await play.do(command)
    world.behaves = True
    await play.end()
    await audit(bench, world)
    await audit_destinations(bench)
