"""Events about raw messages: facts without any content."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime

from leadbus.contracts.raw import RawIdentity
from leadbus.contracts.vocabulary import QuarantineReason
from leadbus.contracts.wire import Text, WireModel


class RawQuarantined(WireModel):
    """A raw message could not be read or placed; it is kept and can be replayed."""

    raw: RawIdentity
    """Which message."""
    reason: QuarantineReason
    """Why."""
    field: Text | None = None
    """Path of the field at fault."""
    value_kind: Text | None = None
    """What stood there: ``missing``, ``string``, ``number``, ``object`` and the like; never the value."""
    quarantine_id: UUID | None = None
    """Entry in the quarantine of the service that emits this."""
    quarantined_at: AwareDatetime
    """When."""


class RawReleased(WireModel):
    """A quarantined raw message left the quarantine."""

    raw: RawIdentity
    """Which message."""
    reason: QuarantineReason
    """Why it had been quarantined."""
    how: Literal["replayed", "mapped", "discarded"]
    """An operator replayed it, a mapping appeared that it waited for, or an operator discarded it."""
    lead_ids: tuple[UUID, ...] = ()
    """Leads that came out of it."""
    quarantine_id: UUID | None = None
    """Entry in the quarantine of the service that emits this."""
    released_at: AwareDatetime
    """When."""
