"""How a task that runs for ever says that it still works: by promising when it will say so again.

A wait that is bounded ends in an error that somebody handles. What no error ends is a deadlock, or a wait
that somebody forgot to bound: only a restart mends it, so liveness has to fail (`leadbus.health`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar

STALL_SECONDS = 300.0
"""Far beyond the bounded waits of one round of any loop; a server that is away ends those with errors."""


class Pulse:
    """The promise of one task. Without one it is not watched."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._due: float | None = None

    @property
    def missed(self) -> bool:
        return self._due is not None and self._now() > self._due

    def beat(self, within_seconds: float) -> None:
        self._due = self._now() + within_seconds

    def rest(self) -> None:
        self._due = None


_current: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


def watch(pulse: Pulse) -> None:
    """From here on `beat` and `rest` of this task, and of those that it starts, are about `pulse`."""
    _current.set(pulse)


def beat(within_seconds: float = STALL_SECONDS) -> None:
    """The supervised task that runs this still works, and will say so again within that time.

    Elsewhere nothing happens.
    """
    pulse = _current.get()
    if pulse is not None:
        pulse.beat(within_seconds)


def rest() -> None:
    """The task waits for work, for as long as there is none: nothing is promised until the next beat."""
    pulse = _current.get()
    if pulse is not None:
        pulse.rest()
