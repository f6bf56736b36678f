"""What a consumer has in memory is bounded by bytes, whatever the broker has to give."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from leadbus import metrics
from leadbus.consumer import generation
from leadbus.consumer.window import Window
from leadbus.messages import DOORS_BODY_BYTES as DOOR
from leadbus.messages import IncomingMessage

QUEUE = "adf-mailer.leads"
KIB = 1024
MIB = 1024 * KIB
HELD_BYTES = 8 * MIB


def overflows() -> float:
    return metrics.REGISTRY.get_sample_value("leadbus_consumer_overflows_total", {"queue": QUEUE}) or 0


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of undecided bodies after each delivery, as the objects themselves say."""
    seen: list[int] = []
    alive: dict[int, int] = {}
    delivered, settles = generation.Generation._on_delivery, generation.Generation._settles

    def on_delivery(self: Any, message: IncomingMessage) -> None:
        alive[id(message)] = len(message.body)
        seen.append(sum(alive.values()))
        delivered(self, message)

    def settled(self: Any, messages: Sequence[IncomingMessage]) -> bool:
        for message in messages:
            alive.pop(id(message))
        return settles(self, messages)

    monkeypatch.setattr(generation.Generation, "_on_delivery", on_delivery)
    monkeypatch.setattr(generation.Generation, "_settles", settled)
    return seen


def large(count: int, size: int = MIB, first: int = 0) -> list[bytes]:
    return [b"%05d" % number + b"x" * (size - 5) for number in range(first, first + count)]


async def test_large_bodies_come_as_many_as_fit_and_none_twice(
    wire: Any, consume: Any, recorder: Any, eventually: Any, topology: Any, held: list[int]
) -> None:
    """What the door lets in is never more than the bound, so nothing has to go back."""
    before = overflows()
    bodies = large(12, DOOR)

    async def until_two_are_here(_: list[bytes]) -> None:
        await eventually(lambda: len(held) >= 2)

    recorder.react = until_two_are_here
    await wire.put(*bodies)
    await consume(topology.amqp_url, prefetch=800, held_bytes=HELD_BYTES)
    await eventually(lambda: len(recorder.done) == len(bodies), seconds=120)
    assert recorder.done == bodies
    assert max(held) == HELD_BYTES
    assert overflows() == before
    assert {message.delivery_count for message in recorder.messages} == {0}


async def test_large_bodies_behind_small_ones_do_not_pass_the_bound(
    wire: Any, consume: Any, recorder: Any, eventually: Any, topology: Any, held: list[int]
) -> None:
    """The window is wide open when they come: what is above goes back, and is handled in its turn."""
    before = overflows()
    small = [b"%05d" % number for number in range(100)]
    bodies = small + large(40, first=100) + [b"%05d" % number for number in range(140, 240)]

    async def until_it_was_too_much(_: list[bytes]) -> None:
        await eventually(lambda: overflows() > before, seconds=120)

    recorder.react = until_it_was_too_much
    await wire.put(*bodies)
    await consume(topology.amqp_url, prefetch=200, held_bytes=HELD_BYTES)
    await eventually(lambda: len(set(recorder.done)) == len(bodies), seconds=120)
    assert sorted(recorder.done) == bodies, "each once"
    assert HELD_BYTES / 2 < max(held) <= HELD_BYTES
    assert overflows() > before
    assert await wire.ready() == 0


async def test_memory_itself_is_bounded(
    wire: Any, consume: Any, recorder: Any, eventually: Any, topology: Any
) -> None:
    """Bodies above the bound are nowhere in this process, not even in pieces."""
    release, reached = asyncio.Event(), asyncio.Event()

    async def hold(_: list[bytes]) -> None:
        reached.set()
        await release.wait()

    await wire.put(*[b"%05d" % number for number in range(100)], *large(60, first=100))
    await wire.close()
    recorder.react = hold
    before = overflows()
    tracemalloc.start()
    try:
        consumer = await consume(topology.amqp_url, prefetch=200, held_bytes=HELD_BYTES, wait=False)
        await reached.wait()
        await eventually(lambda: overflows() > before and consumer._generation._cancelled, seconds=120)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        recorder.react = None
        release.set()
    assert peak_bytes < HELD_BYTES + 6 * MIB
    await eventually(lambda: len(set(recorder.done)) == 160, seconds=120)


async def test_one_that_is_larger_than_the_bound_is_handled_alone(
    wire: Any, consume: Any, recorder: Any, eventually: Any, topology: Any, held: list[int]
) -> None:
    bodies = large(5, 3 * MIB)
    await wire.put(*bodies)
    await consume(topology.amqp_url, batch_size=50, prefetch=50, held_bytes=MIB)
    await eventually(lambda: len(recorder.done) == len(bodies), seconds=120)
    assert recorder.done == bodies
    assert max(held) == 3 * MIB


