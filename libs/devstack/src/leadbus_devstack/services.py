"""Leadbus' services as processes, each as a pod would run it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leadbus_devstack.errors import DevstackError
from leadbus_devstack.probe import answer
from leadbus_devstack.processes import GuardedProcess

_START_SECONDS = 60.0
_INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "COVERAGE_PROCESS_START")


@dataclass(frozen=True, slots=True)
class ServiceName:
    """One name in the spellings of the house: `adf-mailer`, package `adf_mailer`, prefix `ADF_MAILER_`."""

    folder: str

    @property
    def package(self) -> str:
        return self.folder.replace("-", "_")

    @property
    def prefix(self) -> str:
        return self.package.upper() + "_"


# In the order of a rollout: whoever receives starts before whoever sends.
SERVICES = tuple(map(ServiceName, ("adf-mailer", "normalizer", "ingest")))


class ServiceProcess:
    """`python -m <package> run` with `settings` as its only settings."""

    def __init__(self, name: ServiceName, port: int, settings: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        inherited = {variable: os.environ[variable] for variable in _INHERITED if variable in os.environ}
        prefixed = {name.prefix + key: value for key, value in settings.items()}
        self.process = GuardedProcess(
            name.folder,
            [sys.executable, "-m", name.package, "run"],
            log,
            inherited | prefixed | {name.prefix + "HTTP_PORT": str(port), "PYTHONUNBUFFERED": "1"},
            grace_seconds=30,
        )

    def start(self) -> None:
        """Start without waiting; see `wait_ready`."""
        self.process.start()

    def wait_ready(self) -> None:
        """Returns when /readyz says yes. Raises DevstackError with what it says instead, or with the log."""
        try:
            self.process.wait_until(self.ready, timeout_seconds=_START_SECONDS)
        except DevstackError as error:
            raise DevstackError(
                f"{error}. /readyz: {answer(self.port, '/readyz')[1]}", log=error.log
            ) from None

    def ready(self) -> bool:
        return answer(self.port, "/readyz")[0] == 200

    def stop(self) -> None:
        """SIGTERM, and time to finish what is in hand."""
        self.process.stop()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nobody answers. Returns when every thread has stopped."""
        self.process.freeze()

    def thaw(self) -> None:
        self.process.thaw()
