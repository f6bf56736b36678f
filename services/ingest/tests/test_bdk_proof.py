"""What proves a notification: the secret or the body's HMAC, whichever of the secrets it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal

import pytest
from ingest.bdk.proof import proven, signature
from ingest.bdk.setting import NotificationProof
from pydantic import SecretStr

BODY = b'{"leadId": "LS-1"}'
SECRETS = [SecretStr("new-secret"), SecretStr("old-secret")]


def proof(kind: Literal["header", "hmac_sha256"]) -> NotificationProof:
    return NotificationProof(kind=kind, secrets=("env:A", "env:B"))


def mac(secret: str, body: bytes = BODY) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


@pytest.mark.parametrize("given", ["new-secret", "old-secret", " new-secret "])
def test_each_secret_is_good(given: str) -> None:
    assert proven(proof("header"), given, BODY, SECRETS)


@pytest.mark.parametrize(
    "given",
    [None, "", "new-secre", "new-secret2", "NEW-SECRET", "schlüssel", "\udcff", "new-secret, old-secret"],
)
def test_anything_else_is_not(given: str | None) -> None:
    assert not proven(proof("header"), given, BODY, SECRETS)


@pytest.mark.parametrize("secret", ["new-secret", "old-secret"])
def test_a_signature_is_good_in_every_common_form(secret: str) -> None:
    forms = [
        signature(BODY, secret),
        mac(secret).hex(),
        mac(secret).hex().upper(),
        base64.b64encode(mac(secret)).decode(),
    ]
    assert all(proven(proof("hmac_sha256"), form, BODY, SECRETS) for form in forms)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "new-secret",
        signature(BODY + b" ", "new-secret"),
        signature(BODY, "other"),
        mac("new-secret").hex()[:-1],
        "sha256=",
        "sha1=" + mac("new-secret").hex(),
    ],
)
def test_a_signature_of_other_bytes_or_under_another_secret_is_not(given: str | None) -> None:
    assert not proven(proof("hmac_sha256"), given, BODY, SECRETS)


def test_without_a_readable_secret_nothing_is_proven() -> None:
    assert not proven(proof("header"), "", BODY, [])
    assert not proven(proof("hmac_sha256"), signature(BODY, ""), BODY, [])
