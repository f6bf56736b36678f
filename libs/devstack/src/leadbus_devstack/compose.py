"""RabbitMQ and Postgres by deploy/compose/servers.yml, for `make up` and `make demo`.

Tests take testcontainers instead (docker.py), which removes its containers also when we are killed.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leadbus_devstack.errors import DevstackError

_START_SECONDS = 600.0  # the images may have to be fetched


@dataclass
class _ComposeService:
    """One service of the file, on `ports` (container's port by the file's variable for the host's)."""

    file: Path
    project: str
    service: str
    ports: dict[str, int]
    log: Path
    keep_data: bool

    def start(self) -> None:
        """Returns when the container is healthy. Raises DevstackError."""
        self._compose("up", "--detach", "--wait", self.service)

    def stop(self) -> None:
        """Remove the container, and its data unless they are kept."""
        remove = ["rm", "--force", "--stop", self.service]
        self._compose(*remove)
        if not self.keep_data:
            volume = f"{self.project}_{self.service}"
            subprocess.run(["docker", "volume", "rm", "--force", volume], capture_output=True, check=False)

    def _compose(self, *arguments: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command: Sequence[str] = (
            *("docker", "compose", "--file", str(self.file), "--project-name", self.project, *arguments),
        )
        with self.log.open("ab") as log:
            done = subprocess.run(
                command,
                env=dict(os.environ) | {name: str(port) for name, port in self.ports.items()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_START_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            raise DevstackError(f"docker compose {arguments[0]} {self.service} failed", log=self.log)


class ComposeRabbitMQ(_ComposeService):
    """RabbitMQ in a container of the compose file."""

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.ports['LEADBUS_AMQP_PORT']}"

    @property
    def management_url(self) -> str:
        return f"http://guest:guest@127.0.0.1:{self.ports['LEADBUS_MANAGEMENT_PORT']}"


class ComposePostgres(_ComposeService):
    """Postgres in a container of the compose file."""

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.ports['LEADBUS_POSTGRES_PORT']}/postgres"
