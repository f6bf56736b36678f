"""What stands behind a listener: whoever knows the recipients of mails and stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Recipient(Protocol):
    """Hashable; the same recipient named twice is told once."""

    @property
    def name(self) -> str:
        """What logs call it: never an address."""
        ...


R = TypeVar("R", bound=Recipient)


@dataclass(frozen=True, slots=True)
class Mail(Generic[R]):
    """One mail as it was brought: ``body`` is every byte of it, the dots of the protocol undone."""

    sender: str
    recipients: Sequence[R]
    body: bytes

    def __repr__(self) -> str:
        return f"Mail(recipients={len(self.recipients)}, size_bytes={len(self.body)})"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a mail: a word of `metrics.OUTCOMES`, and facts for the log (ids, codes, numbers)."""

    outcome: str
    facts: Mapping[str, object] = field(default_factory=dict)


class Mailroom(Protocol[R]):
    """Both may raise anything: what is no MailRefused is a 451, and the sender keeps its mail."""

    async def recipient(self, address: str) -> R:
        """Whoever has the address. Raises MailRefused ``unknown_recipient`` and others."""
        ...

    async def take(self, mail: Mail[R]) -> Taken:
        """Store the mail; when this returns, it is committed. Raises MailRefused."""
        ...
