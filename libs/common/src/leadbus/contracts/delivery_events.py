"""Events about deliveries, emitted by every sink in the transaction of the outcome. No personal data."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from leadbus.contracts.wire import Text, WireModel


class DeliveryEvent(WireModel):
    """What one sink did with one subject on one route."""

    delivery_id: UUID
    """The delivery."""
    sink: Text
    """Service that emits this, such as ``adf-mailer``."""
    subject_id: Text
    """What was delivered: a lead id, or a service request id."""
    route: Text
    """Name of the setting that asked for it; empty where no route was found."""
    target: Text = ""
    """Which of the route's recipients, by its place in the setting and never by its address, such as
    ``copies.1``; empty for the first or only one. Of deliveries with the same sink, subject, route and target
    the one planned later took the place of the other."""
    aside: bool = False
    """A copy, a notice, a warning: whether the subject arrived does not depend on it."""
    outcome: Text
    """Outcome code, such as ``delivered``, ``no_route``, ``gave_up``, ``refused``, ``bounced``."""
    attempts: Annotated[int, Field(ge=0)]
    """Tries so far."""
    ambiguous: bool = False
    """At least one try may have been accepted without our knowing."""
    repeat: bool = False
    """It had been accepted before: an operator repeated it, or what was sent before bounced."""
    planned_at: AwareDatetime
    """When the delivery was planned."""
    finished_at: AwareDatetime
    """When this outcome was known."""


class DeliverySucceeded(DeliveryEvent):
    """The other side took it."""


class DeliveryFailed(DeliveryEvent):
    """The other side refused it, it was given up or cancelled, or it came back (``bounced``), perhaps after
    it had succeeded. An operator may redrive it."""


class DeliverySkipped(DeliveryEvent):
    """Decided not to deliver; ``outcome`` says why: ``no_route``, ``consent``, ``filtered``, ``test``."""


class DeliveryRecovered(DeliveryEvent):
    """A delivery that had failed was taken after all."""
