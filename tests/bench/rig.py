"""What every case runs on: durable servers, one virtual host, migrated databases, twenty dealers."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from adf_mailer.routes import ADF_ROUTE
from ingest.sources.setting import SOURCE
from leadbus.db import Database
from leadbus.settings.documents import DocumentStore
from leadbus_devstack import databases
from leadbus_devstack import stack as stacks
from leadbus_devstack.data import scratch_directory
from leadbus_devstack.postgres import NativePostgres
from leadbus_devstack.processes import GuardedProcess
from leadbus_devstack.servers import Servers, start_servers
from leadbus_devstack.services import ServiceName, ServiceProcess
from leadbus_devstack.stack import Stack
from normalizer import directory

from tests.bench import leads
from tests.bench.same_rows import Written
from tests.bench.sample import Sample, Stages, pause, take

INGEST, NORMALIZER, MAILER = map(ServiceName, ("ingest", "normalizer", "adf-mailer"))
DEALER = {"country": "US", "time_zone": "America/Chicago", "phone": "+13125550100"}
FINDING_KEY = "bench bench bench bench bench bench"
_SETTINGS = {"normalizer": {"FINDING_KEY": FINDING_KEY}}
"""Nothing but what has no default."""
_ROOT = Path(__file__).parents[2]
LOGS = _ROOT / ".leadbus" / "bench-logs"
"""Of the last run that failed."""
# What a database server is given in production; the defaults are for a machine of 2005.
_POSTGRES_SETTINGS = {
    "shared_buffers": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 4 // 1024**2}MB",
    "wal_compression": "lz4",
    # No checkpoint while we measure: after one, every page's first change is written whole. (DROP DATABASE
    # makes one as well.)
    "max_wal_size": "30GB",
    "checkpoint_timeout": "1h",
}


@dataclass
class Rig:
    """`stack` holds names, users and settings; its services are started by the cases, one by one.

    `copies` are names of databases that cases have made; they go in the end.
    """

    servers: Servers
    stack: Stack
    directory: Path
    written: Written = field(default_factory=Written)
    copies: list[str] = field(default_factory=list)

    @property
    def amqp_url(self) -> str:
        """Of an administrator, for filling, purging and looking."""
        return self.stack.vhost.amqp_url

    def database_url(self, service: ServiceName = NORMALIZER) -> str:
        return self.stack.database_url(service)

    @property
    def destination(self) -> str:
        """The mail host as adf-mailer names it."""
        return f"{self.stack.smtp.host}:{self.stack.smtp.port}"

    @property
    def sample_file(self) -> Path:
        return self.directory / "sample.json"

    @property
    def sample(self) -> Sample:
        return Sample.read(self.sample_file)

    def postgres_settings(self) -> dict[str, str]:
        """What a figure depends on most, as the server says."""
        names = ("fsync", "synchronous_commit", "full_page_writes", "wal_compression", "shared_buffers")
        return {name: str(asyncio.run(ask(self.servers.postgres_url, f"SHOW {name}"))) for name in names}

    def server_roles(self) -> dict[str, list[int]]:
        """Process ids of `broker` and `postgres`; nothing when the servers are not processes of ours."""
        names = {"RabbitMQ": "broker", "Postgres": "postgres"}
        return {names[process.name]: process.processes() for process in self.servers.processes()}

    def service(self, name: ServiceName, settings: Mapping[str, str] | None = None) -> ServiceProcess:
        """The real service as deployed, not started; `settings` go over what the stack gives it."""
        if settings is None:
            return self.stack.service(name)
        before = self.stack.settings
        self.stack.settings = {**before, name.folder: {**before.get(name.folder, {}), **settings}}
        try:
            return self.stack.service(name)
        finally:
            self.stack.settings = before

    def program(self, module: str, *arguments: str) -> GuardedProcess:
        """`python -m <module>`, not started."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return GuardedProcess(
            module.rpartition(".")[2],
            [sys.executable, "-m", module, *arguments],
            self.directory / f"{module}.log",
            inherited | {"PYTHONUNBUFFERED": "1"},
            directory=_ROOT,
            grace_seconds=5,
        )


