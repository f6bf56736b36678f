"""One small system for all crashes of a file: only the service that dies is started again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from leadbus_devstack import stack as stacks
from leadbus_devstack.servers import Servers

from tests.guarantees.crash_points.mortal import MortalStack
from tests.guarantees.crash_points.scene import Scene
from tests.guarantees.set_up import set_up

# Only the waits between tries are short: leases are ended by hand, and no answer is to be given up on.
SETTINGS = {"adf-mailer": {"RETRY_STEPS_SECONDS": "[1, 1, 2, 2, 5]", "PROBE_STEPS_SECONDS": "[1, 2, 3]"}}


@pytest.fixture(scope="module")
def mortal_stack(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalStack]:
    directory = tmp_path_factory.mktemp("crash-points")
    name = f"crash-{secrets.token_hex(4)}"
    stacks.migrate(servers.postgres_url, name)
    stack = MortalStack(
        servers,
        directory / "logs",
        directory / "mail",
        name=name,
        settings=SETTINGS,
        partners=("bdk", "virtualexpo"),
        takes_mail=True,
        takes_bounces=True,
    )
    try:
        with stacks.running(stack):
            set_up(stack)
            yield stack
    finally:
        stack.remove()


@pytest.fixture
def scene(mortal_stack: MortalStack) -> Scene:
    """Everything runs, whatever the test before left behind."""
    for service in mortal_stack.services.values():
        if not service.process.running:
            service.start()
    for service in mortal_stack.services.values():
        service.wait_ready()
    return Scene(mortal_stack)
