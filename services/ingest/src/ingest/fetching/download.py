"""One document over HTTP: bounded in time and size, and never on to another host."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx2
from pydantic import SecretStr

from ingest.fetching.ending import Broken, TransferCode

_REDIRECTS = 3
_LONGEST_RETRY = timedelta(days=1)
_HEADERS = {
    "Accept": "application/xml, text/xml",
    # What is sent compressed could be any size; and an XML document is cut while it comes.
    "Accept-Encoding": "identity",
    "User-Agent": "leadbus-ingest",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for a connection, and for each piece of what comes, in seconds."""

    connect_seconds: float
    idle_seconds: float


class TransferError(Exception):
    """No whole document came. Its text is the code alone: no address, no key, nothing of the answer."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(broken.code)
        self.broken = broken


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with status 200 whose body is still to come; `pieces` raises TransferError."""

    content_type: str | None
    pieces: AsyncIterator[bytes]


@contextlib.asynccontextmanager
async def opened(
    address: SecretStr, headers: Mapping[str, str], patience: Patience, now: datetime
) -> AsyncIterator[Answer]:
    """Ask for the document at ``address``, which holds a key as ``headers`` may.

    Raises TransferError. A connection that could not be made is tried once more, and nothing else is: what
    was asked may count for the vendor.
    """
    timeout = httpx2.Timeout(patience.idle_seconds, connect=patience.connect_seconds)
    async with httpx2.AsyncClient(timeout=timeout, follow_redirects=False, headers=_HEADERS) as client:
        response = await _asked(client, address.get_secret_value(), headers)
        try:
            _check(response, now)
            yield Answer(response.headers.get("content-type"), _pieces(response))
        finally:
            await response.aclose()


async def _asked(client: httpx2.AsyncClient, address: str, headers: Mapping[str, str]) -> httpx2.Response:
    """The answer at the end of redirects within one host."""
    response = await _connected(client, _request(client, address, headers))
    for _ in range(_REDIRECTS):
        if not response.has_redirect_location:
            return response
        target = _target(response)
        await response.aclose()
        response = await _connected(client, client.build_request("GET", target, headers=headers))
    if response.has_redirect_location:
        await response.aclose()
        raise _failed("redirect_refused", response.status_code)
    return response


def _request(client: httpx2.AsyncClient, address: str, headers: Mapping[str, str]) -> httpx2.Request:
    try:
        return client.build_request("GET", address, headers=headers)
    except (httpx2.InvalidURL, ValueError):
        # The text of these errors may quote the address.
        raise _failed("address_invalid") from None


async def _connected(client: httpx2.AsyncClient, request: httpx2.Request) -> httpx2.Response:
    try:
        return await client.send(request, stream=True)
    except (httpx2.ConnectError, httpx2.ConnectTimeout):
        pass
    except httpx2.HTTPError as error:
        raise _failed(_code(error)) from None
    try:
        return await client.send(request, stream=True)
    except httpx2.HTTPError as error:
        raise _failed(_code(error)) from None


def _target(response: httpx2.Response) -> httpx2.URL:
    """Where a redirect leads; raises TransferError where that is another host, port or scheme."""
    here = response.request.url
    try:
        target = here.join(response.headers["location"])
    except (httpx2.InvalidURL, ValueError):
        raise _failed("redirect_refused", response.status_code) from None
    if (target.scheme, target.host, target.port) != (here.scheme, here.host, here.port):
        raise _failed("redirect_refused", response.status_code)
    return target


def _check(response: httpx2.Response, now: datetime) -> None:
    if response.status_code != httpx2.codes.OK:
        raise TransferError(
            Broken("http_status", response.status_code, _retry_at(response.headers.get("retry-after"), now))
        )
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise _failed("compressed")


async def _pieces(response: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        # As they come: put together, what came before a connection broke would be lost with it.
        async for piece in response.aiter_raw():
            yield piece
    except httpx2.HTTPError as error:
        raise _failed(_code(error)) from None


def _code(error: httpx2.HTTPError) -> TransferCode:
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return "connect_failed"
    return "timed_out" if isinstance(error, httpx2.TimeoutException) else "connection_lost"


def _retry_at(told: str | None, now: datetime) -> datetime | None:
    """What ``Retry-After`` asks for, in seconds or as a date; at most a day, None where it says nothing."""
    if told is None:
        return None
    try:
        seconds = float(told)
        wait = timedelta(seconds=seconds) if math.isfinite(seconds) else _LONGEST_RETRY
    except (ValueError, OverflowError):
        try:
            wait = parsedate_to_datetime(told) - now
        except (ValueError, TypeError):
            return None
    return now + min(max(wait, timedelta()), _LONGEST_RETRY)


def _failed(code: TransferCode, status: int | None = None) -> TransferError:
    return TransferError(Broken(code, status))