@contextmanager
def standing() -> Iterator[Rig]:
    """Servers up, durable; topology, schemas and dealers in place. Only logs of a failure stay."""
    place = scratch_directory("bench")
    try:
        servers = start_servers(durable=True)
        try:
            _tune(servers)
            with _stack(servers, place) as stack:
                rig = Rig(servers, stack, place)
                asyncio.run(_take_sample(rig)).write(rig.sample_file)
                try:
                    yield rig
                finally:
                    _drop(servers, rig.copies)
        finally:
            servers.stop()
    except Exception:
        shutil.rmtree(LOGS, ignore_errors=True)
        shutil.copytree(place, LOGS, ignore=shutil.ignore_patterns("mail*"))
        raise
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _drop(servers: Servers, names: Sequence[str]) -> None:
    """Servers of our own go with all that is in them."""
    for name in () if servers.own else names:
        databases.drop(servers.postgres_url, name)


@contextmanager
def _stack(servers: Servers, place: Path) -> Iterator[Stack]:
    name = "" if servers.own else f"bench-{os.getpid()}"
    stacks.migrate(servers.postgres_url, name)
    stack = Stack(servers, place, place / "mail", name=name, settings=_SETTINGS)
    try:
        stack.apply_topology()
        asyncio.run(_write_settings(stack))
        yield stack
    finally:
        stack.stop()
        if not servers.own:
            stack.remove()


async def _take_sample(rig: Rig) -> Sample:
    normalizer, mailer = rig.service(NORMALIZER).process, rig.service(MAILER).process
    pause(rig.database_url(MAILER), rig.destination)
    stages = Stages(rig.amqp_url, normalizer, rig.database_url(), mailer, rig.database_url(MAILER))
    return await take(stages)


def _tune(servers: Servers) -> None:
    """Our own server gets the memory of a production server; a given one stays as its owner wants it."""
    if not servers.own:
        return
    settings = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in _POSTGRES_SETTINGS.items()]
    databases.execute(servers.postgres_url, *settings)
    for server in servers._started:
        if isinstance(server, NativePostgres):
            server.stop()
            server.start()


async def _write_settings(stack: Stack) -> None:
    """A source, and for each dealer its location and its route, as an administrator would write them."""
    async with opened(stack.database_url(INGEST)) as database:
        store = DocumentStore(database, [SOURCE])
        await store.put("Source", leads.SOURCE, {}, actor="bench")
    async with opened(stack.database_url(NORMALIZER)) as database:
        store = DocumentStore(database, directory.kinds())
        for dealer in leads.DEALERS:
            name = f"dealer-{dealer}"
            await store.put("Dealer", name, DEALER | {"name": f"Prairie Motors {dealer}"}, actor="bench")
            location = {"source": leads.SOURCE, "external_id": dealer, "dealer": name}
            await store.put("Location", f"cao-{dealer}", location, actor="bench")
    async with opened(stack.database_url(MAILER)) as database:
        store = DocumentStore(database, [ADF_ROUTE])
        for dealer in leads.DEALERS:
            await store.put("AdfRoute", f"route-{dealer}", route_spec(dealer), actor="bench")


def route_spec(dealer: str) -> dict[str, str]:
    """Where the leads of one of our dealers go."""
    return {"dealer": f"dealer-{dealer}", "address": f"leads@dealer-{dealer}.example"}


class opened:  # noqa: N801 -- reads as a verb: `async with opened(url) as database`
    """A database of ours, open for a while."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, max_size=2)

    async def __aenter__(self) -> Database:
        await self._database.open()
        return self._database

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()


async def ask(url: str, statement: str, *arguments: object) -> Any:
    """One value from a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()
