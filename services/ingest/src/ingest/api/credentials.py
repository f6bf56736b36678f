"""Who asks: a sender with an API key, or an operator with a signed token."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from ingest.domain import api_key
from ingest.domain.api_key import KeyText
from ingest.domain.refusal import Reason, Refusal

_bearer = HTTPBearer(
    scheme_name="ApiKeyBearer",
    bearerFormat="lbk_...",
    description="API key of a source and account, `Authorization: Bearer lbk_...`.",
    auto_error=False,
)
_header = APIKeyHeader(
    name="X-Api-Key", scheme_name="ApiKeyHeader", description="The same API key.", auto_error=False
)

BearerCredentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
HeaderKey = Annotated[str | None, Security(_header)]


async def _presented(bearer: BearerCredentials, header: HeaderKey) -> str | None:
    # A coroutine without an await: FastAPI gives every plain function a thread, and each request two hops.
    return header or (bearer.credentials if bearer else None)


Presented = Annotated[str | None, Depends(_presented)]
"""The credential of a request, whichever way it came, unchecked."""


async def presented(request: Request) -> str | None:
    """The same, of a request whose parameters nobody has read."""
    return await _presented(await _bearer(request), await _header(request))


def key_of(presented: str | None) -> KeyText | None:
    """The API key presented, None for text that is none. Raises Refusal ``key_missing``."""
    if not presented:
        raise Refusal(Reason.KEY_MISSING, "No API key was sent.")
    return api_key.read(presented)


def is_key(presented: str) -> bool:
    """Whether a credential wants to be an API key and not a signed token."""
    return presented.startswith(api_key.PREFIX)
