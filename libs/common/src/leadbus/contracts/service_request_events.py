"""Events about service requests, which dms-feed derives from vehicle feeds."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from leadbus.contracts.wire import Text, WireModel


class ServiceRequest(WireModel):
    """Work that a vehicle in a dealer's stock calls for."""

    service_request_id: UUID
    """Stable id."""
    company: Text
    """Company that does the work: name of the ``DealerFeed`` setting."""
    client: Text
    """Client in the shop system."""
    vin: Text
    """Vehicle identification number."""
    stock: Text | None = None
    """Stock number."""
    vehicle_type: Text | None = None
    """Vehicle type that the mapping gave."""
    request_type: Text | None = None
    """Service request type that the mapping gave."""
    year: Text | None = None
    """Model year as text."""
    make: Text | None = None
    """Manufacturer."""
    model: Text | None = None
    """Model."""
    status: Literal["active", "closed"]
    """Closed ones are never opened again."""
    has_open_work: bool = False
    """Inspections or work orders are still open."""
    created_at: AwareDatetime
    """When it was opened."""
    closed_at: AwareDatetime | None = None
    """When it was closed."""


class ServiceRequestEvent(WireModel):
    """A service request as it is now."""

    service_request: ServiceRequest
    """The whole service request."""
    change: Annotated[int, Field(ge=1)]
    """Counts up per service request; of several events the highest counts."""
    rule: Text
    """Rule that decided, such as ``created``, ``tracked``, ``absent_from_feed``, ``operator``."""
    snapshot_id: Text | None = None
    """Snapshot that caused it; absent when a person did."""


class ServiceRequestOpened(ServiceRequestEvent):
    """A vehicle appeared that needs work."""


class ServiceRequestUpdated(ServiceRequestEvent):
    """Stock number or client changed."""

    changed: tuple[Text, ...] = ()
    """Names of the fields that differ from before."""


class ServiceRequestClosed(ServiceRequestEvent):
    """The vehicle is gone, or somebody closed it."""
