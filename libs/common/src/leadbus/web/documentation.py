"""Pages for people, drawn without scripts or foreign hosts: `/docs` and `/docs/asyncapi`."""

from __future__ import annotations

import html
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f3f3f3;padding:1rem;overflow:auto;font-size:13px}code{font-size:14px}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}pre{background:#222}a{color:#8bf}}"
)


def router(service: str) -> APIRouter:
    """The pages; outside of the OpenAPI document."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def docs(request: Request) -> HTMLResponse:
        document = request.app.openapi()
        return _page(f"{service}: HTTP API", _operations(document) + _source("OpenAPI", document))

    @router.get("/docs/asyncapi")
    async def asyncapi() -> HTMLResponse:
        document = _asyncapi()
        return _page("Leadbus: messages", _channels(document) + _source("AsyncAPI", document))

    @router.get("/asyncapi.json")
    async def asyncapi_json() -> JSONResponse:
        return JSONResponse(_asyncapi())

    return router


def _asyncapi() -> dict[str, Any]:
    from leadbus.contracts.publishing.asyncapi import asyncapi_document

    return asyncapi_document()


def _operations(document: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{html.escape(method.upper())}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation.get('summary', ''))}</td></tr>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and "responses" in operation
    ]
    head = "<tr><th scope=col>Method</th><th scope=col>Path</th><th scope=col>What it does</th></tr>"
    return f"<table><caption>Operations</caption>{head}{''.join(rows)}</table>"


def _channels(document: dict[str, Any]) -> str:
    messages = document.get("components", {}).get("messages", {})
    rows = [
        f"<tr><td><code>{html.escape(str(message.get('name', name)))}</code></td>"
        f"<td>{html.escape(str(message.get('summary', '')))}</td></tr>"
        for name, message in messages.items()
    ]
    head = "<tr><th scope=col>Message</th><th scope=col>What it says</th></tr>"
    return f"<table><caption>Messages</caption>{head}{''.join(rows)}</table>"


def _source(name: str, document: dict[str, Any]) -> str:
    written = html.escape(json.dumps(document, indent=2, ensure_ascii=False))
    return f"<h2>{name} document</h2><pre>{written}</pre>"


def _page(title: str, content: str) -> HTMLResponse:
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>{content}</html>",
        headers=_POLICY,
    )
