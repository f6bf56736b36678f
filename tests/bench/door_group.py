"""Row (g), and what the whole system gives: leads from the HTTP door to the mail host as fast as they go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench import leads
from tests.bench.groups import Group, cpu_rows, value_row
from tests.bench.http_load import Door
from tests.bench.latency_group import mailed
from tests.bench.pipeline import Pipeline, product, running
from tests.bench.processes import CpuMeter, resident_mib
from tests.bench.rig import Rig
from tests.bench.rounds import Case, Samples
from tests.bench.rows import SERVICES, Row
from tests.bench.stages_group import ROLES

MESSAGES = 3000
CONNECTIONS = 16
_WARM_UP_MESSAGES = 100
_IDLE_SECONDS = 2.0
_LOOK_SECONDS = 0.2
_LONGEST_SECONDS = 180.0


@dataclass(frozen=True)
class DoorCase:
    """Leads/s from the first POST to the last mail; resident memory before, and its peak meanwhile."""

    rig: Rig
    messages: int
    name: str = "door_to_mail"

    async def run(self) -> Mapping[str, float]:
        async with running(self.rig, product, sending=True) as pipeline:
            door = Door(pipeline.door_url, pipeline.api_key())
            await asyncio.sleep(_IDLE_SECONDS)
            idle = _resident(pipeline)
            await self._through(pipeline, door, _WARM_UP_MESSAGES, leads.FIRST)
            peaks = dict(idle)
            looking = asyncio.create_task(_keep_peaks(pipeline, peaks))
            cpu = CpuMeter(pipeline.roles())
            began = time.perf_counter()
            await self._through(pipeline, door, self.messages, leads.FIRST + _WARM_UP_MESSAGES)
            seconds = time.perf_counter() - began
            used = cpu.microseconds(pipeline.roles(), self.messages)
            looking.cancel()
        sample = {"rate": self.messages / seconds} | {f"cpu_{role}": us for role, us in used.items()}
        sample |= {f"idle_{service}": mib for service, mib in idle.items()}
        return sample | {f"growth_{service}": mib - idle[service] for service, mib in peaks.items()}

    async def _through(self, pipeline: Pipeline, door: Door, messages: int, start: int) -> None:
        await door.at_once(leads.numbers(messages, start), CONNECTIONS)
        await mailed(pipeline, start + messages - leads.FIRST, within_seconds=_LONGEST_SECONDS)


def _resident(pipeline: Pipeline) -> dict[str, float]:
    return {name: resident_mib([process.pid]) for name, process in pipeline.services.items()}


async def _keep_peaks(pipeline: Pipeline, peaks: dict[str, float]) -> None:
    while True:
        for name, mib in _resident(pipeline).items():
            peaks[name] = max(peaks[name], mib)
        await asyncio.sleep(_LOOK_SECONDS)


def _cases(rig: Rig, scale: float) -> Sequence[Case]:
    return [DoorCase(rig, max(500, round(MESSAGES * scale)))]


def _rows(samples: Samples) -> list[Row]:
    case = "door_to_mail"
    return [
        value_row(samples, case, case, "rate", "messages/s"),
        *cpu_rows(samples, case, ROLES),
        *(value_row(samples, f"memory_idle_{name}", case, f"idle_{name}", "MiB") for name in SERVICES),
        *(value_row(samples, f"memory_growth_{name}", case, f"growth_{name}", "MiB") for name in SERVICES),
    ]


DOOR = Group("door_to_mail", _cases, _rows)
