"""The OpenAPI document taken at its word: no request it allows, and none it does not, meets a 500."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from leadbus.web import sign_token
from leadbus_devstack.databases import DatabaseFactory
from leadbus_devstack.ports import free_ports
from leadbus_devstack.services import ServiceName, ServiceProcess
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
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    "GET /v1/deliveries/{delivery_id}/mail",
    "GET /v1/poison",
    "POST /v1/poison/{poison_id}/retry",
    "POST /v1/poison/{poison_id}/discard",
    "GET /v1/deliveries",
    "GET /v1/deliveries/{delivery_id}",
    "PUT /v1/settings/{kind}/{name}",
]


@pytest.fixture(scope="module")
def schema(database_factory: DatabaseFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    database_url = database_factory.create("adf_mailer")
    log: Path = tmp_path_factory.mktemp("adf-mailer") / "adf-mailer.log"
    given_settings = {
        "AMQP_URL": "amqp://127.0.0.1:1",
        "DATABASE_URL": database_url,
        "TOKEN_KEY": TOKEN_KEY,
        "SMTP_HOST": "127.0.0.1",
        "FROM_ADDRESS": "leads@leadbus.example",
    }
    process = ServiceProcess(ServiceName("adf-mailer"), free_ports(1)[0], given_settings, log)
    process.start()
    try:
        process.process.wait_until(lambda: _database_answers(process), timeout_seconds=60)
        yield schemathesis.openapi.from_url(f"{process.url}/openapi.json")
    finally:
        process.stop()
        database_factory.drop(database_url)


def _database_answers(process: ServiceProcess) -> bool:
    # Without RabbitMQ it is not ready, and answers all the same.
    try:
        checks = httpx2.get(f"{process.url}/readyz", timeout=5).json()["checks"]
    except httpx2.HTTPError:
        return False
    return bool(checks["database"] == "ok")


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_meets_a_defect(schema: Any, label: str) -> None:
    operation = next(found.ok() for found in schema.get_all_operations() if found.ok().label == label)

    @given(case=operation.as_strategy())
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def fuzz(case: Any) -> None:
        if label.startswith("PUT"):
            case.path_parameters["kind"] = "AdfRoute"
        case.validate_response(case.call(headers=ADMIN), checks=CHECKS)

    fuzz()