async def test_heartbeats_go_on_while_all_that_may_be_held_is_held(
    wire: Any, consume: Any, recorder: Any, eventually: Any, topology: Any
) -> None:
    """Nothing stops reading the socket: an answer of the broker still comes through it."""
    release, reached = asyncio.Event(), asyncio.Event()

    async def hold(_: list[bytes]) -> None:
        reached.set()
        await release.wait()

    recorder.react = hold
    await wire.put(*[b"%05d" % number for number in range(100)], *large(30, first=100))
    before = overflows()
    consumer = await consume(topology.amqp_url, prefetch=200, held_bytes=HELD_BYTES, wait=False)
    await reached.wait()
    await eventually(lambda: overflows() > before and consumer._generation._cancelled, seconds=120)
    channel = consumer._generation._channel
    assert await channel.queue_declare(QUEUE, passive=True)
    assert not consumer._generation.lost.is_set()
    recorder.react = None
    release.set()
    await eventually(lambda: len(set(recorder.done)) == 130, seconds=120)


async def test_drained_while_the_window_grows_it_keeps_and_repeats_nothing(
    wire: Any, consume: Any, recorder: Any, eventually: Any, topology: Any
) -> None:
    """Not their order: RabbitMQ gives what was on its way to a cancelled consumer to the next."""
    bodies = [b"%05d" % number for number in range(400)]
    await wire.put(*bodies)
    consumer = await consume(topology.amqp_url, prefetch=100, held_bytes=HELD_BYTES, wait=False)
    await eventually(lambda: bool(recorder.done))
    await consumer.drain(60)

    async def all_returned() -> bool:
        return bool(await wire.ready() + len(recorder.done) == len(bodies))

    await eventually(all_returned)
    assert sorted([*recorder.done, *await wire.bodies()]) == bodies


def met(window: Window, *sizes: int) -> int:
    return sum(window.met(size) for size in sizes)


def test_small_ones_open_the_window_at_once() -> None:
    asked = Window(800, 64 * MIB)
    assert asked.begin() == 16
    assert met(asked, *[2 * KIB] * 15) == 0
    assert met(asked, 2 * KIB) == 800 - 16
    assert met(asked, *[DOOR] * 100) == 0
    assert asked.begin() == 16


def test_it_opens_as_far_as_the_largest_lets_it() -> None:
    asked = Window(800, 64 * MIB)
    asked.begin()
    assert met(asked, *[KIB] * 15, 256 * KIB) == 256 - 16
    assert met(asked, *[KIB] * 256) == 800 - 256


def test_a_small_prefetch_is_asked_for_as_a_whole() -> None:
    assert Window(10, 64 * MIB).begin() == 10


def test_what_overflowed_is_opened_by_doubling() -> None:
    asked = Window(800, 64 * MIB)
    asked.begin()
    assert met(asked, *[KIB] * 16) == 784
    asked.overflowed()
    assert asked.begin() == 16
    assert [met(asked, *[KIB] * number) for number in (16, 32, 64, 128, 256, 512, 800)] == [
        16,
        32,
        64,
        128,
        256,
        800 - 512,
        0,
    ]


def test_what_overflows_at_its_narrowest_becomes_narrower() -> None:
    asked = Window(800, 64 * MIB)
    first = []
    for _ in range(7):
        first.append(asked.begin())
        asked.overflowed()
    assert first == [16, 8, 4, 2, 1, 1, 1]
    assert asked.begin() == 1
    assert met(asked, *[KIB] * 31) == 31
    assert asked.begin() == 16, "it is as it was, once it was that wide"


@pytest.mark.parametrize("large_ones", [1, 16, 48, 200])
def test_no_pattern_delivers_a_message_often(large_ones: int) -> None:
    """A queue parks what was delivered 20 times. The broker gives back in order; each generation settles."""
    asked, limit = Window(800, 64 * MIB), 64 * MIB
    queue = [(KIB, 0)] * 16 + ([(DOOR, 0)] * large_ones + [(KIB, 0)] * 64) * 40
    most = 0
    while queue:
        room, held, kept = asked.begin(), 0, 0
        while kept < len(queue):
            size, _ = queue[kept]
            if held + size > limit:
                asked.overflowed()
                break
            held += size
            kept += 1
            room += asked.met(size)
            if kept % 16 == 0:
                held = 0  # settled meanwhile
        back = [(size, times + 1) for size, times in queue[kept : kept + room]]
        queue = back + queue[kept + room :]
        most = max([most, *(times for _, times in back)])
    assert most <= 8
