"""A raw message as this service keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from normalizer.domain.rejection import Rejection
from normalizer.domain.way import NO_WAY, Way

UNKNOWN_SOURCE = "unknown"


@dataclass(frozen=True, slots=True)
class Raw:
    """One raw message, its identity told and nothing of its content read yet.

    `body` is what was consumed, `data` the source's own bytes in it (another thing only in the
    structured form of CloudEvents), `way` by which way it came. `digest` is SHA-256 (hex) of `data`;
    `attributes` everything else of the message as JSON text (see `escaping`). `bare`: the id is but a
    digest. `rejection`: the message itself is wrong, whatever its data may say. `pruned`: `body` and
    `attributes` were too old and are empty.
    """

    key: UUID
    source: str
    account: str
    wire_id: str
    digest: str
    body: bytes
    data: bytes
    attributes: str
    content_type: str | None
    received_at: datetime
    way: Way = NO_WAY
    test: bool = False
    trial: bool = False
    bare: bool = False
    pruned: bool = False
    lead_id: UUID | None = None
    rejection: Rejection | None = None

    @property
    def order(self) -> tuple[datetime, UUID]:
        """Place among the raw messages of one lead: when our door saw it."""
        return self.received_at, self.key
