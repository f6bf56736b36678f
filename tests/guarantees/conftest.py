"""A whole system on a RabbitMQ and a Postgres of the test's own, so that both may be killed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from leadbus_devstack import stack as stacks
from leadbus_devstack.postgres import NativePostgres
from leadbus_devstack.rabbitmq import NativeRabbitMQ
from leadbus_devstack.servers import Servers
from leadbus_devstack.stack import Stack

from tests.guarantees.system import DEALERS, System

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
        _set_up(stack)
        yield System(stack, private_rabbitmq, private_postgres, run=secrets.token_hex(4))


def _set_up(stack: Stack) -> None:
    _put(stack, "ingest", "Source", "contactatonce", {})
    for dealer in DEALERS:
        name = f"dealer-{dealer}"
        spec = {"name": f"Dealer {dealer}", "country": "US", "time_zone": "America/Chicago"}
        _put(stack, "normalizer", "Dealer", name, spec | {"phone": "+13125550100"})
        location = {"source": "contactatonce", "external_id": dealer, "dealer": name}
        _put(stack, "normalizer", "Location", f"cao-{dealer}", location)
        _put(stack, "adf-mailer", "AdfRoute", name, {"dealer": name, "address": f"leads@{name}.example"})
    stack.create_api_key()


def _put(stack: Stack, service: str, kind: str, name: str, spec: Mapping[str, object]) -> None:
    httpx2.put(
        f"{stack.services[service].url}/v1/settings/{kind}/{name}",
        json={"spec": spec},
        headers={"Authorization": f"Bearer {stack.token('admin')}"},
        timeout=10,
    ).raise_for_status()
