"""What processes use, from /proc: CPU time by role, resident memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_KIB_PER_MIB = 1024
_USER, _CHILDREN_SYSTEM = 11, 14
"""First and last of utime, stime, cutime, cstime in /proc/<pid>/stat, counted behind the name."""


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of the processes and of the children that they have buried. One that is gone counts 0."""
    return sum(map(_ticks, pids)) / _TICKS_PER_SECOND


def _ticks(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[_USER : _CHILDREN_SYSTEM + 1]))


def resident_mib(pids: Iterable[int]) -> float:
    """Resident memory of the processes together; 0 for one that is gone."""
    return sum(map(_resident_kib, pids)) / _KIB_PER_MIB


def _resident_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)


class CpuMeter:
    """CPU time by role, from `start` on. `roles`: process ids by role, asked anew each time."""

    def __init__(self, roles: Mapping[str, Iterable[int]]) -> None:
        self._before = {role: cpu_seconds(pids) for role, pids in roles.items()}

    def microseconds(self, roles: Mapping[str, Iterable[int]], per: int) -> dict[str, float]:
        """Used since by each role, divided by `per`."""
        return {
            role: max(0.0, cpu_seconds(pids) - self._before.get(role, 0.0)) * 1e6 / per
            for role, pids in roles.items()
        }
