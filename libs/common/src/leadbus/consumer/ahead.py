"""Messages are read before it is their turn: while the batch before them is being written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from leadbus.messages import IncomingMessage

T = TypeVar("T")

_READ_AT_ONCE = 16
"""Messages read between two looks at what else there is to do."""


class ReadAhead(Generic[T]):
    """Gives `handle` what `read` made of each message, whenever it was read.

    `read` is pure, and slow enough that it should not be waited for. What it raises is raised to whoever
    handles the message, so that the message alone is at fault.
    """

    def __init__(
        self, read: Callable[[IncomingMessage], T], handle: Callable[[Sequence[T]], Awaitable[None]]
    ) -> None:
        self._read = read
        self._handle = handle
        self._readings: dict[int, T] = {}

    async def prepare(self, messages: Sequence[IncomingMessage]) -> None:
        """Read `messages`, letting others run in between."""
        for number, message in enumerate(messages, start=1):
            # Whatever it raises, it is read again, and raises it, when it is handled.
            with contextlib.suppress(Exception):
                self._readings[message.delivery_tag] = self._read(message)
            if number % _READ_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def handle(self, messages: Sequence[IncomingMessage]) -> None:
        """Handle what was read, and read what was not."""
        known = self._readings
        await self._handle(
            [
                known[message.delivery_tag] if message.delivery_tag in known else self._read(message)
                for message in messages
            ]
        )

    def forget(self, messages: Sequence[IncomingMessage]) -> None:
        """They are settled."""
        for message in messages:
            self._readings.pop(message.delivery_tag, None)

    def forget_all(self) -> None:
        """Delivery tags begin anew."""
        self._readings.clear()
