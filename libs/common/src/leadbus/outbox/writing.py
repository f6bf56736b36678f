"""Messages on their way into the table with a statement of somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import asyncpg

from leadbus import checkpoint
from leadbus.db import Connection, Part, at_once, on_commit
from leadbus.messages import OutgoingMessage
from leadbus.outbox import rows


@dataclass(frozen=True, slots=True)
class Writing:
    """Messages on their way into the table: a part of a statement, and what to do once it is committed."""

    part: Part
    _commit: Callable[[Sequence[int]], None]

    def written(self, conn: Connection, row: asyncpg.Record) -> None:
        """``row`` came back from the statement with ``part``; the transaction of ``conn`` is to commit it."""
        on_commit(conn, lambda: self._commit(row["message_ids"]))

    def committed(self, row: asyncpg.Record) -> None:
        """``row`` came back from a statement with ``part`` that was a transaction of its own."""
        self._commit(row["message_ids"])

    async def write(self, conn: Connection) -> None:
        """Write them in the transaction of ``conn``, by a statement of their own."""
        self.written(conn, await at_once(conn, self.part))
        checkpoint.passed("outbox.added")


class Outgoing(Protocol):
    """Where messages of a transaction go: an ``OutboxRelay``, or ``LeftToClaims``."""

    def writing(
        self,
        messages: Sequence[OutgoingMessage],
        *,
        subjects: Sequence[str] | None = None,
        provided: str | None = None,
    ) -> Writing:
        """Messages to be written by a statement of the caller's. Raises what ``outbox.adding`` raises.

        With ``provided`` (see there), ``written`` or ``committed`` is called only if it was so.
        """

    def wake(self) -> None:
        """Rows were committed in another way."""


class LeftToClaims:
    """Whichever relay looks next publishes them; ``wake`` is called when there is something to look for."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.wake = wake

    def writing(
        self,
        messages: Sequence[OutgoingMessage],
        *,
        subjects: Sequence[str] | None = None,
        provided: str | None = None,
    ) -> Writing:
        return Writing(rows.adding(messages, subjects=subjects, provided=provided), lambda _: self.wake())
