"""The OpenAPI document taken at its word: no request it allows, and none it does not, meets a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from leadbus_devstack.databases import DatabaseFactory
from leadbus_devstack.vhosts import Vhost

from tests.support import openapi

OPERATIONS = [
    "GET /v1/diagnosis",
    "GET /v1/deliveries",
    "GET /v1/deliveries/{delivery_id}",
    "GET /v1/deliveries/{delivery_id}/mail",
    "POST /v1/deliveries/{delivery_id}/redrive",
    "POST /v1/deliveries/{delivery_id}/cancel",
    "GET /v1/destinations",
    "GET /v1/destinations/{name}",
    "GET /v1/destinations/{name}/limits",
    "PUT /v1/destinations/{name}/limits",
    "POST /v1/destinations/{name}/pause",
    "POST /v1/destinations/{name}/resume",
    "GET /v1/bounces",
    "GET /v1/bounces/{bounce_id}",
    "GET /v1/bounces/{bounce_id}/raw",
    "GET /v1/crm-vendors",
    "GET /v1/crm-vendors/suggestions",
    "GET /v1/addresses",
    "POST /v1/addresses/{address}/resume",
    "GET /v1/silence",
    "GET /v1/leads/{lead_id}/preview",
    "POST /v1/preview",
    "POST /v1/routes/{name}/test-lead",
    "GET /v1/crm-profiles",
    "GET /v1/poison",
    "POST /v1/poison/{poison_id}/retry",
    "POST /v1/poison/{poison_id}/discard",
    "GET /v1/parked",
    "GET /v1/parked/{queue}",
    "GET /v1/parked/{queue}/{held_id}",
    "GET /v1/parked/{queue}/{held_id}/body",
    "GET /v1/jobs",
    "POST /v1/jobs",
    "GET /v1/jobs/{job_id}",
    "POST /v1/jobs/{job_id}/run",
    "POST /v1/jobs/{job_id}/cancel",
]
SETTING = "PUT /v1/settings/{kind}/{name}"


@pytest.fixture(scope="module")
def operations(
    database_factory: DatabaseFactory, vhost: Vhost, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    logs = tmp_path_factory.mktemp("adf-mailer")
    smtp = {"SMTP_HOST": "127.0.0.1", "FROM_ADDRESS": "leads@leadbus.example"}
    with openapi.serving("adf-mailer", database_factory, vhost, logs, **smtp) as url:
        yield openapi.operations(url)


def test_the_list_of_operations_is_complete(operations: dict[str, Any]) -> None:
    assert openapi.without_settings(operations) == set(OPERATIONS)


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_meets_a_defect(operations: dict[str, Any], label: str) -> None:
    openapi.fuzz(operations[label])


def test_no_setting_meets_a_defect(operations: dict[str, Any]) -> None:
    openapi.fuzz(operations[SETTING], path={"kind": "AdfRoute"})
