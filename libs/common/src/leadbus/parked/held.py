"""A message that lies in a holding queue, and by what an operator names it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from leadbus.messages import IncomingMessage

ID_LENGTH = 32
_SHOWN_CHARACTERS = 255


@dataclass(frozen=True)
class Held:
    """One message as it lies there; ``message`` has the exchange and key with which it came there."""

    message: IncomingMessage

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the body, hex."""
        return hashlib.sha256(self.message.body).hexdigest()

    @cached_property
    def id(self) -> str:
        """From message id and body: the same wherever and however often it lies. Copies share it."""
        said = (self.message.properties.message_id or "").encode("utf-8", "surrogateescape")
        named = len(said).to_bytes(4) + said + bytes.fromhex(self.digest)
        return hashlib.sha256(named).hexdigest()[:ID_LENGTH]

    @property
    def size_bytes(self) -> int:
        return len(self.message.body)


def shown(text: str | None) -> str | None:
    """A stranger's text as JSON and Postgres can hold it, and not longer than a name is."""
    return text and text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:_SHOWN_CHARACTERS]
