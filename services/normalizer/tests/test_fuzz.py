"""The OpenAPI document taken at its word: no request it allows meets a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from leadbus.web import sign_token
from leadbus_devstack.ports import free_ports
from leadbus_devstack.services import ServiceName, ServiceProcess
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

TOKEN_KEY = "a-key-of-tests-that-has-32-bytes-or-more"
ADMIN = {"Authorization": f"Bearer {sign_token(SecretStr(TOKEN_KEY), 'test', 'admin')}"}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = [
    "GET /v1/leads",
    "GET /v1/leads/{lead_id}",
    "GET /v1/raw/{raw_id}",
    "GET /v1/raw/{raw_id}/body",
    "POST /v1/raw/{raw_id}/replay",
    "GET /v1/quarantine",
    "GET /v1/quarantine/counts",
    "GET /v1/quarantine/{entry_id}",
    "GET /v1/quarantine/{entry_id}/body",
    "POST /v1/quarantine/{entry_id}/replay",
    "POST /v1/quarantine/{entry_id}/discard",
    "PUT /v1/settings/{kind}/{name}",
]


@pytest.fixture(scope="module")
def schema(database_factory: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    database_url = database_factory.create("normalizer")
    given_settings = {"AMQP_URL": "amqp://127.0.0.1:1", "DATABASE_URL": database_url, "TOKEN_KEY": TOKEN_KEY}
    log = tmp_path_factory.mktemp("normalizer") / "normalizer.log"
    process = ServiceProcess(ServiceName("normalizer"), free_ports(1)[0], given_settings, log)
    process.start()
    try:
        # Never ready, as there is no broker; answering is enough.
        process.process.wait_until(lambda: answers(process.url), timeout_seconds=60)
        yield schemathesis.openapi.from_url(f"{process.url}/openapi.json")
    finally:
        process.stop()
        database_factory.drop(database_url)


def answers(url: str) -> bool:
    try:
        return bool(httpx2.get(f"{url}/v1/leads", headers=ADMIN).status_code == 200)
    except httpx2.HTTPError:
        return False


def test_the_list_of_operations_is_complete(schema: Any) -> None:
    found = {result.ok().label for result in schema.get_all_operations()}
    assert {label for label in found if "/v1/settings" not in label} <= set(OPERATIONS) <= found


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
        case.validate_response(case.call(headers=ADMIN), checks=CHECKS)

    fuzz()
