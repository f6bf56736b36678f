"""RabbitMQ and Postgres together, wherever they come from."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import asyncpg
import httpx2

from leadbus_devstack import docker, postgres, rabbitmq
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.resolve import (
    AMQP_URL,
    MANAGEMENT_URL,
    POSTGRES_URL,
    Way,
    resolve_postgres,
    resolve_rabbitmq,
)
from leadbus_devstack.threads import run_apart


class Stoppable(Protocol):
    def stop(self) -> None: ...


@dataclass
class Servers:
    """Running servers. `postgres_url` belongs to a superuser; `description` names servers and versions."""

    amqp_url: str
    management_url: str
    postgres_url: str
    description: str
    _started: list[Stoppable] = field(default_factory=list, repr=False)
    _scratch: Path | None = field(default=None, repr=False)

    def stop(self) -> None:
        """Stop and remove what was started here; servers given by URL are left alone."""
        while self._started:
            self._started.pop().stop()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def scratch_directory(label: str) -> Path:
    """A new temporary directory that the owner of Postgres' processes can reach."""
    directory = Path(tempfile.mkdtemp(prefix=f"leadbus-{label}-"))
    directory.chmod(0o711)
    return directory


def start_servers(directory: Path | None = None, *, durable: bool) -> Servers:
    """Resolve and start both; data and logs in `directory`, or in a temporary one that `stop` removes.

    Raises ServerMissing when one cannot be had, DevstackError when one does not start.
    """
    rabbitmq_source, postgres_source = resolve_rabbitmq(), resolve_postgres()
    scratch = scratch_directory("servers") if directory is None else None
    place = scratch or directory
    assert place is not None
    servers = Servers("", "", "", "", _scratch=scratch)
    try:
        if postgres_source.way is Way.URL:
            servers.postgres_url = os.environ[POSTGRES_URL]
        else:
            server = new_postgres(postgres_source.way, place, durable=durable)
            servers._started.append(server)
            server.start()
            servers.postgres_url = server.url
        if rabbitmq_source.way is Way.URL:
            servers.amqp_url, servers.management_url = os.environ[AMQP_URL], os.environ[MANAGEMENT_URL]
        else:
            broker = new_rabbitmq(rabbitmq_source.way, place)
            servers._started.append(broker)
            broker.start()
            servers.amqp_url, servers.management_url = broker.url, broker.management_url
        servers.description = (
            f"RabbitMQ {rabbitmq_version(servers.management_url)} ({rabbitmq_source.way}), "
            f"Postgres {postgres_version(servers.postgres_url)} ({postgres_source.way})"
        )
    except BaseException:
        servers.stop()
        raise
    return servers


def new_rabbitmq(way: Way, directory: Path) -> rabbitmq.NativeRabbitMQ | docker.DockerRabbitMQ:
    """A RabbitMQ not yet started."""
    if way is Way.DOCKER:
        return docker.DockerRabbitMQ()
    programs = rabbitmq.find_programs()
    assert programs is not None, "resolved as native"
    return rabbitmq.NativeRabbitMQ(programs, directory / "rabbitmq", directory / "logs" / "rabbitmq.log")


def new_postgres(
    way: Way, directory: Path, *, durable: bool
) -> postgres.NativePostgres | docker.DockerPostgres:
    """A Postgres not yet started."""
    if way is Way.DOCKER:
        return docker.DockerPostgres(durable=durable)
    programs = postgres.find_programs()
    assert programs is not None, "resolved as native"
    log = directory / "logs" / "postgres.log"
    return postgres.NativePostgres(programs, directory / "postgres", log, durable=durable)


def rabbitmq_version(management_url: str) -> str:
    """Asks the server. Raises DevstackError when it does not answer."""
    address = urlsplit(management_url)
    try:
        answer = httpx2.get(
            f"{address.scheme}://{address.hostname}:{address.port}/api/overview",
            auth=(address.username or "guest", address.password or "guest"),
            timeout=10,
        ).raise_for_status()
    except httpx2.HTTPError as error:
        raise DevstackError(f"RabbitMQ's management at port {address.port}: {type(error).__name__}") from error
    return str(answer.json()["rabbitmq_version"])


def postgres_version(url: str) -> str:
    """Asks the server. Raises DevstackError when it does not answer."""

    async def ask() -> str:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return str(await connection.fetchval("SHOW server_version")).split()[0]
        finally:
            await connection.close()

    try:
        return run_apart(ask)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise DevstackError(f"Postgres at port {urlsplit(url).port}: {type(error).__name__}") from error
