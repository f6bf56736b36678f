"""`python launcher.py <package> <directory>`: the service as `python -m <package> run` has it, and mortal.

Nothing observes it at first. On SIGUSR1 it reads `<directory>/order` ("<point> <pass>"), writes `armed` and
kills itself at that pass of that point, counted from then. What it writes to `died` before proves where.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

from leadbus import checkpoint


class Executioner:
    """Ends the process at the `nth` pass of `point`."""

    def __init__(self, point: str, nth: int, marker: Path) -> None:
        self._point = point
        self._left = nth
        self._marker = marker

    def __call__(self, point: str) -> None:
        if point != self._point:
            return
        self._left -= 1
        if not self._left:
            self._marker.write_text(point)
            os.kill(os.getpid(), signal.SIGKILL)


def arm(directory: Path) -> None:
    point, nth = (directory / "order").read_text().split()
    checkpoint.observe(Executioner(point, int(nth), directory / "died"))
    (directory / "armed").touch()


def main(package: str, directory: Path) -> None:
    signal.signal(signal.SIGUSR1, lambda *_: arm(directory))
    sys.argv = [package, "run"]
    runpy.run_module(package, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
