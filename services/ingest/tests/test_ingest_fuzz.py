"""The OpenAPI document taken at its word: no request it allows, and none it does not, meets a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leadbus_devstack.databases import DatabaseFactory
from leadbus_devstack.vhosts import Vhost

from tests.support import openapi
from tests.support.openapi import ADMIN

DOOR = "POST /v1/raw/{name}"
OPERATIONS = [
    "GET /v1/diagnosis",
    DOOR,
    "GET /v1/raw/{name}",
    "GET /v1/raw/{name}/body",
    "POST /v1/sources/{source}/keys",
    "GET /v1/sources/{source}/keys",
    "POST /v1/sources/{source}/keys/{key_id}/rotate",
    "POST /v1/sources/{source}/keys/{key_id}/revoke",
    "GET /v1/quarantine",
    "GET /v1/quarantine/{raw_id}",
    "GET /v1/quarantine/{raw_id}/body",
    "POST /v1/quarantine/{raw_id}/discard",
    "POST /v1/bdk/notifications/{connection}",
    "POST /v1/bdk/notifications",
    "GET /v1/bdk/connections",
    "GET /v1/bdk/connections/{connection}",
    "POST /v1/bdk/connections/{connection}/resume",
    "POST /v1/bdk/connections/{connection}/reconcile",
    "GET /v1/bdk/reads",
    "POST /v1/bdk/reads/{read_id}/retry",
    "POST /v1/bdk/reads/{read_id}/discard",
    "GET /v1/virtualexpo/subscriptions",
    "GET /v1/virtualexpo/subscriptions/{name}",
    "GET /v1/virtualexpo/subscriptions/{name}/trial",
    "POST /v1/virtualexpo/subscriptions/{name}/fetch",
    "GET /v1/virtualexpo/attempts",
    "GET /v1/virtualexpo/attempts/{attempt_id}",
    "GET /v1/unrouted",
    "GET /v1/unrouted/{held_id}",
    "GET /v1/unrouted/{held_id}/body",
    "GET /v1/jobs",
    "POST /v1/jobs",
    "GET /v1/jobs/{job_id}",
    "POST /v1/jobs/{job_id}/run",
    "POST /v1/jobs/{job_id}/cancel",
]


@pytest.fixture(scope="module")
def ingest_url(
    database_factory: DatabaseFactory, vhost: Vhost, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with openapi.serving("ingest", database_factory, vhost, tmp_path_factory.mktemp("ingest")) as url:
        yield url


@pytest.fixture(scope="module")
def http(ingest_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=ingest_url) as client:
        yield client


@pytest.fixture(scope="module")
def key(http: httpx2.Client) -> str:
    put = http.put("/v1/settings/Source/contactatonce", json={"spec": {}}, headers=ADMIN)
    assert put.status_code == 201
    made = http.post("/v1/sources/contactatonce/keys", json={}, headers=ADMIN)
    return str(made.json()["key"])


@pytest.fixture(scope="module")
def operations(ingest_url: str) -> dict[str, Any]:
    return openapi.operations(ingest_url)


def test_the_list_of_operations_is_complete(operations: dict[str, Any]) -> None:
    assert openapi.without_settings(operations) == set(OPERATIONS)


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_meets_a_defect(operations: dict[str, Any], key: str, label: str) -> None:
    if label == DOOR:
        openapi.fuzz(
            operations[label], headers={"X-Api-Key": key}, path={"name": "contactatonce"}, examples=40
        )
    else:
        openapi.fuzz(operations[label], examples=40)


BODIES = st.binary(max_size=100) | st.text('{}[]":,<>/!&;aé1 \n', max_size=40).map(str.encode)
TYPES = st.sampled_from(["application/json", "text/xml", "application/xml; charset=latin-1", "text/plain"])
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=300)


@given(
    body=BODIES, content_type=TYPES | HEADER, idempotency_key=st.none() | HEADER, query=st.text(max_size=9)
)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_bytes_meet_a_defect(
    http: httpx2.Client, key: str, body: bytes, content_type: str, idempotency_key: str | None, query: str
) -> None:
    headers = [(b"X-Api-Key", key.encode()), (b"Content-Type", content_type.strip().encode("latin-1"))]
    if idempotency_key is not None:
        headers.append((b"Idempotency-Key", idempotency_key.strip().encode("latin-1")))
    params = {"validate": query} if query else {}
    answer = http.post("/v1/raw/contactatonce", content=body, headers=headers, params=params)
    assert answer.status_code in {200, 202, 400, 409, 415, 422}
