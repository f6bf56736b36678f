"""Events about destinations, emitted by every sink in the transaction of the change. No personal data."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from leadbus.contracts.wire import Text, WireModel


class DestinationEvent(WireModel):
    """A host or account that one sink delivers to."""

    sink: Text
    """Service that emits this, such as ``adf-mailer``."""
    destination: Text
    """Its name as the sink's operators know it: a host and port, an account."""
    reason: Text
    """Why it is, or was, suspended, as a code: ``auth_refused``, ``certificate_untrusted``."""
    since: AwareDatetime
    """When it was suspended."""
    held: Annotated[int, Field(ge=0)]
    """Deliveries that wait for it."""


class DestinationSuspended(DestinationEvent):
    """It refuses us until a person mends something; its deliveries are held and none of them fails."""


class DestinationResumed(DestinationEvent):
    """It takes deliveries again, and those that were held go out."""

    resumed_at: AwareDatetime
    """When that was found out."""
