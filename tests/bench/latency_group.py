"""Row (c): from a request at the door to the mail host's yes, at a pace that leaves the machine idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench import leads
from tests.bench.drain import StalledError
from tests.bench.groups import Group, ratio_row, value_row
from tests.bench.http_load import Door
from tests.bench.pipeline import Pipeline, Starting, product, running, twin
from tests.bench.rig import Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import Row
from tests.bench.smtp_sink import accepted

PER_SECOND = 50.0
MESSAGES = 1000
_WARM_UP_MESSAGES = 100
_WATCH_SECONDS = 0.1
_LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class LatencyCase:
    """Milliseconds from the first byte of the POST to the 250 after the final dot."""

    name: str
    rig: Rig
    make: Starting
    messages: int

    async def run(self) -> Mapping[str, float]:
        async with running(self.rig, self.make, sending=True) as pipeline:
            door = Door(pipeline.door_url, pipeline.api_key())
            await self._through(pipeline, door, _WARM_UP_MESSAGES, leads.FIRST)
            door.posted.clear()
            await self._through(pipeline, door, self.messages, leads.FIRST + _WARM_UP_MESSAGES)
            moments = accepted(pipeline.mails)
            waits = sorted(1000 * (moments[number] - at) for number, at in door.posted.items())
        return {"p50": percentile(waits, 50), "p99": percentile(waits, 99), "max": waits[-1]}

    async def _through(self, pipeline: Pipeline, door: Door, messages: int, start: int) -> None:
        await door.at_pace(leads.numbers(messages, start), PER_SECOND)
        await mailed(pipeline, start + messages - leads.FIRST)


async def mailed(pipeline: Pipeline, messages: int, *, within_seconds: float = _LONGEST_SECONDS) -> None:
    """Returns when so many mails were accepted. Raises StalledError when they were not in time."""
    deadline = time.monotonic() + within_seconds
    while (count := len(accepted(pipeline.mails))) < messages:
        if time.monotonic() > deadline:
            raise StalledError(f"{count} of {messages} mails")
        await asyncio.sleep(_WATCH_SECONDS)


def percentile(ascending: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all are not above."""
    rank = max(1, -(-len(ascending) * percent // 100))
    return ascending[int(rank) - 1]


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    messages = max(200, round(MESSAGES * scale))
    return [
        LatencyCase("latency", rig, product, messages),
        LatencyCase("bare_latency", rig, twin, messages),
    ]


def _rows(samples: Samples) -> list[Row]:
    return [
        ratio_row(samples, "latency_p99", "latency", "bare_latency", measure="p99", unit="ms"),
        value_row(samples, "latency_p50", "latency", "p50", "ms"),
        value_row(samples, "bare_latency_p50", "bare_latency", "p50", "ms"),
    ]


LATENCY = Group("latency", _cases, _rows)
