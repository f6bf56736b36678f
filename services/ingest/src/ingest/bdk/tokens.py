"""Access tokens by OAuth2 client credentials (RFC 6749, section 4.4): in memory, asked for once at a time."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx2
from pydantic import SecretStr
from pydantic_core import from_json

from ingest.bdk import measures
from ingest.bdk.asking import Answer, ask
from ingest.bdk.outcome import Outcome, Trouble, of_status
from ingest.bdk.setting import BdkConnection
from ingest.secret_reference import SecretUnreadableError, resolve

REFRESH_AT = 0.8
"""Part of its life after which a token is replaced, while the old one still serves."""
_LIFE_UNTOLD_SECONDS = 60.0
_LONGEST_LIFE_SECONDS = 86_400.0
_TRY_AGAIN_SECONDS = 10.0
_MOST_BYTES = 65_536
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_REFUSALS = frozenset({400, 401, 403})


@dataclass(frozen=True, slots=True)
class Token:
    """Shows in no ``repr``. Times are of the monotonic clock."""

    text: SecretStr
    refresh_at: float
    expires_at: float


@dataclass(slots=True)
class _Kept:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: Token | None = None
    refresh_at: float = 0.0
    failures: int = 0
    failure: Trouble | None = None


class Tokens:
    """The tokens of this process. Whoever wants one while it is being fetched waits for the same."""

    def __init__(self, http: httpx2.AsyncClient, *, now: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._now = now
        self._kept: dict[tuple[str | None, ...], _Kept] = {}

    async def get(self, connection: BdkConnection, *, spurned: Token | None = None) -> Token:
        """A token that is good for a while; never ``spurned``, which the other side did not take.

        Raises Trouble: ``login_refused``, ``secret_unreadable``, or what keeps the endpoint from answering.
        """
        kept = self._kept.setdefault(_whose(connection), _Kept())
        if (token := self._usable(kept, spurned)) is not None:
            return token
        failures = kept.failures
        async with kept.lock:
            if (token := self._usable(kept, spurned)) is not None:
                return token
            if kept.failure is not None and kept.failures > failures:
                # We waited for it as well: refused logins lock accounts.
                raise kept.failure
            return await self._fetch(kept, connection, spurned)

    def _usable(self, kept: _Kept, spurned: Token | None) -> Token | None:
        token = kept.token
        if token is None or token is spurned or self._now() >= min(kept.refresh_at, token.expires_at):
            return None
        return token

    async def _fetch(self, kept: _Kept, connection: BdkConnection, spurned: Token | None) -> Token:
        try:
            token = await self._asked_for(connection)
        except Trouble as trouble:
            measures.TOKENS.labels(outcome=trouble.outcome).inc()
            old = kept.token
            if old is None or old is spurned or self._now() >= old.expires_at:
                kept.failures, kept.failure = kept.failures + 1, trouble.with_traceback(None)
                raise
            # Early on purpose: the old one serves while the endpoint is away.
            kept.refresh_at = self._now() + _TRY_AGAIN_SECONDS
            return old
        measures.TOKENS.labels(outcome=Outcome.ANSWERED).inc()
        kept.token, kept.refresh_at = token, token.refresh_at
        return token

    async def _asked_for(self, connection: BdkConnection) -> Token:
        asked_at = self._now()
        try:
            secret = resolve(connection.client_secret).get_secret_value()
        except SecretUnreadableError as error:
            raise Trouble(Outcome.SECRET_UNREADABLE, detail=str(error)) from None
        form = {"grant_type": "client_credentials"}
        if connection.scope:
            form["scope"] = connection.scope
        auth: httpx2.Auth | None = None
        if connection.client_authentication == "basic":
            # Section 2.3.1: both are encoded as in a form first.
            auth = httpx2.BasicAuth(quote(connection.client_id, safe=""), quote(secret, safe=""))
        else:
            form |= {"client_id": connection.client_id, "client_secret": secret}
        request = self._http.build_request(
            "POST", connection.token_url, data=form, headers={"Accept": "application/json"}
        )
        try:
            answer = await ask(self._http, request, limit_bytes=_MOST_BYTES, auth=auth)
        except Trouble as trouble:
            # Whatever it is, no lead is at fault.
            raise Trouble(_away(trouble), status=trouble.status, detail=trouble.detail) from None
        return _token(answer, asked_at)


def _away(trouble: Trouble) -> Outcome:
    return trouble.outcome if trouble.outcome is Outcome.UNREACHABLE else Outcome.UNAVAILABLE


def _token(answer: Answer, asked_at: float) -> Token:
    if answer.status in _REFUSALS:
        raise Trouble(Outcome.LOGIN_REFUSED, status=answer.status)
    outcome = of_status(answer.status)
    if outcome is not Outcome.ANSWERED:
        # Nobody asks for a lead here: whatever it says, it cannot serve us now.
        other = outcome if outcome is Outcome.THROTTLED else Outcome.UNAVAILABLE
        raise Trouble(other, status=answer.status, retry_after_seconds=answer.retry_after_seconds)
    try:
        told = from_json(answer.body)
        text, kind = told["access_token"], told.get("token_type", "Bearer")
        life = told.get("expires_in", _LIFE_UNTOLD_SECONDS)
        life_seconds = min(float(life), _LONGEST_LIFE_SECONDS)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Trouble(Outcome.UNAVAILABLE, status=answer.status, detail="no token in the answer") from None
    usable = isinstance(text, str) and _TOKEN.fullmatch(text) and str(kind).lower() == "bearer"
    if not usable or not life_seconds > 0:
        raise Trouble(Outcome.UNAVAILABLE, status=answer.status, detail="no bearer token in the answer")
    return Token(SecretStr(text), asked_at + REFRESH_AT * life_seconds, asked_at + life_seconds)


def _whose(connection: BdkConnection) -> tuple[str | None, ...]:
    return (
        connection.token_url,
        connection.client_id,
        connection.client_authentication,
        connection.scope,
        connection.client_secret,
    )
