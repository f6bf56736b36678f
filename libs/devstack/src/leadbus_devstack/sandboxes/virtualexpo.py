"""VirtualExpo: one document of leads at `GET /leads?key=…`, or what goes wrong with it.

The vendor's own address and parameters are not public, and these are ours. `PUT /_sandbox/document` with
`{"xml": …}` says what is served; until then it is a document without leads.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from leadbus_devstack.sandboxes.sandbox import Faults, Sandbox
from leadbus_devstack.sandboxes.virtualexpo_documents import document

XML = "application/xml; charset=utf-8"
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Maintenance</title></head><body>Back soon.</body></html>\n"
_LARGE_PIECE = b"<!-- " + b"x" * 65_527 + b" -->"
_NEVER_SECONDS = 3600.0


class VirtualExpoFaults(Faults):
    """How VirtualExpo misbehaves."""

    status: int | None = Field(
        None, ge=300, le=599, description="Answered with an HTML page: 401, 403, 429, 500 …"
    )
    retry_after: str | None = Field(None, description="Header of the answer with that status.")
    redirect: str | None = Field(None, description="Answered 302 with this Location.")
    answer: Literal["html", "truncated", "wrong_encoding", "not_xml", "doctype", "empty_body"] | None = Field(
        None, description="What is said with status 200 in place of the document."
    )
    too_large_bytes: int | None = Field(None, ge=1, description="So many bytes of comments come first.")
    drip_seconds: float = Field(0.0, ge=0, description="Waited before every byte of the body.")
    hang: bool = Field(False, description="Nothing is answered.")
    cut_after_bytes: int | None = Field(
        None, ge=0, description="The connection ends after so many bytes of the body."
    )
    stall_after_bytes: int | None = Field(
        None, ge=0, description="Nothing comes after so many bytes of the body, and the connection stays."
    )


class VirtualExpo(Sandbox[VirtualExpoFaults]):
    """The vendor's server. `document` is what it serves."""

    def __init__(self, secret: str) -> None:
        super().__init__("virtualexpo", VirtualExpoFaults, secret)
        self.document = document([]).encode()
        _add_routes(self.app, self)

        @self.control.put("/document", status_code=204)
        async def put_document(xml: Annotated[str, Body(embed=True)]) -> Response:
            self.document = xml.encode()
            return Response(status_code=204)

    def reset(self) -> None:
        super().reset()
        self.document = document([]).encode()

    def status(self) -> dict[str, Any]:
        return {**super().status(), "document_bytes": len(self.document)}


def build(secret: str) -> VirtualExpo:
    """The sandbox; `secret` is the key that the vendor's PDF would hold."""
    return VirtualExpo(secret)


def _add_routes(app: FastAPI, sandbox: VirtualExpo) -> None:
    @app.get("/leads")
    async def leads(key: str = "") -> Response:
        if not hmac.compare_digest(key.encode(), sandbox.secret.encode()):
            return _page(403)
        faults = sandbox.faults
        if faults != VirtualExpoFaults(times=faults.times):
            sandbox.shown()
        if faults.hang:
            await asyncio.sleep(_NEVER_SECONDS)
        if faults.status is not None:
            return _page(faults.status, {"Retry-After": faults.retry_after} if faults.retry_after else {})
        if faults.redirect is not None:
            return Response(status_code=302, headers={"Location": faults.redirect})
        content, media = _answer(faults, sandbox.document)
        return StreamingResponse(_body(content, faults), media_type=media)


def _page(status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(_PAGE, status, headers, "text/html; charset=utf-8")


def _answer(faults: VirtualExpoFaults, document: bytes) -> tuple[bytes, str]:
    match faults.answer:
        case "html":
            return _PAGE, "text/html; charset=utf-8"
        case "truncated":
            return document[: len(document) * 2 // 3], XML
        case "wrong_encoding":
            # What declares UTF-8 and is none.
            return document.replace(b"</leads>", b"<!-- \xe9\xff --></leads>"), XML
        case "not_xml":
            return b'{"leads": []}', XML
        case "doctype":
            return b'<!DOCTYPE leads [<!ENTITY a "aaaa">]>' + document.partition(b"?>\n")[2], XML
        case "empty_body":
            return b"", XML
        case None:
            return document, XML


async def _body(content: bytes, faults: VirtualExpoFaults) -> AsyncIterator[bytes]:
    if (stall := faults.stall_after_bytes) is not None:
        yield content[:stall]
        await asyncio.sleep(_NEVER_SECONDS)
    sent = 0
    async for piece in _pieces(content, faults):
        if faults.cut_after_bytes is not None and sent + len(piece) > faults.cut_after_bytes:
            yield piece[: faults.cut_after_bytes - sent]
            raise ConnectionAbortedError("cut on purpose")
        yield piece
        sent += len(piece)


async def _pieces(content: bytes, faults: VirtualExpoFaults) -> AsyncIterator[bytes]:
    if faults.too_large_bytes is not None:
        start = content.index(b">", content.index(b"<leads")) + 1
        yield content[:start]
        for _ in range(faults.too_large_bytes // len(_LARGE_PIECE) + 1):
            yield _LARGE_PIECE
        content = content[start:]
    if not faults.drip_seconds:
        yield content
        return
    for byte in content:
        await asyncio.sleep(faults.drip_seconds)
        yield bytes([byte])
