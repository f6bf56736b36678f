"""The OpenAPI document taken at its word: no request it allows, and none it does not, meets a 500."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
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
# Not checked is what a schema cannot say: which payload a door for anybody's refuses, which keys exist.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    "POST /v1/raw/{name}",
    "GET /v1/raw/{name}",
    "GET /v1/raw/{name}/body",
    "POST /v1/sources/{source}/keys",
    "GET /v1/sources/{source}/keys",
    "POST /v1/sources/{source}/keys/{key_id}/rotate",
    "POST /v1/sources/{source}/keys/{key_id}/revoke",
]


@pytest.fixture(scope="module")
def ingest_url(database_factory: DatabaseFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    database_url = database_factory.create("ingest")
    log: Path = tmp_path_factory.mktemp("ingest") / "ingest.log"
    given_settings = {"AMQP_URL": "amqp://127.0.0.1:1", "DATABASE_URL": database_url, "TOKEN_KEY": TOKEN_KEY}
    process = ServiceProcess(ServiceName("ingest"), free_ports(1)[0], given_settings, log)
    process.start()
    try:
        process.wait_ready()
        yield process.url
    finally:
        process.stop()
        database_factory.drop(database_url)


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
def schema(ingest_url: str) -> Any:
    return schemathesis.openapi.from_url(f"{ingest_url}/openapi.json")


def test_the_list_of_operations_is_complete(schema: Any) -> None:
    found = {result.ok().label for result in schema.get_all_operations()}
    assert {label for label in found if "/v1/settings" not in label} == set(OPERATIONS)


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_meets_a_defect(schema: Any, key: str, label: str) -> None:
    operation = next(found.ok() for found in schema.get_all_operations() if found.ok().label == label)
    credentials = {"X-Api-Key": key} if label == "POST /v1/raw/{name}" else ADMIN

    @given(case=operation.as_strategy())
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def fuzz(case: Any) -> None:
        if label == "POST /v1/raw/{name}":
            case.path_parameters["name"] = "contactatonce"
        response = case.call(headers=credentials)
        case.validate_response(response, checks=CHECKS)

    fuzz()


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
