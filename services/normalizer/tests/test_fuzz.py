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
    "GET /v1/leads",
    "GET /v1/leads/{lead_id}",
    "POST /v1/leads/find",
    "GET /v1/raw/{raw_id}",
    "GET /v1/raw/{raw_id}/body",
    "POST /v1/raw/{raw_id}/replay",
    "GET /v1/knowledge",
    "GET /v1/trials",
    "GET /v1/trials/{raw_key}",
    "GET /v1/quarantine",
    "GET /v1/quarantine/counts",
    "GET /v1/quarantine/{entry_id}",
    "GET /v1/quarantine/{entry_id}/body",
    "POST /v1/quarantine/{entry_id}/replay",
    "POST /v1/quarantine/{entry_id}/discard",
    "POST /v1/consents",
    "POST /v1/consents/find",
    "POST /v1/leads/{lead_id}/opt-in",
    "GET /v1/opt-in/{token}",
    "POST /v1/opt-in/{token}",
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
    logs = tmp_path_factory.mktemp("normalizer")
    key = "a key for links of tests, 32 bytes and more"
    with openapi.serving("normalizer", database_factory, vhost, logs, OPT_IN_KEY=key) as url:
        yield openapi.operations(url)


def test_the_list_of_operations_is_complete(operations: dict[str, Any]) -> None:
    assert openapi.without_settings(operations) == set(OPERATIONS)


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_meets_a_defect(operations: dict[str, Any], label: str) -> None:
    openapi.fuzz(operations[label])


@pytest.mark.parametrize("kind", ["Dealer", "Location"])
def test_no_setting_meets_a_defect(operations: dict[str, Any], kind: str) -> None:
    openapi.fuzz(operations[SETTING], path={"kind": kind})
