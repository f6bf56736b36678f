"""RabbitMQ and Postgres together, wherever they come from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
import httpx2

from leadbus_devstack import postgres, rabbitmq
from leadbus_devstack.data import scratch_directory
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.processes import GuardedProcess
from leadbus_devstack.providers import Broker, DatabaseServer, Place, new_broker, new_database_server
from leadbus_devstack.resolve import Source, Way, resolve_postgres, resolve_rabbitmq
from leadbus_devstack.threads import run_apart


@dataclass
class Servers:
    """Running servers. `description` names them with their versions; `own`: nobody else uses them."""

    amqp_url: str
    management_url: str
    postgres_url: str
    description: str
    own: bool = True
    _started: list[Broker | DatabaseServer] = field(default_factory=list, repr=False)
    _scratch: Path | None = field(default=None, repr=False)

    def processes(self) -> list[GuardedProcess]:
        """Those that run as processes of ours."""
        natives = (rabbitmq.NativeRabbitMQ, postgres.NativePostgres)
        return [server.process for server in self._started if isinstance(server, natives)]

    def stop(self, *, keep_data: bool = False) -> None:
        """Stop what was started here; at once, and its data gone, unless they are kept."""
        for process in self.processes():
            if keep_data:
                process.request_stop()
            else:
                process.kill()
        for server in self._started:
            server.stop()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def start_servers(
    place: Place | None = None, *, durable: bool, on_database: Callable[[str], None] = lambda _: None
) -> Servers:
    """Resolve and start both, side by side; in a temporary place that `stop` removes when none is given.

    `on_database` gets Postgres' URL as soon as it answers, while RabbitMQ is still starting.
    Raises ServerMissingError when one cannot be had, DevstackError when one does not start.
    """
    broker_source, database_source = resolve_rabbitmq(), resolve_postgres()
    scratch = scratch_directory("servers") if place is None else None
    place = place or Place(scratch or Path(), (scratch or Path()) / "logs")
    try:
        broker = new_broker(broker_source.way, place)
        database = new_database_server(database_source.way, place, durable=durable)
        _start_both(broker, database, on_database)
        return Servers(
            broker.url,
            broker.management_url,
            database.url,
            _describe(broker, broker_source, database, database_source),
            Way.URL not in (broker_source.way, database_source.way),
            [broker, database],
            scratch,
        )
    except BaseException:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        raise


def _start_both(broker: Broker, database: DatabaseServer, on_database: Callable[[str], None]) -> None:
    with ThreadPoolExecutor(1) as beside:
        booting = beside.submit(broker.start)
        try:
            database.start()
            on_database(database.url)
            booting.result()
        except BaseException:
            # A broker that is still booting ends its own start-up when its process is gone.
            broker.stop()
            database.stop()
            raise


def _describe(
    broker: Broker, broker_source: Source, database: DatabaseServer, database_source: Source
) -> str:
    return (
        f"RabbitMQ {rabbitmq_version(broker.management_url)} ({broker_source.way}), "
        f"Postgres {postgres_version(database.url)} ({database_source.way})"
    )


def rabbitmq_version(management_url: str) -> str:
    """Asks the server. Raises DevstackError when it does not answer."""
    address = urlsplit(management_url)
    try:
        answer = httpx2.get(
            f"{address.scheme}://{address.hostname}:{address.port}/api/overview",
            auth=(unquote(address.username or "guest"), unquote(address.password or "guest")),
            timeout=10,
        ).raise_for_status()
    except httpx2.HTTPError as error:
        raise DevstackError(
            f"RabbitMQ's management at port {address.port}: {type(error).__name__}"
        ) from error
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
