"""Does a notification come from the bank? Compared in constant time, and with every secret there is."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable

from pydantic import SecretStr

from ingest.bdk.setting import NotificationProof

_PREFIX = "sha256="


def proven(proof: NotificationProof, given: str | None, body: bytes, secrets: Iterable[SecretStr]) -> bool:
    """Whether ``given``, the text of the header, proves ``body`` under one of ``secrets``."""
    presented = (given or "").strip()
    good = False
    for secret in secrets:
        # Never ended early: how long it takes says nothing about which one fits.
        good |= _fits(proof, presented, body, secret.get_secret_value().encode())
    return good


def signature(body: bytes, secret: str) -> str:
    """The HMAC of a body as a sender writes it."""
    return _PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _fits(proof: NotificationProof, presented: str, body: bytes, secret: bytes) -> bool:
    given = presented.encode("utf-8", "replace")
    if proof.kind == "header":
        return hmac.compare_digest(_digest(given), _digest(secret))
    mac = hmac.new(secret, body, hashlib.sha256).digest()
    as_hex = hmac.compare_digest(given.removeprefix(_PREFIX.encode()).lower(), mac.hex().encode())
    return as_hex | hmac.compare_digest(given, base64.b64encode(mac))


def _digest(text: bytes) -> bytes:
    # Of equal length, so that the comparison does not tell how long the secret is.
    return hashlib.sha256(text).digest()
