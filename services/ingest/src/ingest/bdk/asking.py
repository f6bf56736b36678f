"""One request to the bank, bounded in time and bytes. No error holds its URL, headers or bodies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from ingest.bdk.outcome import Outcome, Trouble

ASK_SECONDS = 8.0
"""The longest that one request may take, whatever dribbles in meanwhile."""
CONNECT_SECONDS = 4.0
_IDENTITY = ("", "identity")


@dataclass(frozen=True, slots=True)
class Answer:
    """``retry_after_seconds`` and ``date`` are as the other side told them, None where it did not."""

    status: int
    content_type: str
    body: bytes
    retry_after_seconds: float | None
    date: datetime | None


def new_client() -> httpx2.AsyncClient:
    """Follows no redirect: a token or a secret would go along to wherever it points."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(ASK_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
        headers={"User-Agent": "leadbus-ingest", "Accept-Encoding": "identity"},
    )


async def ask(
    http: httpx2.AsyncClient,
    request: httpx2.Request,
    *,
    limit_bytes: int,
    auth: httpx2.Auth | None = None,
) -> Answer:
    """The answer, whatever its status. Raises Trouble ``unreachable`` or ``too_large``."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            response = await http.send(request, stream=True, auth=auth)
            try:
                return await _read(response, limit_bytes)
            finally:
                await response.aclose()
    except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError, TimeoutError) as error:
        raise Trouble(Outcome.UNREACHABLE, detail=type(error).__name__) from None


async def _read(response: httpx2.Response, limit_bytes: int) -> Answer:
    body = bytearray()
    if response.headers.get("content-encoding", "").strip().lower() not in _IDENTITY:
        raise Trouble(
            Outcome.UNREADABLE, status=response.status_code, detail="compressed, though not asked to"
        )
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit_bytes:
            raise Trouble(Outcome.TOO_LARGE, status=response.status_code)
    date = _moment(response.headers.get("date"))
    return Answer(
        status=response.status_code,
        content_type=_printable(response.headers.get("content-type", "")),
        body=bytes(body),
        retry_after_seconds=_retry_after(response.headers.get("retry-after"), date),
        date=date,
    )


def _retry_after(told: str | None, date: datetime | None) -> float | None:
    """Seconds, or a moment by the other side's own clock."""
    text = (told or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    moment = _moment(text)
    return max(0.0, (moment - (date or datetime.now(UTC))).total_seconds()) if moment else None


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _printable(content_type: str) -> str:
    usable = len(content_type) <= 200 and content_type.isascii() and content_type.isprintable()
    return content_type if usable else ""
