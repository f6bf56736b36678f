"""A whole system on a RabbitMQ and a Postgres of its own, so that both may be broken.

Building one takes longer than most faults, so tests that want the same share one, each with a stream and
accounts of its own. A test that failed leaves nobody its system.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from leadbus_devstack import private_servers
from leadbus_devstack import stack as stacks
from leadbus_devstack.errors import DevstackError
from leadbus_devstack.links import Links
from leadbus_devstack.pytest_plugin import private
from leadbus_devstack.servers import Servers
from leadbus_devstack.stack import Stack

from tests.guarantees.fates import REFUSAL, REFUSED_ADDRESS
from tests.guarantees.set_up import set_up
from tests.guarantees.system import System

# What a dead process had in its hands waits for the end of a lease: kept short, as are the times of a try.
_HOLD = {"OUTBOX_HOLD_SECONDS": "3"}


def retrying(steps_seconds: str) -> dict[str, str]:
    """adf-mailer tries again after these waits, whatever the answer was."""
    paces = ("", "DEFERRED_", "OTHER_", "FULL_")
    return {f"RETRY_{pace}STEPS_SECONDS": steps_seconds for pace in paces}


SETTINGS = {
    "ingest": _HOLD,
    "normalizer": _HOLD,
    "adf-mailer": {
        **_HOLD,
        "SMTP_STEP_TIMEOUT_SECONDS": "2",
        "SMTP_BEFORE_DOT_TIMEOUT_SECONDS": "2",
        "SMTP_ANSWER_TIMEOUT_SECONDS": "6",
        **retrying("[1, 1, 2, 2, 5]"),
        "RETRY_THEN_EVERY_SECONDS": "5",
        "PROBE_STEPS_SECONDS": "[1, 2, 3]",
        # One dealer's address refuses every lead, and each is to be told as failed.
        "ADDRESS_SUSPENDED_AFTER": "10000",
    },
}
SMALL_DISK_SETTINGS = {"min_wal_size": "32MB", "max_wal_size": "64MB"}

_SYSTEMS_AT_ONCE = 2
_failed = pytest.StashKey[bool]()


@dataclass(frozen=True, slots=True)
class Options:
    """How a file wants its system. `disk_megabytes`: size of Postgres' own file system, if any."""

    replicas: int = 1
    links: bool = False
    disk_megabytes: int = 0
    amqp_query: str = ""
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: SETTINGS)


@pytest.fixture(scope="module")
def options() -> Options:
    """Overridden by files that want another system."""
    return Options()


@contextlib.contextmanager
def running_system(options: Options, place: Path) -> Iterator[System]:
    """Servers, services ready, a source, dealers and routes. Skips, with the reason, where there is none."""
    with contextlib.ExitStack() as parts:
        disk = None
        if options.disk_megabytes:
            try:
                disk = parts.enter_context(private_servers.small_disk(options.disk_megabytes))
            except DevstackError as error:
                pytest.skip(f"no disk that can be filled: {error}")
        rabbitmq = parts.enter_context(private(private_servers.private_rabbitmq()))
        postgres = parts.enter_context(
            private(private_servers.private_postgres(disk=disk, settings=SMALL_DISK_SETTINGS if disk else {}))
        )
        servers = Servers(rabbitmq.url, rabbitmq.management_url, postgres.url, "private, to be broken")
        stacks.migrate(servers.postgres_url)
        stack = Stack(
            servers,
            place / "logs",
            place / "mail",
            settings=options.settings,
            replicas=options.replicas,
            links=Links() if options.links else None,
            amqp_query=options.amqp_query,
        )
        parts.enter_context(stacks.running(stack))
        set_up(stack)
        stack.smtp.control(rcpt={REFUSED_ADDRESS: REFUSAL})
        yield System(stack, rabbitmq, postgres, run=secrets.token_hex(4), disk=disk)


class Systems:
    """One system for test after test that want the same, until one of them fails on it; the last two live."""

    def __init__(self, places: pytest.TempPathFactory) -> None:
        self._places = places
        self._living: list[tuple[Options, System, contextlib.ExitStack]] = []

    def of(self, options: Options) -> System:
        """One on which nothing has failed so far."""
        for position, (built_for, system, _) in enumerate(self._living):
            if built_for == options:
                self._living.append(self._living.pop(position))
                return system
        while len(self._living) >= _SYSTEMS_AT_ONCE:
            self._end(0)
        parts = contextlib.ExitStack()
        system = parts.enter_context(running_system(options, self._places.mktemp("system")))
        self._living.append((options, system, parts))
        return system

    def spoilt(self, spoilt: System) -> None:
        """Nobody gets this one any more."""
        for position, (_, system, _) in enumerate(self._living):
            if system is spoilt:
                self._end(position)
                return

    def close(self) -> None:
        while self._living:
            self._end(0)

    def _end(self, position: int) -> None:
        _, _, parts = self._living.pop(position)
        parts.close()


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    """What the tests of a worker share."""
    made = Systems(tmp_path_factory)
    yield made
    made.close()


@pytest.fixture
def system(systems: Systems, options: Options, request: pytest.FixtureRequest) -> Iterator[System]:
    """A system as the file wants it, on which nothing has failed so far."""
    given = systems.of(options)
    print(f"logs of the system: {given.stack.logs}")
    yield given
    if request.node.stash.get(_failed, False):
        systems.spoilt(given)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None:
        item.stash[_failed] = True
    return report
