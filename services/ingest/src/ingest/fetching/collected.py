"""What an attempt has brought so far: the bytes as they came, and the leads that are whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from leadbus.contracts.virtualexpo_document import DocumentFault, LeadSplitter, Limits
from leadbus.contracts.virtualexpo_lead_document import LeadDocument
from leadbus.messages import DOORS_BODY_BYTES

T = TypeVar("T")

_PIECE_BYTES = 64 * 1024
LEAD_BYTES = DOORS_BODY_BYTES
"""A lead that is larger could not be published."""


class Collected:
    """Cut into leads while it comes, in a thread: a large document must not stand in the way of others.

    ``body`` is what came, at most ``limit_bytes`` and what the last piece went beyond it.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.content_type: str | None = None
        self.body = bytearray()
        self.leads: list[LeadDocument] = []
        self._limit_bytes = limit_bytes
        self._cut = 0
        self._splitter = self._new_splitter()

    @property
    def faults(self) -> tuple[DocumentFault, ...]:
        return self._splitter.faults

    @property
    def is_too_large(self) -> bool:
        """Nothing more is wanted."""
        return len(self.body) > self._limit_bytes

    def begin(self, content_type: str | None) -> None:
        """An answer came; its bytes follow."""
        self.content_type = content_type
        self._splitter = self._new_splitter()

    async def take(self, piece: bytes) -> None:
        """The next bytes. Also of a document that turned out faulty: it is kept as a whole."""
        self.body += piece
        if len(self.body) - self._cut >= _PIECE_BYTES:
            await apart(self._cut_leads)

    async def end(self) -> None:
        """No more bytes, whether or not the document goes on: leads that are whole stand."""
        await apart(self._finish)

    def _new_splitter(self) -> LeadSplitter:
        return LeadSplitter(self.content_type, Limits(self._limit_bytes, LEAD_BYTES))

    def _cut_leads(self) -> None:
        # Moved first: bytes that a defect chokes on are not fed again.
        piece, self._cut = bytes(self.body[self._cut :]), len(self.body)
        self.leads += self._splitter.feed(piece)

    def _finish(self) -> None:
        self._cut_leads()
        self.leads += self._splitter.close()


async def apart(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread, to its end also when we are cancelled: it has its object for itself."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
