"""What this machine is, so that figures of two machines can be told apart."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leadbus.contracts.events import LeadReceived

_PROBE_SECONDS = 1.0
_BLOCK = bytes(8192)


@dataclass(frozen=True, slots=True)
class Machine:
    """`fdatasync_per_second`: of 8 kB writes where temporary files are, and so the servers' data."""

    cores: int
    processor: str
    memory_gib: float
    system: str
    python: str
    fdatasync_per_second: float

    def __str__(self) -> str:
        return (
            f"{self.cores} cores of {self.processor}, {self.memory_gib:.0f} GiB, {self.system}, "
            f"Python {self.python}; fdatasync {self.fdatasync_per_second:,.0f}/s"
        )


def look() -> Machine:
    """Takes a second."""
    return Machine(
        cores=os.cpu_count() or 1,
        processor=_processor(),
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        fdatasync_per_second=_fdatasync_per_second(),
    )


def codec_unit_us(event: str) -> float:
    """CPU time to read and write one canonical lead with pydantic: a unit for CPU time per message."""
    done, began = 0, time.process_time()
    while (used := time.process_time() - began) < _PROBE_SECONDS:
        LeadReceived.model_validate_json(event).model_dump_json(exclude_none=True)
        done += 1
    return used * 1e6 / done


def per_second(act: Callable[[], object], *, seconds: float = _PROBE_SECONDS) -> float:
    """How often `act` can be done, one after the other."""
    done, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        act()
        done += 1
    return done / passed


def _fdatasync_per_second() -> float:
    with tempfile.TemporaryFile(prefix="leadbus-bench-") as file:

        def once() -> None:
            os.pwrite(file.fileno(), _BLOCK, 0)
            os.fdatasync(file.fileno())

        return per_second(once)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
