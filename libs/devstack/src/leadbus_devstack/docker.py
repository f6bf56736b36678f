"""A Docker engine, when one answers. A client without an engine does not count."""

from __future__ import annotations

import functools
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Any

from leadbus_devstack.errors import DevstackError
from leadbus_devstack.probe import answer

# The same tags as in deploy/compose/servers.yml and docker-compose.yml; a test compares them.
RABBITMQ_IMAGE = "rabbitmq:4.1.4-management"
POSTGRES_IMAGE = "postgres:17.6"


@functools.cache
def engine_version() -> str | None:
    """The engine's version, or None when nobody answers within five seconds."""
    if shutil.which("docker") is None:
        return None
    try:
        asked = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return asked.stdout.strip() or None if asked.returncode == 0 else None


@dataclass
class DockerRabbitMQ:
    """RabbitMQ in a container that testcontainers removes, also when we are killed."""

    _container: Any = field(default=None, repr=False)

    def start(self) -> None:
        from testcontainers.core.container import DockerContainer  # slow to import, and asks for an engine

        self._container = DockerContainer(RABBITMQ_IMAGE).with_exposed_ports(5672, 15672)
        self._container.start()
        _wait(self._ready, "RabbitMQ")

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{self._address(5672)}"

    @property
    def management_url(self) -> str:
        return f"http://guest:guest@{self._address(15672)}"

    def _address(self, port: int) -> str:
        return f"{self._container.get_container_host_ip()}:{self._container.get_exposed_port(port)}"

    def _ready(self) -> bool:
        host, _, port = self._address(15672).rpartition(":")
        path = "/api/health/checks/port-listener/5672"
        return answer(int(port), path, user="guest:guest", host=host)[0] == 200


@dataclass
class DockerPostgres:
    """Postgres in a container that testcontainers removes, also when we are killed."""

    durable: bool = True
    _container: Any = field(default=None, repr=False)

    def start(self) -> None:
        from testcontainers.core.container import DockerContainer

        self._container = (
            DockerContainer(POSTGRES_IMAGE)
            .with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
            .with_command("-c max_connections=300" + ("" if self.durable else " -c fsync=off"))
            .with_exposed_ports(5432)
        )
        self._container.start()
        _wait(self._ready, "Postgres")

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop()

    @property
    def url(self) -> str:
        host = self._container.get_container_host_ip()
        return f"postgresql://postgres@{host}:{self._container.get_exposed_port(5432)}/postgres"

    def _ready(self) -> bool:
        # The image's first start runs twice; only the second one listens on TCP.
        asked = self._container.exec(["pg_isready", "-h", "127.0.0.1", "-U", "postgres"])
        return bool(asked.exit_code == 0)


def _wait(ready: Any, name: str) -> None:
    import time

    deadline = time.monotonic() + 90
    while not ready():
        if time.monotonic() > deadline:
            raise DevstackError(
                f"{name} in Docker was not ready after 90 s; see `docker ps` and `docker logs`"
            )
        time.sleep(0.2)
