"""A running service's OpenAPI document taken at its word by schemathesis.

Whatever the document allows is asked for, and what it does not allow too: no answer is a 500, and every one
is as the document says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from leadbus.topology import apply
from leadbus.web import sign_token
from leadbus_devstack.databases import DatabaseFactory
from leadbus_devstack.ports import free_ports
from leadbus_devstack.probe import answer
from leadbus_devstack.services import ServiceName, ServiceProcess
from leadbus_devstack.threads import run_apart
from leadbus_devstack.vhosts import Vhost
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
ADMIN = {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', 'admin')}"}

# Not checked is what a schema cannot say: which payload a door for anybody's refuses, which ids exist.
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@contextmanager
def serving(service: str, databases: DatabaseFactory, vhost: Vhost, logs: Path, **more: str) -> Iterator[str]:
    """The URL of a service as a process on its own database, with the topology in the virtual host.

    What reads queues is asked for as well, and would rightly answer 503 without RabbitMQ.
    """
    run_apart(lambda: apply(vhost.amqp_url, vhost.management_url))
    name = ServiceName(service)
    database_url = databases.create(name.package)
    chosen = {"AMQP_URL": vhost.amqp_url, "DATABASE_URL": database_url, "TOKEN_KEY": TOKEN_KEY, **more}
    process = ServiceProcess(name, free_ports(1)[0], chosen, logs / f"{service}.log")
    process.start()
    try:
        process.process.wait_until(lambda: _database_answers(process), timeout_seconds=60)
        yield process.url
    finally:
        process.stop()
        databases.drop(database_url)


def operations(url: str) -> dict[str, Any]:
    """Every operation of the service there by its label, such as `GET /v1/leads`."""
    document: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
    return {one.ok().label: one.ok() for one in document.get_all_operations()}


def without_settings(found: Mapping[str, Any]) -> set[str]:
    """The labels but those of the API of settings, which every service has."""
    return {label for label in found if "/v1/settings" not in label}


def fuzz(
    operation: Any,
    *,
    headers: Mapping[str, str] = ADMIN,
    path: Mapping[str, str] | None = None,
    examples: int = 25,
) -> None:
    """Ask for `operation` in so many ways; `path` fixes some of its parameters."""

    def ask(case: Any) -> None:
        case.path_parameters.update(path or {})
        case.validate_response(case.call(headers=dict(headers)), checks=_CHECKS)

    run: Callable[[], None] = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )(given(case=operation.as_strategy())(ask))
    run()


def _database_answers(process: ServiceProcess) -> bool:
    status, text = answer(process.port, "/readyz")
    return status in (200, 503) and json.loads(text)["checks"]["database"] == "ok"
