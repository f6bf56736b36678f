"""Services that can be told where to die."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from leadbus_devstack.services import ServiceName, ServiceProcess
from leadbus_devstack.stack import Stack

LAUNCHER = Path(__file__).with_name("launcher.py")
_KILLED = 128 + signal.SIGKILL


class Mortal:
    """The real service under the launcher. Started again, it lives until the next order."""

    def __init__(self, service: ServiceProcess, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.service = service
        self._directory = directory
        # -P: the launcher's neighbours are not to be found by the service's imports.
        service.process.command = [sys.executable, "-P", str(LAUNCHER), service.name.package, str(directory)]

    def order_death(self, point: str, nth: int = 1) -> None:
        """To die at the `nth` pass of `point` from when `armed` says so."""
        for leftover in self._directory.iterdir():
            leftover.unlink()
        (self._directory / "order").write_text(f"{point} {nth}")
        self.signal(signal.SIGUSR1)

    def armed(self) -> bool:
        return (self._directory / "armed").exists()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.service.process.pid, number)

    def died_at(self) -> str | None:
        """The point where it killed itself; None while it lives. Fails when it ended in any other way."""
        process = self.service.process
        if process.running:
            return None
        assert process.exit_code == _KILLED, f"ended with {process.exit_code}, not by kill -9"
        return (self._directory / "died").read_text()


class MortalStack(Stack):
    """A system whose services can all be told where to die."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mortals: dict[str, Mortal] = {}

    def service(self, service: ServiceName, number: int = 1) -> ServiceProcess:
        process = super().service(service, number)
        self.mortals[service.folder] = Mortal(process, self.logs / f"orders-{service.folder}")
        return process
