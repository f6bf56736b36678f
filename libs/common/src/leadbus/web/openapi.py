"""The OpenAPI document: what FastAPI draws, with the answers every operation can give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from leadbus.web.problems import ProblemDocument, problem_responses

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def install(app: FastAPI) -> None:
    """Make `app.openapi()` the completed document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            drawn = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                openapi_version="3.1.0",
            )
            app.openapi_schema = complete(drawn)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add the Problem schema and the problem answers; FastAPI's own 422 goes."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(own, None)
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update({"FieldError": schema.pop("$defs")["FieldErrorDocument"], "Problem": _renamed(schema)})
    for operation in _operations(document):
        responses = operation.setdefault("responses", {})
        if "422" in responses and "application/json" in responses["422"].get("content", {}):
            del responses["422"]
        for status, response in problem_responses(*_statuses(operation)).items():
            responses.setdefault(str(status), response)
    return document


def _statuses(operation: dict[str, Any]) -> Iterator[int]:
    parameters = operation.get("parameters", [])
    places = {parameter["in"] for parameter in parameters}
    yield from (400, 503)
    if operation.get("security"):
        yield from (401, 403)
    if "path" in places:
        yield 404
    if parameters or "requestBody" in operation:
        yield 422
    if "requestBody" in operation:
        yield from (409, 413, 415)
    if any(parameter["name"].lower() == "if-match" for parameter in parameters):
        yield from (409, 412, 428)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        for method in _METHODS:
            if method in path:
                yield path[method]


def _renamed(schema: dict[str, Any]) -> dict[str, Any]:
    errors = schema["properties"]["errors"]
    for choice in errors.get("anyOf", [errors]):
        if choice.get("type") == "array":
            choice["items"] = {"$ref": "#/components/schemas/FieldError"}
    return schema
