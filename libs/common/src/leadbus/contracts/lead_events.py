"""Events about leads. All but the erasure carry the whole lead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field
from pydantic_core import to_json

from leadbus.contracts.lead import Lead
from leadbus.contracts.raw import RawIdentity
from leadbus.contracts.wire import Text, WireModel


class LeadEvent(WireModel):
    """A lead as it is now. Order on the wire does not matter: keep the highest ``lead.revision``."""

    lead: Lead
    """The whole lead."""
    changed: tuple[Text, ...] = ()
    """Names of the lead's fields that differ from the revision before."""


def lead_event_json(lead_json: str, changed: Sequence[str]) -> bytes:
    """``LeadEvent.to_json()`` of a lead that is already written as JSON (see ``WireModel.to_json``)."""
    return b'{"lead":%b,"changed":%b}' % (lead_json.encode(), to_json(changed))


class LeadReceived(LeadEvent):
    """A lead was seen for the first time."""


class LeadUpdated(LeadEvent):
    """The source told more, or something else, about a lead."""


class LeadEnriched(LeadEvent):
    """Attribution became known after the lead itself."""


class LeadConsentChanged(LeadEvent):
    """The customer gave or withdrew consent; read it before acting."""


class LeadErased(WireModel):
    """Personal data of these leads was erased. Whoever keeps copies erases them too."""

    lead_ids: Annotated[tuple[UUID, ...], Field(min_length=1)]
    """The leads."""
    raw: tuple[RawIdentity, ...] = ()
    """The raw messages they were read from."""
    erased_at: AwareDatetime
    """When it was decided."""
