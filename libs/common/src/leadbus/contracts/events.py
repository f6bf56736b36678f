"""Every event on ``leadbus.events``; the routing key is the type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import getdoc
from types import MappingProxyType
from typing import Any, Final

from leadbus.contracts.connection_events import ConnectionEvent, ConnectionMended, ConnectionNeedsPerson
from leadbus.contracts.delivery_events import (
    DeliveryEvent,
    DeliveryFailed,
    DeliveryRecovered,
    DeliverySkipped,
    DeliverySucceeded,
)
from leadbus.contracts.destination_events import (
    DestinationEvent,
    DestinationResumed,
    DestinationSuspended,
)
from leadbus.contracts.examples import EVENT_EXAMPLES
from leadbus.contracts.feed_events import VehicleFeedCompleted, VehicleFeedRejected, VehicleFeedRows
from leadbus.contracts.lead_events import (
    LeadConsentChanged,
    LeadEnriched,
    LeadErased,
    LeadEvent,
    LeadReceived,
    LeadUpdated,
)
from leadbus.contracts.raw_events import RawQuarantined, RawReleased
from leadbus.contracts.service_request_events import (
    ServiceRequest,
    ServiceRequestClosed,
    ServiceRequestEvent,
    ServiceRequestOpened,
    ServiceRequestUpdated,
)
from leadbus.contracts.wire import WireModel

__all__ = [
    "EVENTS",
    "ConnectionEvent",
    "ConnectionMended",
    "ConnectionNeedsPerson",
    "DeliveryEvent",
    "DeliveryFailed",
    "DeliveryRecovered",
    "DeliverySkipped",
    "DeliverySucceeded",
    "DestinationEvent",
    "DestinationResumed",
    "DestinationSuspended",
    "EventContract",
    "LeadConsentChanged",
    "LeadEnriched",
    "LeadErased",
    "LeadEvent",
    "LeadReceived",
    "LeadUpdated",
    "RawQuarantined",
    "RawReleased",
    "ServiceRequest",
    "ServiceRequestClosed",
    "ServiceRequestEvent",
    "ServiceRequestOpened",
    "ServiceRequestUpdated",
    "VehicleFeedCompleted",
    "VehicleFeedRejected",
    "VehicleFeedRows",
]


Model = type[WireModel]


@dataclass(frozen=True, slots=True)
class EventContract:
    """One event type: its wire name, the model of its ``data``, and who emits it.

    ``must_route`` events are published mandatory; a return keeps the outbox row.
    """

    type: str
    model: Model
    emitted_by: tuple[str, ...]
    must_route: bool
    summary: str
    example: Mapping[str, Any]


_INGEST: Final = ("ingest",)
_NORMALIZER: Final = ("normalizer",)
_SINKS: Final = ("adf-mailer", "amocrm-sync", "dms-feed")


def _contracts() -> dict[str, EventContract]:
    rows: tuple[tuple[str, Model, tuple[str, ...], bool], ...] = (
        ("lead.received.v1", LeadReceived, _NORMALIZER, True),
        ("lead.updated.v1", LeadUpdated, _NORMALIZER, True),
        ("lead.enriched.v1", LeadEnriched, _NORMALIZER, True),
        ("lead.consent_changed.v1", LeadConsentChanged, _NORMALIZER, True),
        ("lead.erased.v1", LeadErased, _NORMALIZER, True),
        ("raw.quarantined.v1", RawQuarantined, ("ingest", "normalizer"), False),
        ("raw.released.v1", RawReleased, ("ingest", "normalizer"), False),
        ("vehicle_feed.rows.v1", VehicleFeedRows, _NORMALIZER, True),
        ("vehicle_feed.completed.v1", VehicleFeedCompleted, _NORMALIZER, True),
        ("vehicle_feed.rejected.v1", VehicleFeedRejected, _NORMALIZER, True),
        ("delivery.succeeded.v1", DeliverySucceeded, _SINKS, False),
        ("delivery.failed.v1", DeliveryFailed, _SINKS, False),
        ("delivery.skipped.v1", DeliverySkipped, _SINKS, False),
        ("delivery.recovered.v1", DeliveryRecovered, _SINKS, False),
        ("destination.suspended.v1", DestinationSuspended, _SINKS, False),
        ("destination.resumed.v1", DestinationResumed, _SINKS, False),
        ("connection.needs_person.v1", ConnectionNeedsPerson, _INGEST, False),
        ("connection.mended.v1", ConnectionMended, _INGEST, False),
        ("service_request.opened.v1", ServiceRequestOpened, ("dms-feed",), False),
        ("service_request.updated.v1", ServiceRequestUpdated, ("dms-feed",), False),
        ("service_request.closed.v1", ServiceRequestClosed, ("dms-feed",), False),
    )
    return {
        name: EventContract(
            type=name,
            model=model,
            emitted_by=emitted_by,
            must_route=must_route,
            summary=(getdoc(model) or "").partition("\n")[0],
            example=EVENT_EXAMPLES[name],
        )
        for name, model, emitted_by, must_route in rows
    }


EVENTS: Mapping[str, EventContract] = MappingProxyType(_contracts())
"""By wire type, which is also the routing key."""
