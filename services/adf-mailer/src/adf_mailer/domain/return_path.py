"""The envelope sender of one mail (VERP): an address of ours that says which mail a bounce is about.

`bounces+<token>@…`, where the token is the UUID of the Message-ID and a short checksum with a key of ours:
who has not had the mail, or its report, cannot invent a bounce of it. Table: rules/bounces.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from uuid import UUID

from adf_mailer.domain.address import domain

TOKEN_CHARS = 34
MOST_LOCAL_PART_CHARS = 64 - 1 - TOKEN_CHARS
"""Of the address that the token is put into: RFC 5321 allows a local part of 64."""

_CHECKSUM_BYTES = 5
_PURPOSE = b"leadbus bounce "
_TOKEN = re.compile(rf"[a-z2-7]{{{TOKEN_CHARS}}}")
_PLAIN_LOCAL_PART = re.compile(r"[a-z0-9._-]+")
_MESSAGE_ID = re.compile(r"<?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """`address` without any token; the first of `keys` makes checksums, each of them proves one."""

    address: str
    keys: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        local_part, _, _ = self.address.rpartition("@")
        if len(local_part) > MOST_LOCAL_PART_CHARS:
            raise ValueError(f"more than {MOST_LOCAL_PART_CHARS} characters before the @")
        if not _PLAIN_LOCAL_PART.fullmatch(local_part):
            raise ValueError("before the @ only a-z, 0-9, dot, hyphen and underscore")

    def sender(self, message: UUID) -> str:
        """The envelope sender of the mail whose Message-ID has this UUID."""
        local_part, _, host = self.address.rpartition("@")
        return f"{local_part}+{self.token(message)}@{host}"

    def token(self, message: UUID) -> str:
        """34 characters of a-z and 2-7."""
        return _encoded(message.bytes + _checksum(self.keys[0], message))

    def addressed(self, recipient: str) -> UUID | None:
        """The mail that an address of ours is about, however mail servers on the way rewrote it."""
        address = recipient.strip().strip("<>").rstrip(".").lower()
        if domain(address) != domain(self.address):
            return None
        local_part = address.rpartition("@")[0].strip('"')
        own = re.escape(self.address.rpartition("@")[0])
        # A prefix of the relay's (BATV, SRS) ends with `=`; the older BATV has its tag behind.
        found = re.fullmatch(rf"(?:.+=)?{own}[+=-]({_TOKEN.pattern})(?:/[a-z0-9]+)?", local_part)
        return self.proven(found[1]) if found else None

    def proven(self, token: str) -> UUID | None:
        """The mail whose token this is; None where no key of ours made it."""
        token = token.strip().strip("<>").lower()
        if not _TOKEN.fullmatch(token):
            return None
        decoded = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        message, checksum = UUID(bytes=decoded[:16]), decoded[16:]
        # The last character has bits to spare: another one there is another token.
        made = any(hmac.compare_digest(_checksum(key, message), checksum) for key in self.keys)
        return message if made and _encoded(decoded) == token else None


def token_of(sender: str, return_path: str | None) -> str | None:
    """The token in an envelope sender that we wrote; None in any other, and without a return path."""
    if return_path is None:
        return None
    local_part, _, host = return_path.rpartition("@")
    found = re.fullmatch(rf"{re.escape(local_part)}\+({_TOKEN.pattern})@{re.escape(host)}", sender)
    return found[1] if found else None


def message_uuid(message_id: str) -> UUID | None:
    """The UUID in a Message-ID of our making; None in others."""
    found = _MESSAGE_ID.match(message_id.strip())
    return UUID(found[1]) if found else None


def _checksum(key: bytes, message: UUID) -> bytes:
    return hmac.new(key, _PURPOSE + message.bytes, hashlib.sha256).digest()[:_CHECKSUM_BYTES]


def _encoded(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()
