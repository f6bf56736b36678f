"""pytest fixtures on real servers: one vhost and one set of databases per test worker.

Servers are started once per run, by the process that the person started; workers are told where they are.
With CI=true a missing server fails the tests that need it; elsewhere it skips them.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TypeVar

import pytest
from leadbus import log

from leadbus_devstack import private_servers
from leadbus_devstack.databases import DatabaseFactory
from leadbus_devstack.errors import DevstackError, ServerMissingError
from leadbus_devstack.postgres import NativePostgres
from leadbus_devstack.rabbitmq import NativeRabbitMQ
from leadbus_devstack.resolve import resolve_postgres, resolve_rabbitmq
from leadbus_devstack.sandboxes import SandboxProcess
from leadbus_devstack.servers import Servers, start_servers
from leadbus_devstack.smtp import SmtpServer
from leadbus_devstack.threads import run_apart
from leadbus_devstack.vhosts import Vhost, new_vhost

S = TypeVar("S")
MakeDatabase = Callable[[str | None], str]
StartSandbox = Callable[[str], SandboxProcess]

_servers: pytest.StashKey[Servers] = pytest.StashKey()
_trouble: pytest.StashKey[str] = pytest.StashKey()
_HANDED_OVER = ("amqp_url", "management_url", "postgres_url", "description")


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _runs_workers(config: pytest.Config) -> bool:
    return bool(getattr(config.option, "numprocesses", None))


def _worker_input(config: pytest.Config) -> dict[str, Any] | None:
    return getattr(config, "workerinput", None)


def pytest_report_header(config: pytest.Config) -> str:
    """Servers and versions; with workers they are running by now, else they start with the first need."""
    if _runs_workers(config):
        _start(config)
        if _servers in config.stash:
            return f"servers: {config.stash[_servers].description}"
        return f"servers: MISSING {config.stash[_trouble].splitlines()[0]}"
    try:
        return f"servers: {resolve_rabbitmq()}, {resolve_postgres()}, started on first use"
    except DevstackError as error:
        return f"servers: MISSING {str(error).splitlines()[0]}"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: hand the servers over to a worker."""
    config: pytest.Config = node.config
    _start(config)
    if _servers in config.stash:
        node.workerinput["leadbus"] = {name: getattr(config.stash[_servers], name) for name in _HANDED_OVER}
    else:
        node.workerinput["leadbus_trouble"] = config.stash[_trouble]


def pytest_unconfigure(config: pytest.Config) -> None:
    if _servers in config.stash and _worker_input(config) is None:
        config.stash[_servers].stop()


def _start(config: pytest.Config) -> None:
    if _servers in config.stash or _trouble in config.stash:
        return
    handed = _worker_input(config)
    try:
        if handed is None:
            config.stash[_servers] = start_servers(durable=False)
        elif "leadbus" in handed:
            config.stash[_servers] = Servers(**handed["leadbus"])
        else:
            config.stash[_trouble] = handed["leadbus_trouble"]
    except DevstackError as error:
        config.stash[_trouble] = error.explain()


def _give_up(reason: str) -> NoReturn:
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A test that configures logging takes pytest's handlers off the root; the next one wants them back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    if root.handlers != handlers:
        root.handlers[:] = handlers
        root.setLevel(level)
        log.unconfigured()


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """Real servers, shared by the whole run: never stop, freeze or alarm them."""
    _start(pytestconfig)
    if _trouble in pytestconfig.stash:
        _give_up(pytestconfig.stash[_trouble])
    return pytestconfig.stash[_servers]


@pytest.fixture(scope="session")
def worker_label(pytestconfig: pytest.Config) -> str:
    """Tells xdist workers apart: "gw0", or "main" without workers."""
    worker = _worker_input(pytestconfig)
    return str(worker["workerid"]) if worker else "main"


