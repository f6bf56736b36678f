"""The text of a mail while it comes, and how much of such text one process may hold."""

from __future__ import annotations

from leadbus.mailin import metrics
from leadbus.mailin.refusal import MailReason, MailRefused


class Budget:
    """Bytes of mails that are coming, over all connections of this process."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0

    def take(self, size: int) -> bool:
        """Whether there was room for that many more, which then are held."""
        if self.held_bytes + size > self._limit_bytes:
            return False
        self._hold(size)
        return True

    def give_back(self, size: int) -> None:
        self._hold(-size)

    def _hold(self, size: int) -> None:
        self.held_bytes += size
        metrics.HELD_BYTES.set(self.held_bytes)


class Spool:
    """One mail's text. What is too much is let go at once, and refused at the end: no sender listens before.

    To be used as a context; after it nothing is held.
    """

    def __init__(self, budget: Budget, limit_bytes: int) -> None:
        self._budget = budget
        self._limit_bytes = limit_bytes
        self._text = bytearray()
        self._refused: MailReason | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go()

    def add(self, piece: bytes) -> None:
        if self._refused is not None:
            return
        if len(self._text) + len(piece) > self._limit_bytes:
            self._refuse(MailReason.TOO_LARGE)
        elif not self._budget.take(len(piece)):
            self._refuse(MailReason.BUSY)
        else:
            self._text += piece

    def content(self) -> bytes:
        """The whole text. Raises MailRefused ``too_large`` or ``busy``."""
        if self._refused is not None:
            raise MailRefused(self._refused)
        return bytes(self._text)

    def _refuse(self, reason: MailReason) -> None:
        self._refused = reason
        self._let_go()

    def _let_go(self) -> None:
        self._budget.give_back(len(self._text))
        self._text = bytearray()
