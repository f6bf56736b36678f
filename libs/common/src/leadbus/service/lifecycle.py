"""One service process from start to end.

Start: the HTTP port first (liveness answers while servers are waited for), then database, schema, broker,
hooks, tasks. End on SIGTERM: not ready, consumers drained, engines drained, tasks stopped, HTTP drained.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

import aio_pika
import asyncpg
from aiormq.exceptions import AuthenticationError, ProbableAuthenticationError, ProtocolSyntaxError
from fastapi import APIRouter
from faststream.rabbit import RabbitBroker

from leadbus import metrics
from leadbus.consumer import BatchConsumer
from leadbus.db import Database, Schema, is_unavailable, schema_state
from leadbus.health import Check, Health, TaskFunction
from leadbus.log import logger
from leadbus.publisher import Publisher
from leadbus.service import memory
from leadbus.service.diagnosis import Diagnosing
from leadbus.service.diagnosis import router as diagnosis_router
from leadbus.service.failure import EXIT_SCHEMA, StartError
from leadbus.service.server import HttpServer, listen
from leadbus.service.steps import CLOSE_SECONDS, Hook, bounded, until_available
from leadbus.settings.environment import ServiceSettings, SettingsError
from leadbus.web import TokenVerifier, create_app

Drain = Callable[[float], Awaitable[None]]

_KNOCK_SECONDS = 5.0
_log = logger("service")

BUILD = metrics.gauge(
    "leadbus_build_info",
    "Always 1; the labels say what runs.",
    labels={
        "service": metrics.configured("name of the service", 1),
        "version": metrics.configured("version of the distribution", 1),
    },
)


class Service:
    """What a service is made of, and its life.

    `consumers` are supervised, make the service unready while they do not consume, and are drained first;
    `drains` follow in their order (a delivery engine). `tasks` are supervised (relay, engine, timers).
    `on_start` hooks run once with the database open and the schema known to be good; `on_stop` at the end.
    `ready` adds readiness checks; a database is always checked.
    `act_timeout_seconds` is the longest single act on the outside: it must fit into the drain.
    """

    def __init__(
        self,
        name: str,
        package: str,
        settings: ServiceSettings,
        *,
        routers: Sequence[APIRouter] = (),
        tasks: Mapping[str, TaskFunction] | None = None,
        consumers: Sequence[BatchConsumer] = (),
        on_start: Sequence[Hook] = (),
        on_stop: Sequence[Hook] = (),
        drains: Sequence[Drain] = (),
        ready: Mapping[str, Check] | None = None,
        database: Database | None = None,
        broker: RabbitBroker | None = None,
        publisher: Publisher | None = None,
        title: str | None = None,
        description: str = "",
        act_timeout_seconds: float | None = None,
    ) -> None:
        """Raises SettingsError when the times do not nest."""
        _check_nesting(settings, act_timeout_seconds)
        self.name = name
        self.package = package
        self.settings = settings
        self.version = _version(name)
        self.health = Health(name, unavailable=is_unavailable)
        diagnosing = Diagnosing(
            name,
            package,
            self.version,
            self.health,
            database=database,
            amqp_url=settings.amqp_url,
            publisher=publisher,
            consumers=consumers,
        )
        self.app = create_app(
            name,
            title or name,
            self.version,
            [*routers, diagnosis_router(diagnosing)],
            verifier=TokenVerifier.from_settings(settings),
            health=self.health,
            body_limit_bytes=settings.http_body_limit_bytes,
            description=description,
        )
        self._consumers = tuple(consumers)
        self._on_start = tuple(on_start)
        self._on_stop = tuple(on_stop)
        self._drains = tuple(drains)
        self._database = database
        self._broker = broker
        self._publisher = publisher
        self._broker_started = asyncio.Event()
        self._starting_broker: asyncio.Task[None] | None = None
        self._tasks_started = False
        self._fate: asyncio.Future[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._wire(tasks or {}, ready or {})

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT and end in order.

        Raises StartError when the service cannot run, and what the start raised when that was no
        server being away.
        """
        loop = asyncio.get_running_loop()
        http = HttpServer(self.app, listen(self.settings.http_host, self.settings.http_port))
        self._fate = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        BUILD.labels(service=self.name, version=self.version).set(1)
        self.health.starting()
        parts = [
            self._watched(http.run(), "http", must_go_on=True),
            self._watched(self._start(), "start"),
        ]
        host, port = http.address
        _log.info("service.listening", host=host, port=port, version=self.version)
        try:
            await self._fate
        finally:
            self._ending = asyncio.create_task(self._end(http, parts), name="end")
            await self._ending
        _log.info("service.ended")

    def _wire(self, tasks: Mapping[str, TaskFunction], ready: Mapping[str, Check]) -> None:
        for consumer in self._consumers:
            self.health.supervise(f"consume {consumer.queue}", self._after_broker(consumer.run))
            self.health.check_ready(f"consumes {consumer.queue}", _consumes(consumer))
        for task, run in tasks.items():
            self.health.supervise(task, run)
        if self._database is not None:
            self.health.check_ready("database", self._database.ping)
        for check, passes in ready.items():
            self.health.check_ready(check, passes)

    def _after_broker(self, run: TaskFunction) -> TaskFunction:
        async def wait_and_run() -> None:
            if self._broker is not None:
                await self._broker_started.wait()
            await run()

        return wait_and_run

    async def _start(self) -> None:
        if self._database is not None:
            await self._open_database(self._database)
            await until_available("schema", self._check_schema)
        if self._publisher is not None:
            await self._publisher.start()
        if self._broker is not None:
            self._starting_broker = self._watched(self._start_broker(self._broker), "broker")
        for hook in self._on_start:
            await until_available("start hook", hook)
        self._tasks_started = True
        large_pages = memory.settle()
        self.health.start()
        _log.info("service.started", large_pages=large_pages)

    async def _open_database(self, database: Database) -> None:
        try:
            await database.open()
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise StartError("Postgres refuses the user or the database of DATABASE_URL") from error
        except asyncpg.ClientConfigurationError as error:
            raise StartError("DATABASE_URL is not postgresql://user:password@host:5432/name") from error

    async def _check_schema(self) -> None:
        assert self._database is not None
        if await schema_state(self.package, self._database) is Schema.BEHIND:
            raise StartError(
                f"the database schema is behind this release; run `python -m {self.package} migrate`",
                EXIT_SCHEMA,
            )

    async def _start_broker(self, broker: RabbitBroker) -> None:
        await until_available("broker", self._knock)
        await until_available("broker", broker.start)
        self._broker_started.set()

    async def _knock(self) -> None:
        # A robust connection tries a wrong password again for ever and tells nobody.
        url = self.settings.amqp_url.get_secret_value()
        try:
            connection = await aio_pika.connect(url, timeout=_KNOCK_SECONDS)
        except (AuthenticationError, ProbableAuthenticationError, ProtocolSyntaxError) as error:
            raise StartError("RabbitMQ refuses the user or the vhost of AMQP_URL") from error
        await connection.close()

    def _watched(self, work: Any, name: str, *, must_go_on: bool = False) -> asyncio.Task[None]:
        """Run `work`; its failure (or, when it must go on, its end) is the fate of the service."""

        def settle(task: asyncio.Task[None]) -> None:
            if self._fate is None or self._fate.done() or task.cancelled():
                return
            if error := task.exception():
                self._fate.set_exception(error)
            elif must_go_on:
                self._fate.set_exception(StartError(f"{name} ended unasked"))

        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        task.add_done_callback(settle)
        return task

    def _on_signal(self) -> None:
        if self._fate is not None and not self._fate.done():
            _log.info("service.draining")
            self._fate.set_result(None)
        elif self._ending is not None:
            _log.warning("service.ending_hurried")
            self._ending.cancel()

    async def _end(self, http: HttpServer, parts: Sequence[asyncio.Task[None]]) -> None:
        until = time.monotonic() + self.settings.drain_seconds
        self.health.draining()
        serving, starting = parts
        starting.cancel()
        if self._starting_broker is not None:
            self._starting_broker.cancel()
        if self._tasks_started:
            await self._drain_all(until)
        await self.health.stop(CLOSE_SECONDS)
        for hook in self._on_stop:
            await bounded("stop hook", hook())
        if self._publisher is not None:
            await bounded("publisher", self._publisher.close())
        if self._broker is not None:
            await bounded("broker", self._broker.stop())
        await http.stop(max(1.0, until - time.monotonic()))
        await asyncio.wait([serving])
        if self._database is not None:
            await bounded("database", self._database.close())

    async def _drain_all(self, until: float) -> None:
        consumers = ((f"consumer {consumer.queue}", consumer.drain) for consumer in self._consumers)
        await asyncio.gather(*(self._drain(name, drain, until) for name, drain in consumers))
        for number, drain in enumerate(self._drains):
            await self._drain(f"drain {number}", drain, until)

    async def _drain(self, name: str, drain: Drain, until: float) -> None:
        remaining = max(0.0, until - time.monotonic())
        await bounded(name, drain(remaining), remaining + CLOSE_SECONDS)


def _consumes(consumer: BatchConsumer) -> Check:
    async def consuming() -> bool:
        return consumer.consuming

    return consuming


def _check_nesting(settings: ServiceSettings, act_timeout_seconds: float | None) -> None:
    if act_timeout_seconds is not None and act_timeout_seconds > settings.drain_seconds:
        raise SettingsError(
            f"DRAIN_SECONDS ({settings.drain_seconds:g}) is shorter than the longest act "
            f"({act_timeout_seconds:g}): a drain would cut acts short"
        )
    if settings.drain_seconds >= settings.grace_seconds:
        raise SettingsError("DRAIN_SECONDS must be below GRACE_SECONDS")


def _version(distribution: str) -> str:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(distribution)
    return "0"
