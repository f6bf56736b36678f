"""Reads a request's body as it comes, and not beyond the limit."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from ingest.domain.refusal import Reason, Refusal


async def read(request: Request, *, limit_bytes: int, timeout_seconds: float) -> bytes:
    """The whole body.

    Raises Refusal ``too_large`` at the declared length or at the first byte beyond the limit, ``too_slow``
    when the body is not complete in time, ``incomplete`` when the sender goes away before its end.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit_bytes:
                    raise _too_large(limit_bytes)
    except ClientDisconnect:
        raise Refusal(Reason.INCOMPLETE, "The connection ended before the body.") from None
    except TimeoutError:
        what = f"The body was not complete after {timeout_seconds:g} seconds."
        raise Refusal(Reason.TOO_SLOW, what) from None
    return bytes(body)


def _too_large(limit_bytes: int) -> Refusal:
    what = f"The body has more than {limit_bytes} bytes."
    return Refusal(Reason.TOO_LARGE, what, limit_bytes=limit_bytes)