@pytest.fixture(scope="session")
def vhost(servers: Servers, worker_label: str) -> Iterator[Vhost]:
    """This worker's virtual host."""
    made = new_vhost(servers.amqp_url, servers.management_url, worker_label)
    yield made
    made.delete()


@pytest.fixture
def clean_vhost(servers: Servers, worker_label: str) -> Iterator[Vhost]:
    """A virtual host for one test, with nothing in it."""
    made = new_vhost(servers.amqp_url, servers.management_url, worker_label)
    yield made
    made.delete()


@pytest.fixture
def amqp_url(clean_vhost: Vhost) -> str:
    return clean_vhost.amqp_url


@pytest.fixture
def topology(clean_vhost: Vhost) -> Vhost:
    """A virtual host for one test, with the whole topology applied."""
    from leadbus import topology as declared  # imported late: devstack's own tests do not need it

    async def apply() -> None:
        applied = declared.apply(clean_vhost.amqp_url, clean_vhost.management_url)
        if inspect.isawaitable(applied):
            await applied

    run_apart(apply)
    return clean_vhost


@pytest.fixture(scope="session")
def database_factory(servers: Servers, worker_label: str) -> Iterator[DatabaseFactory]:
    """This worker's databases and migrated templates."""
    factory = DatabaseFactory(servers.postgres_url, worker_label)
    yield factory
    factory.close()


@pytest.fixture
def make_database(database_factory: DatabaseFactory) -> Iterator[MakeDatabase]:
    """`make_database("normalizer")`: a new database with that service's schema; `None`: an empty one."""
    made: list[str] = []

    def make(service_package: str | None = None) -> str:
        made.append(database_factory.create(service_package))
        return made[-1]

    yield make
    for url in made:
        database_factory.drop(url)


@pytest.fixture
def database_url(make_database: MakeDatabase) -> str:
    """An empty database for one test."""
    return make_database(None)


@pytest.fixture(scope="session")
def smtp_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpServer]:
    """This worker's SMTP server; use `smtp`, which empties it first."""
    directory = tmp_path_factory.mktemp("smtp")
    server = SmtpServer(directory / "mail", directory / "smtp.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def smtp(smtp_process: SmtpServer) -> SmtpServer:
    """A mail-storing SMTP server without mails, faults or connections."""
    if not smtp_process.process.running:
        smtp_process.start()
    smtp_process.reset()
    return smtp_process


@pytest.fixture(scope="session")
def sandbox_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartSandbox]:
    """This worker's sandboxes; use `sandbox`, which resets them first."""
    directory = tmp_path_factory.mktemp("sandboxes")
    made: dict[str, SandboxProcess] = {}

    def process(name: str) -> SandboxProcess:
        if name not in made:
            made[name] = SandboxProcess(name, directory / f"{name}.log")
        return made[name]

    yield process
    for one in made.values():
        one.stop()


@pytest.fixture
def sandbox(sandbox_processes: StartSandbox) -> StartSandbox:
    """`sandbox("virtualexpo")`: that partner, running, without faults, data or a past."""

    def start(name: str) -> SandboxProcess:
        process = sandbox_processes(name)
        if not process.process.running:
            process.start()
        process.reset()
        return process

    return start


@pytest.fixture
def private_rabbitmq() -> Iterator[NativeRabbitMQ]:
    """A RabbitMQ of the test's own, to be killed, frozen and alarmed (about 6 s)."""
    with private(private_servers.private_rabbitmq()) as server:
        yield server


@pytest.fixture
def private_postgres() -> Iterator[NativePostgres]:
    """A Postgres of the test's own, with fsync on, to be killed and frozen (about 1 s)."""
    with private(private_servers.private_postgres()) as server:
        yield server


@contextlib.contextmanager
def private(server: AbstractContextManager[S]) -> Iterator[S]:
    """`server`; where there is none the test is skipped, or fails with CI=true, and says why."""
    with contextlib.ExitStack() as running:
        try:
            started = running.enter_context(server)
        except ServerMissingError as error:
            _give_up(str(error))
        yield started
