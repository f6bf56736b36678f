"""One server each way: given by URL, in Docker, or a native program."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leadbus_devstack import compose, docker, postgres, rabbitmq
from leadbus_devstack.ports import free_ports
from leadbus_devstack.resolve import AMQP_URL, MANAGEMENT_URL, POSTGRES_URL, Way


class Broker(Protocol):
    """A RabbitMQ, whoever runs it."""

    @property
    def url(self) -> str: ...
    @property
    def management_url(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


class DatabaseServer(Protocol):
    """A Postgres, whoever runs it; `url` belongs to a superuser."""

    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class GivenBroker:
    """Somebody else's, found in the environment: never started, never stopped."""

    url: str
    management_url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class GivenDatabaseServer:
    """Somebody else's, found in the environment: never started, never stopped."""

    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where servers keep data and logs, and which ports they take (0: any free one).

    `compose`: the Docker way goes by this file, under this project name, not by testcontainers.
    `keep_data`: what is stored is there again at the next start.
    """

    data: Path
    logs: Path
    amqp_port: int = 0
    management_port: int = 0
    postgres_port: int = 0
    compose: tuple[Path, str] | None = None
    keep_data: bool = False


def new_broker(way: Way, place: Place) -> Broker:
    """A RabbitMQ not yet started."""
    if way is Way.URL:
        return GivenBroker(os.environ[AMQP_URL], os.environ[MANAGEMENT_URL])
    if way is Way.DOCKER and place.compose is not None:
        amqp, management = free_ports(2)
        ports = {
            "LEADBUS_AMQP_PORT": place.amqp_port or amqp,
            "LEADBUS_MANAGEMENT_PORT": place.management_port or management,
        }
        log = place.logs / "rabbitmq.log"
        return compose.ComposeRabbitMQ(*place.compose, "rabbitmq", ports, log, place.keep_data)
    if way is Way.DOCKER:
        return docker.DockerRabbitMQ()
    programs = rabbitmq.find_programs()
    assert programs is not None, "resolved as native"
    return rabbitmq.NativeRabbitMQ(
        programs,
        place.data / "rabbitmq",
        place.logs / "rabbitmq.log",
        amqp_port=place.amqp_port,
        management_port=place.management_port,
    )


def new_database_server(way: Way, place: Place, *, durable: bool) -> DatabaseServer:
    """A Postgres not yet started."""
    if way is Way.URL:
        return GivenDatabaseServer(os.environ[POSTGRES_URL])
    log = place.logs / "postgres.log"
    if way is Way.DOCKER and place.compose is not None:
        ports = {"LEADBUS_POSTGRES_PORT": place.postgres_port or free_ports(1)[0]}
        return compose.ComposePostgres(*place.compose, "postgres", ports, log, place.keep_data)
    if way is Way.DOCKER:
        return docker.DockerPostgres(durable=durable)
    programs = postgres.find_programs()
    assert programs is not None, "resolved as native"
    return postgres.NativePostgres(
        programs,
        place.data / "postgres",
        log,
        port=place.postgres_port,
        durable=durable,
    )
