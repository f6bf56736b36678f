"""Keys of an OIDC provider: fetched, cached, fetched again when a key is new."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from leadbus.log import logger
from leadbus.web.problems import UNAVAILABLE, Problem
from leadbus.web.tokens import ASYMMETRIC

_MAX_AGE_SECONDS = 600.0
_MIN_INTERVAL_SECONDS = 30.0
_TIMEOUT_SECONDS = 3.0
_MAX_KEYS_BYTES = 262_144
_log = logger("tokens")


class RemoteKeys:
    """A JWKS document by URL.

    Refreshed after ten minutes, and at once when a token names an unknown key (rotation), but not more
    often than every 30 s however many such tokens come. While the provider is away the last keys serve on.
    """

    algorithms = ASYMMETRIC

    def __init__(
        self,
        url: str,
        *,
        client: httpx2.AsyncClient | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._client = client
        self._now = now
        self._keys: KeySet | None = None
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def keys(self, key_id: str | None) -> KeySet:
        """Raises Problem unavailable when there are no keys at all."""
        if self._needs_fetch(key_id):
            async with self._lock:
                if self._needs_fetch(key_id):
                    await self._fetch()
        if self._keys is None:
            raise Problem(UNAVAILABLE, "the token issuer's keys cannot be had", headers={"Retry-After": "5"})
        return self._keys

    def _needs_fetch(self, key_id: str | None) -> bool:
        if self._keys is not None:
            fresh = self._now() - self._fetched_at < _MAX_AGE_SECONDS
            known = key_id is None or any(key.kid == key_id for key in self._keys)
            if fresh and known:
                return False
        return self._now() - self._tried_at >= _MIN_INTERVAL_SECONDS

    async def _fetch(self) -> None:
        self._tried_at = self._now()
        try:
            self._keys = _verification_keys(await self._get())
        except (httpx2.HTTPError, ValueError, TypeError, KeyError, AttributeError):
            _log.warning("tokens.keys_not_fetched", keys_known=self._keys is not None)
            return
        self._fetched_at = self._tried_at

    async def _get(self) -> Any:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False)
        response = await self._client.get(self._url)
        response.raise_for_status()
        if len(response.content) > _MAX_KEYS_BYTES:
            raise ValueError("key document too large")
        return response.json()


def _verification_keys(document: Any) -> KeySet:
    """The keys we can verify with; one of an unknown kind is left out. Raises ValueError if none is left."""
    usable = []
    for key in document["keys"]:
        # A secret in a public document would let anyone sign.
        if key.get("kty") == "oct" or key.get("use") == "enc":
            continue
        with contextlib.suppress(JoseError, ValueError):
            usable += KeySet.import_key_set({"keys": [key]}).keys
    if not usable:
        raise ValueError("no usable key in the document")
    return KeySet(usable)
