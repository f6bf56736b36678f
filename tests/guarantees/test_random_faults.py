"""Whatever comes, in whatever order: random faults on two replicas of everything, and all is accounted for.

LEADBUS_GUARANTEES_SEED, which stands in the header of every run, repeats its decisions;
LEADBUS_GUARANTEES_SECONDS is the length of the long one.
"""

from __future__ import annotations

import os

import pytest

from tests.guarantees import accounting
from tests.guarantees.books import Books
from tests.guarantees.conftest import Options
from tests.guarantees.faults import EVERYBODY
from tests.guarantees.nemesis import Nemesis
from tests.guarantees.stream import Stream
from tests.guarantees.system import System

SEED = int(os.environ["LEADBUS_GUARANTEES_SEED"])
SHORT_SECONDS = 30.0
LONG_SECONDS = float(os.environ.get("LEADBUS_GUARANTEES_SECONDS") or 300)


@pytest.fixture(scope="module")
def options() -> Options:
    return Options(replicas=2, links=True, amqp_query="heartbeat=3")


@pytest.mark.timeout(600)
async def test_a_short_storm(system: System) -> None:
    await _storm(system, SHORT_SECONDS)


@pytest.mark.full
@pytest.mark.timeout(LONG_SECONDS * 2 + 900)
async def test_a_long_storm(system: System) -> None:
    await _storm(system, LONG_SECONDS)


async def _storm(system: System, seconds: float) -> None:
    print(f"\nLEADBUS_GUARANTEES_SEED={SEED} LEADBUS_GUARANTEES_SECONDS={seconds:g}")
    before = await Books.open(system)
    nemesis = Nemesis(system, SEED)
    stream = Stream(system, varied=True, pace_seconds=0.2)
    async with stream.flowing():
        await nemesis.rage(stream, seconds)
        await stream.more(30)
    await accounting.settle(
        stream,
        before,
        doubts=sum(fault.doubts for fault in nemesis.struck),
        unsure=EVERYBODY,
        within_seconds=240,
    )
