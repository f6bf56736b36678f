"""The OpenAPI document, and a fuzzer that believes it: no 500, no answer that is not in it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import httpx2
import pytest
import schemathesis
import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from leadbus.db import Database
from leadbus.settings import documents
from leadbus.settings.documents import DocumentStore, Kind, Spec, router
from leadbus.settings.tables import Setting
from leadbus.web import (
    Actor,
    Filter,
    Listing,
    ListQuery,
    Page,
    TokenVerifier,
    audit,
    create_app,
    require,
    sign_token,
)
from leadbus.web.audit import DDL_V1 as AUDIT_DDL
from leadbus.web.tokens import StaticKey
from pydantic import AwareDatetime, Field, SecretStr
from schemathesis.checks import positive_data_acceptance
from sqlalchemy import select

KEY = SecretStr("0123456789abcdef0123456789abcdef")
SETTINGS = Listing(
    key=Setting.name,
    sorts={"updated_at": Setting.updated_at, "revision": Setting.revision},
    default_sort="-updated_at",
    filters={
        "kind": Filter(str, Setting.kind),
        "since": Filter(AwareDatetime, Setting.updated_at, ">="),
        "least": Filter(Annotated[int, Field(ge=0, lt=2**31)], Setting.revision, ">="),
    },
)


class DealerSpec(Spec):
    title: str = Field(max_length=50)
    share: float | None = None


class RouteSpec(Spec):
    dealer: str
    tags: dict[str, str] | None = None


def build(database: Database) -> FastAPI:
    store = DocumentStore(
        database,
        [Kind("Dealer", DealerSpec), Kind("Route", RouteSpec, references={"dealer": "Dealer"})],
    )
    operators = APIRouter(prefix="/v1/acts", tags=["acts"])

    @operators.get("", summary="Everything there is")
    async def acts(
        query: Annotated[ListQuery, Depends(SETTINGS)], actor: Annotated[Actor, require("viewer")]
    ) -> Page[str]:
        async with database.session() as session:
            return await query.page(session, select(Setting), lambda setting: setting.name)

    @operators.post("/{number}", summary="Do it", status_code=202)
    async def act(number: int, spec: RouteSpec, actor: Annotated[Actor, require("operator")]) -> RouteSpec:
        async with database.transaction() as connection:
            await audit(connection, actor, "act.done", f"act/{number}")
        return spec

    return create_app(
        "fuzzed", "Fuzzed", "1", [router(store), operators], verifier=TokenVerifier(StaticKey(KEY))
    )


@contextmanager
def served(database_url: str) -> Iterator[str]:
    """A real server in a thread with a loop of its own, which the database pool belongs to."""
    listener = socket.create_server(("127.0.0.1", 0))
    server: list[uvicorn.Server] = []

    async def serve() -> None:
        database = Database(database_url)
        await database.open()
        async with database.acquire() as connection:
            await connection.execute(documents.DDL_V1)
            await connection.execute(AUDIT_DDL)
        server.append(uvicorn.Server(uvicorn.Config(build(database), log_config=None)))
        await server[0].serve([listener])
        await database.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server[0].should_exit = True
        thread.join(10)


def test_a_fuzzer_finds_no_500_and_nothing_undocumented(database_url: str) -> None:
    token = sign_token(KEY, "fuzzer", "admin")
    headers = {"Authorization": f"Bearer {token}"}
    with served(database_url) as url:
        for name in ("north", "south"):
            made = httpx2.put(
                f"{url}/v1/settings/Dealer/{name}", headers=headers, json={"spec": {"title": name}}
            )
            assert made.status_code == 201
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        fuzzed = 0
        for operation in schema.get_all_operations():
            fuzz(operation.ok(), headers)  # type: ignore[union-attr]  # it raises for a broken schema
            fuzzed += 1
    assert fuzzed == 8


def fuzz(operation: Any, headers: dict[str, str]) -> None:
    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=operation.as_strategy())
    def answers_as_documented(case: Any) -> None:
        # A schema cannot say which cursors were given out, nor what a document is named by others.
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    answers_as_documented()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build(Database("postgresql://none")).openapi()


def test_every_operation_documents_its_problems(document: dict[str, Any]) -> None:
    put = document["paths"]["/v1/settings/{kind}/{name}"]["put"]["responses"]
    assert {"200", "201", "400", "401", "403", "404", "409", "412", "413", "415", "422", "428", "503"} == set(
        put
    )
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    shape = response["content"]["application/problem+json"]["schema"]
                    assert shape == {"$ref": "#/components/schemas/Problem"}


def test_the_document_is_openapi_3_1_and_closed(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    schemas = document["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    text = str(document)
    for name in {part.split("'")[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in schemas
    kind = document["paths"]["/v1/settings/{kind}"]["get"]["parameters"][0]
    assert kind["schema"]["enum"] == ["Dealer", "Route"]


def test_lists_document_their_grammar(document: dict[str, Any]) -> None:
    parameters = {each["name"]: each for each in document["paths"]["/v1/acts"]["get"]["parameters"]}
    assert set(parameters) == {"kind", "since", "least", "sort", "limit", "cursor"}
    assert parameters["sort"]["schema"]["enum"] == ["updated_at", "-updated_at", "revision", "-revision"]
    assert parameters["limit"]["schema"]["maximum"] == 500
