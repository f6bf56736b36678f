"""Programs under guard: started with a log, stopped for certain."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leadbus_devstack import guard
from leadbus_devstack.errors import DevstackError

POLL_SECONDS = 0.05
_FREEZE_SECONDS = 10.0


@dataclass
class GuardedProcess:
    """One program with its descendants; everything it leaves behind ends with it or with us.

    `command` is run with `environment` as its whole environment; output of both kinds is appended to `log`.
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 20.0
    _guard: subprocess.Popen[str] | None = field(default=None, repr=False)
    pid: int = 0

    def start(self) -> None:
        """Raises DevstackError when the program cannot be run at all."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", guard.__file__),
                    *(str(int(self.stop_signal)), str(self.grace_seconds), *self.command),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(self.environment),
                cwd=self.directory,
                text=True,
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        first_line = self._guard.stdout.readline()
        if not first_line:
            raise DevstackError(f"{self.name} could not be started: {self.command[0]}", log=self.log)
        self.pid = int(first_line)

    @property
    def running(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs or was never started."""
        return None if self._guard is None else self._guard.poll()

    def processes(self) -> list[int]:
        """Ids of the program and of everything it started, daemons included."""
        return guard.descendants(self._guard.pid) if self._guard is not None else []

    def request_stop(self) -> None:
        """Ask for the end without waiting, so that several programs can end side by side."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()

    def stop(self) -> None:
        """End it: politely first, for certain after `grace_seconds`. Idempotent."""
        if self._guard is None:
            return
        self.request_stop()
        try:
            self._guard.wait(self.grace_seconds + 15)
        except subprocess.TimeoutExpired:
            self.kill()
        self._forget()

    def kill(self) -> None:
        """kill -9 of everything at once, as a power cut would; returns when all are gone."""
        if self._guard is None:
            return
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._guard.wait(15)
        self._forget()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nobody answers. Returns when every thread has stopped."""
        self._signal_all(signal.SIGSTOP)
        deadline = time.monotonic() + _FREEZE_SECONDS
        while not all(map(_has_stopped, self.processes())):
            if time.monotonic() > deadline:
                raise DevstackError(f"{self.name} did not stop within {_FREEZE_SECONDS:.0f} s", log=self.log)
            time.sleep(POLL_SECONDS)

    def thaw(self) -> None:
        """SIGCONT after `freeze`."""
        self._signal_all(signal.SIGCONT)

    def wait_until(self, ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Wait until `ready()` holds. Raises DevstackError when the program ends first or time is up."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running:
                code = self.exit_code
                raise DevstackError(
                    f"{self.name} ended with exit code {code} before it was ready", log=self.log
                )
            if time.monotonic() > deadline:
                raise DevstackError(f"{self.name} was not ready after {timeout_seconds:.0f} s", log=self.log)
            time.sleep(POLL_SECONDS)

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _forget(self) -> None:
        if self._guard is None:
            return
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                pipe.close()


def _has_stopped(pid: int) -> bool:
    """Whether no thread of `pid` runs any more; a signal only asks, and a busy machine takes its time."""
    try:
        stats = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):
        return False
    # D: waits in the kernel, and stops before it comes back. Z, X: ended.
    return all(stat.rpartition(")")[2].split()[0] in "TtDZX" for stat in stats)
