"""A whole system on a RabbitMQ and a Postgres of the test's own, so that both may be killed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from leadbus_devstack import stack as stacks
from leadbus_devstack.postgres import NativePostgres
from leadbus_devstack.rabbitmq import NativeRabbitMQ
from leadbus_devstack.servers import Servers
from leadbus_devstack.stack import Stack

from tests.guarantees.set_up import set_up
from tests.guarantees.system import System

# Deliveries that a kill left in doubt wait for their lease, so the times of a try are kept short.
SETTINGS = {
    "adf-mailer": {
        "SMTP_STEP_TIMEOUT_SECONDS": "3",
        "SMTP_BEFORE_DOT_TIMEOUT_SECONDS": "4",
        "SMTP_ANSWER_TIMEOUT_SECONDS": "4",
        "RETRY_STEPS_SECONDS": "[1, 1, 2, 2, 5]",
    }
}


@pytest.fixture
def system(
    private_rabbitmq: NativeRabbitMQ, private_postgres: NativePostgres, tmp_path: Path
) -> Iterator[System]:
    """Three services, ready, with a source, two dealers and their routes."""
    servers = Servers(
        private_rabbitmq.url, private_rabbitmq.management_url, private_postgres.url, "private, to be killed"
    )
    stacks.migrate(servers.postgres_url)
    stack = Stack(servers, tmp_path / "logs", tmp_path / "mail", settings=SETTINGS)
    with stacks.running(stack):
        set_up(stack)
        yield System(stack, private_rabbitmq, private_postgres, run=secrets.token_hex(4))
