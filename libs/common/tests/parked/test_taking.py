"""T: a take is bounded by bytes, whatever lies in the queue; the walk meets everything once all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from leadbus.parked import HoldingReader, reader
from pydantic import SecretStr

Bench = Any
PARKED = "normalizer.raw.parked"
TAKE_BYTES = 10_000
SMALL, LARGE, ALONE = b"s", b"l" * 4_000, b"a" * 30_000


@pytest.fixture
async def bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HoldingReader]:
    monkeypatch.setattr(reader, "DOORS_BODY_BYTES", 4_000)
    made = HoldingReader(SecretStr(bench.vhost.amqp_url), "test", TAKE_BYTES)
    yield made
    await made.close()


@pytest.mark.parametrize(
    "sizes",
    [
        [LARGE] * 20,
        [SMALL] * 30 + [LARGE] * 20 + [SMALL] * 30 + [ALONE, SMALL, ALONE, ALONE] + [LARGE] * 5,
        [b""] * 10 + [ALONE] * 3,
    ],
    ids=["large", "by turns", "empty"],
)
async def test_t1_a_take_holds_no_more_bytes_than_it_may(
    bench: Bench, bounded: HoldingReader, sizes: list[bytes]
) -> None:
    bodies = [b"%03d" % number + body for number, body in enumerate(sizes)]
    await bench.wire.park(*bodies)
    for _ in range(2):
        met: list[bytes] = []
        async with bounded.walk(PARKED) as walk:
            while taken := await walk.take(100):
                assert len(taken) == 1 or sum(held.size_bytes for held in taken) <= TAKE_BYTES
                met += [held.message.body for held in taken]
        assert sorted(met) == bodies
        await bench.wire.settled(PARKED, len(bodies))
    assert sorted(await bench.wire.bodies(PARKED)) == bodies


async def test_t2_many_takes_leave_the_order_as_it_was(bench: Bench, bounded: HoldingReader) -> None:
    bodies = [b"%03d" % number + LARGE for number in range(20)]
    await bench.wire.park(*bodies)
    async with bounded.walk(PARKED) as walk:
        while await walk.take(100):
            pass
    await bench.wire.settled(PARKED, len(bodies))
    assert await bench.wire.bodies(PARKED) == bodies


async def test_t3_small_ones_are_taken_together(bench: Bench, bounded: HoldingReader) -> None:
    await bench.wire.park(*[SMALL] * 100)
    async with bounded.walk(PARKED) as walk:
        assert len(await walk.take(100)) == 100


async def test_t4_a_redrive_of_large_ones_comes_to_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.reader, "_take_bytes", TAKE_BYTES)
    bodies = [b"%03d" % number + (LARGE if number % 3 else SMALL) for number in range(40)]
    await bench.wire.park(*bodies)
    bench.begin()
    job = await bench.done("parked.redrive", filter={"queue": "normalizer.raw", "all": True})
    assert (job["state"], job["done"], job["failed"]) == ("done", len(bodies), 0)
    assert sorted(bench.service.bodies) == bodies
    assert await bench.wire.ready(PARKED) == 0
