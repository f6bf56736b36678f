"""What processes are there, and where they listen, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
"""127.0.0.1 and ::1, as /proc writes them."""


def names(pids: Iterable[int]) -> set[str]:
    return {Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids}


def listening_addresses(pids: Iterable[int]) -> set[str]:
    """Local addresses ("0100007F:1F90") of the listening TCP sockets of `pids`."""
    sockets = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(os.readlink(entry))
            except FileNotFoundError:
                continue
    lines = [
        line for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()
    ]
    rows = [line.split() for line in lines if not line.lstrip().startswith("sl")]
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


def gone(pids: Iterable[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)
