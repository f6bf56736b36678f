"""API keys: ``lbk_<key id>_<secret>``.

The key id is public and finds the row; the secret carries 256 bits, so a plain SHA-256 of the whole key
is enough to store (a slow hash protects guessable passwords, and this is none).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import string
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_ALPHABET = string.ascii_letters + string.digits
_KEY_ID_LENGTH = 11  # 11 * log2(62) >= 64 bits
_SECRET_LENGTH = 43  # 43 * log2(62) >= 256 bits
_FORM = re.compile(rf"lbk_([A-Za-z0-9]{{{_KEY_ID_LENGTH}}})_[A-Za-z0-9]{{{_SECRET_LENGTH}}}")
PREFIX = "lbk_"
RANDOMNESS_BYTES = 8 + 32


class KeyState(StrEnum):
    """What a stored key is good for at a moment."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key as its holder presents it. The secret shows in no ``repr``."""

    key_id: str
    text: str

    def __repr__(self) -> str:
        return f"KeyText(key_id={self.key_id!r})"

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.text.encode("ascii")).digest()

    def matches(self, stored_digest: bytes) -> bool:
        return hmac.compare_digest(self.digest, stored_digest)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key: who it speaks for and how long. The secret itself is nowhere."""

    key_id: str
    source: str
    account: str
    label: str
    digest: bytes
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    rotated_to: str | None = None

    def state(self, now: datetime) -> KeyState:
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return KeyState.EXPIRED
        return KeyState.ACTIVE


def make(randomness: bytes) -> KeyText:
    """A new key out of RANDOMNESS_BYTES bytes of the operating system's randomness."""
    key_id = _base62(randomness[:8], _KEY_ID_LENGTH)
    return KeyText(key_id, f"{PREFIX}{key_id}_{_base62(randomness[8:], _SECRET_LENGTH)}")


def read(text: str) -> KeyText | None:
    """The key in ``text``, or None when it cannot be one of ours (no database is asked then)."""
    match = _FORM.fullmatch(text)
    return KeyText(match.group(1), text) if match else None


def _base62(number: bytes, length: int) -> str:
    rest = int.from_bytes(number)
    digits = []
    for _ in range(length):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
