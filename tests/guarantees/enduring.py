"""One fault strikes while leads flow; afterwards everything is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from tests.guarantees import accounting
from tests.guarantees.books import Books
from tests.guarantees.faults import Fault
from tests.guarantees.stories import Story
from tests.guarantees.stream import Stream
from tests.guarantees.system import System

LEADS = 30
"""Accepted before the first strike, and after every healing."""


async def endure(
    system: System,
    fault: Fault,
    *,
    lasting_seconds: float = 0.0,
    strikes: int = 1,
    pace_seconds: float = 0.1,
    within_seconds: float = 120,
    meanwhile: Callable[[Stream], Awaitable[None]] | None = None,
) -> Mapping[str, Story]:
    """Strike and heal `strikes` times during one stream, then settle the accounts.

    `meanwhile` asks what has to hold while the fault lasts, at its end.
    """
    before = await Books.open(system)
    stream = Stream(system, varied=True, pace_seconds=pace_seconds)
    async with stream.flowing():
        await stream.reached(LEADS)
        for _ in range(strikes):
            await fault.strike(system)
            try:
                await asyncio.sleep(lasting_seconds)
                if meanwhile is not None:
                    await meanwhile(stream)
            finally:
                await fault.heal(system)
            await stream.more(LEADS)
    return await accounting.settle(
        stream,
        before,
        doubts=fault.doubts * strikes,
        unsure=fault.unsure,
        within_seconds=within_seconds,
    )


async def others_live(system: System, but: str = "") -> None:
    """No service takes a server that is away for a reason to be restarted."""
    for name in system.stack.services.keys() - {but}:
        await accounting.lives(system, name)
