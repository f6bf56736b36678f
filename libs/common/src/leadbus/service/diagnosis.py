"""``GET /v1/diagnosis``: what a service knows about itself that only it can know.

`leadbus doctor` asks every service and compares. Each part has its own time limit, so that a database that
hangs hides nothing else.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import APIRouter
from pydantic import BaseModel, Field, SecretStr
from yarl import URL

from leadbus import outbox
from leadbus.clock import Clock, SystemClock
from leadbus.db import Connection, Database, schema_state
from leadbus.health import Health
from leadbus.topology import vhost_of
from leadbus.web import Actor, Role, require

PART_SECONDS = 3.0


class TokenSeen(BaseModel):
    """Who the service takes the asking token for."""

    subject: str
    role: Role


class DatabaseSeen(BaseModel):
    """The service's own database; what could not be learned is null."""

    reachable: bool
    error: str | None = Field(description="Kind of the error, when it is not reachable.")
    schema_state: str | None = Field(
        description="`current`, `behind` or `ahead` of this release.", examples=["current"]
    )
    clock: datetime | None = Field(description="The database's time, read halfway through the round trip.")
    round_trip_seconds: float | None
    ahead_seconds: float | None = Field(description="The database's clock minus the service's.")
    server_version: str | None = Field(examples=["15.18"])


class OutboxSeen(BaseModel):
    """What is committed and not yet confirmed by the broker."""

    pending: int
    oldest_age_seconds: float


class BrokerSeen(BaseModel):
    """How the service sees RabbitMQ. Never a password."""

    user: str
    host: str
    port: int
    vhost: str
    publishing: bool | None = Field(description="Whether its publisher is connected; null without one.")
    consuming: dict[str, bool] = Field(description="By queue.")


class Diagnosis(BaseModel):
    """One service, seen from inside."""

    service: str
    version: str
    state: str = Field(examples=["running"])
    ready: bool
    checks: dict[str, str] = Field(description="Readiness checks.")
    tasks: dict[str, str] = Field(description="Supervised tasks.")
    clock: datetime = Field(description="The service's time, read when it answers.")
    token: TokenSeen
    database: DatabaseSeen | None
    outbox: OutboxSeen | None
    broker: BrokerSeen | None


class Publishing(Protocol):
    """The part of ``leadbus.publisher.Publisher`` that is looked at."""

    @property
    def connected(self) -> bool: ...


class Consuming(Protocol):
    """The part of ``leadbus.consumer.BatchConsumer`` that is looked at."""

    @property
    def queue(self) -> str: ...

    @property
    def consuming(self) -> bool: ...


class Diagnosing:
    """Looks at one service. Nothing here raises because a server is away."""

    def __init__(
        self,
        service: str,
        package: str,
        version: str,
        health: Health,
        *,
        database: Database | None,
        amqp_url: SecretStr | None,
        publisher: Publishing | None = None,
        consumers: Sequence[Consuming] = (),
        clock: Clock | None = None,
        part_seconds: float = PART_SECONDS,
    ) -> None:
        self._service = service
        self._package = package
        self._version = version
        self._health = health
        self._database = database
        self._amqp_url = amqp_url
        self._publisher = publisher
        self._consumers = consumers
        self._clock = clock or SystemClock()
        self._part_seconds = part_seconds

    async def diagnose(self, actor: Actor) -> Diagnosis:
        (ready, checks), database, waiting = await asyncio.gather(
            self._health.ready(), self._see_database(), self._see_outbox()
        )
        _, tasks = self._health.alive()
        return Diagnosis(
            service=self._service,
            version=self._version,
            state=checks.pop("service"),
            ready=ready,
            checks=checks,
            tasks=tasks,
            clock=self._clock.now(),
            token=TokenSeen(subject=actor.subject, role=actor.role),
            database=database,
            outbox=waiting,
            broker=self._see_broker(),
        )

    async def _see_database(self) -> DatabaseSeen | None:
        if self._database is None:
            return None
        seen = DatabaseSeen(
            reachable=False,
            error=None,
            schema_state=None,
            clock=None,
            round_trip_seconds=None,
            ahead_seconds=None,
            server_version=None,
        )
        try:
            async with asyncio.timeout(self._part_seconds):
                async with self._database.acquire() as conn:
                    await self._see_clock(conn, seen)
                seen.schema_state = (await schema_state(self._package, self._database)).value
        except Exception as error:  # noqa: BLE001 - the kind of the error is the finding
            seen.error = type(error).__name__
        return seen

    async def _see_clock(self, conn: Connection, seen: DatabaseSeen) -> None:
        before, started = self._clock.now(), time.monotonic()
        seen.clock = await conn.fetchval("SELECT clock_timestamp()")
        seen.round_trip_seconds = time.monotonic() - started
        assert seen.clock is not None
        # It was read between asking and answer: half the way is the best guess.
        seen.ahead_seconds = (seen.clock - before).total_seconds() - seen.round_trip_seconds / 2
        seen.server_version = str(await conn.fetchval("SHOW server_version")).partition(" ")[0]
        seen.reachable = True

    async def _see_outbox(self) -> OutboxSeen | None:
        if self._database is None:
            return None
        try:
            async with asyncio.timeout(self._part_seconds), self._database.acquire() as conn:
                if await conn.fetchval("SELECT to_regclass('outbox')") is None:
                    return None
                pending, age = await outbox.stats(conn)
        except Exception:  # noqa: BLE001 - the database's own part says that it is away
            return None
        return OutboxSeen(pending=pending, oldest_age_seconds=age)

    def _see_broker(self) -> BrokerSeen | None:
        if self._amqp_url is None or (self._publisher is None and not self._consumers):
            return None
        url = URL(self._amqp_url.get_secret_value())
        return BrokerSeen(
            user=url.user or "guest",
            host=url.host or "",
            port=url.port or (5671 if url.scheme == "amqps" else 5672),
            vhost=vhost_of(str(url)),
            publishing=self._publisher.connected if self._publisher is not None else None,
            consuming={consumer.queue: consumer.consuming for consumer in self._consumers},
        )


def router(diagnosing: Diagnosing) -> APIRouter:
    """For operators."""
    made = APIRouter(tags=["Operations"])

    @made.get(
        "/v1/diagnosis",
        summary="See the service from inside",
        description="Version, schema, clocks, outbox, broker connection, checks and tasks, as far as they "
        "can be learned now.",
    )
    async def diagnosis(actor: Annotated[Actor, require(Role.OPERATOR)]) -> Diagnosis:
        return await diagnosing.diagnose(actor)

    return made
