"""A backlog put before a stopped stage, and the time until the last of it has arrived behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from leadbus_devstack.processes import GuardedProcess

from tests.bench import amqp_frames, leads
from tests.bench.amqp_link import Link, LinkError
from tests.bench.processes import CpuMeter

WARM_UP_MESSAGES = 300
_WATCH_SECONDS = 0.02
_START_SECONDS = 60.0
_STALLED_SECONDS = 90.0
_FILL = 500

Roles = Callable[[], Mapping[str, Iterable[int]]]


class StalledError(Exception):
    """Nothing has arrived for so long that nothing will."""


@dataclass(frozen=True, slots=True)
class Drained:
    """`rate` in messages/s; `cpu_us` per message by role, from the first message to the last row gone."""

    rate: float
    cpu_us: Mapping[str, float]


@dataclass
class Drain:
    """One stage between two queues. `settled` says that nothing of the work is left undone behind it."""

    url: str
    process: GuardedProcess
    roles: Roles
    run: str
    settled: Callable[[], Awaitable[bool]]
    source: str = "normalizer.raw"
    target: str = "adf-mailer.leads"
    first: int = leads.FIRST

    async def measure(
        self, messages: int, *, warm_up: int = WARM_UP_MESSAGES, began: Callable[[], None] = lambda: None
    ) -> Drained:
        """Warm up, freeze, fill, thaw; the clock runs from the thaw until the last message is in `target`.

        `began` is called between the filling and the thaw.
        """
        link = await Link.open(self.url)
        try:
            await link.confirm()
            await self._ready(link)
            await fill(link, self.run, warm_up, start=self.first)
            await self._arrived(link, warm_up)
            await self._settled()
            self.process.freeze()
            await fill(link, self.run, messages, start=self.first + warm_up)
            began()
            cpu = CpuMeter(self.roles())
            thawed = time.perf_counter()
            self.process.thaw()
            await self._arrived(link, warm_up + messages)
            seconds = time.perf_counter() - thawed
            await self._settled()
            return Drained(messages / seconds, cpu.microseconds(self.roles(), messages))
        finally:
            link.close()

    async def _ready(self, link: Link) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while (await link.depth(self.source))[1] == 0:
            if time.monotonic() > deadline or not self.process.running:
                raise StalledError(f"{self.process.name} does not consume")
            await asyncio.sleep(_WATCH_SECONDS)

    async def _arrived(self, link: Link, expected: int) -> None:
        seen, since = 0, time.monotonic()
        while (depth := (await link.depth(self.target))[0]) < expected:
            if depth != seen:
                seen, since = depth, time.monotonic()
            if time.monotonic() - since > _STALLED_SECONDS or not self.process.running:
                raise StalledError(f"{self.process.name}: {depth} of {expected}")
            await asyncio.sleep(_WATCH_SECONDS)

    async def _settled(self) -> None:
        deadline = time.monotonic() + _STALLED_SECONDS
        while not await self.settled():
            if time.monotonic() > deadline:
                raise StalledError(f"{self.process.name} leaves rows undone")
            await asyncio.sleep(_WATCH_SECONDS)


async def fill(link: Link, run: str, messages: int, *, start: int = leads.FIRST) -> None:
    """Publish leads of `run` as ingest would, confirmed."""
    batch: list[bytes] = []
    for number in leads.numbers(messages, start):
        batch.append(amqp_frames.publication(leads.message(run, number)))
        if len(batch) == _FILL:
            await link.publish(batch)
            batch = []
    if batch:
        await link.publish(batch)


async def purge(url: str, queues: Iterable[str]) -> None:
    """Empty the queues."""
    link = await Link.open(url)
    try:
        for queue in queues:
            with suppress(LinkError):
                await link.purge(queue)
    finally:
        link.close()
