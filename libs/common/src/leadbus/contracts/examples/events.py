"""The ``data`` of one event per type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadbus.contracts.examples.lead import ENRICHED_LEAD, LEAD, UPDATED_LEAD, WITHDRAWN_LEAD

_RAW = {"source": "contactatonce", "account": "prairie-group", "id": "3f1de8d4-1d0d-4a37-8f2c-5b0d0b1a7e42"}

_FEED = {
    "snapshot_id": "01JRT8Q4M2-prairie-2026-04-14",
    "account": "prairie-stock",
    "received_at": "2026-04-14T08:05:11Z",
    "file_at": "2026-04-14T03:00:00-05:00",
}

_DELIVERY = {
    "delivery_id": "5f3ab1c6-5a57-4a27-9d6b-2f2f0f5c9b01",
    "sink": "adf-mailer",
    "subject_id": LEAD["lead_id"],
    "route": "prairie-motors",
    "planned_at": "2026-04-14T16:03:07.655000Z",
}

_DESTINATION = {
    "sink": "adf-mailer",
    "destination": "smtp.example.net:587",
    "reason": "auth_refused",
    "since": "2026-04-14T16:03:08.120000Z",
}

_CONNECTION = {
    "service": "ingest",
    "connection": "BdkConnection/bank",
    "reasons": ["login_refused"],
    "since": "2026-04-14T16:03:08.120000Z",
}

_REQUEST = {
    "service_request_id": "c8a4b0f2-24f3-5cf4-8f6b-3e8d7a3f9d77",
    "company": "shine-recon",
    "client": "Prairie Motors",
    "vin": "1M8GDM9AXKP042788",
    "stock": "P4471",
    "vehicle_type": "Used",
    "request_type": "Used Recon",
    "year": "2024",
    "make": "Subaru",
    "model": "Outback",
    "status": "active",
    "created_at": "2026-04-14T08:05:11Z",
}

EVENT_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "lead.received.v1": {"lead": LEAD, "changed": []},
    "lead.updated.v1": {"lead": UPDATED_LEAD, "changed": ["intents", "message", "vehicles"]},
    "lead.enriched.v1": {"lead": ENRICHED_LEAD, "changed": ["attribution"]},
    "lead.consent_changed.v1": {"lead": WITHDRAWN_LEAD, "changed": ["consent"]},
    "lead.erased.v1": {
        "lead_ids": [LEAD["lead_id"]],
        "raw": [_RAW],
        "erased_at": "2026-06-01T09:30:00Z",
    },
    "raw.quarantined.v1": {
        "raw": _RAW,
        "reason": "location_unmapped",
        "field": "dealer.id",
        "value_kind": "string",
        "quarantine_id": "a6f4b3f2-3a5d-4f0e-9c58-6f3f6f0f4a21",
        "quarantined_at": "2026-04-14T16:03:07.480000Z",
    },
    "raw.released.v1": {
        "raw": _RAW,
        "reason": "location_unmapped",
        "how": "mapped",
        "lead_ids": [LEAD["lead_id"]],
        "quarantine_id": "a6f4b3f2-3a5d-4f0e-9c58-6f3f6f0f4a21",
        "released_at": "2026-04-14T17:20:45Z",
    },
    "vehicle_feed.rows.v1": {
        "feed": _FEED,
        "chunk": 1,
        "rows": [
            {
                "row": 1,
                "dealer": "D1",
                "vin": "1M8GDM9AXKP042788",
                "stock": "P4471",
                "code": "U",
                "year": "2024",
                "make": "Subaru",
                "model": "Outback",
                "odometer": {"value": 21840, "units": "mi"},
                "prices": [{"kind": "asking", "amount": "27995.00", "currency": "USD"}],
                "in_stock_since": "2026-04-10",
            },
            {"row": 3, "dealer": "D1", "vin": "1J9RP1A36A1644345", "code": "U", "removed": True},
        ],
    },
    "vehicle_feed.completed.v1": {
        "feed": _FEED,
        "chunks": 1,
        "rows": 2,
        "dealers": [
            {
                "dealer": "D1",
                "rows": 2,
                "rejects": [{"row": 2, "code": "vin_invalid", "field": "vin", "vin": "1M8GDM9AXKP04278"}],
            }
        ],
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
    "vehicle_feed.rejected.v1": {
        "feed": _FEED,
        "gate": "empty_feed",
        "reason": "The file has a header and no row.",
    },
    "delivery.succeeded.v1": {
        **_DELIVERY,
        "outcome": "delivered",
        "attempts": 1,
        "finished_at": "2026-04-14T16:03:08.120000Z",
    },
    "delivery.failed.v1": {
        **_DELIVERY,
        "outcome": "refused",
        "attempts": 1,
        "finished_at": "2026-04-14T16:03:08.120000Z",
    },
    "delivery.skipped.v1": {
        **_DELIVERY,
        "route": "",
        "outcome": "no_route",
        "attempts": 0,
        "finished_at": "2026-04-14T16:03:07.655000Z",
    },
    "delivery.recovered.v1": {
        **_DELIVERY,
        "outcome": "delivered",
        "attempts": 4,
        "ambiguous": True,
        "finished_at": "2026-04-14T18:40:00Z",
    },
    "destination.suspended.v1": {**_DESTINATION, "held": 1},
    "destination.resumed.v1": {**_DESTINATION, "held": 42, "resumed_at": "2026-04-14T18:40:00Z"},
    "connection.needs_person.v1": _CONNECTION,
    "connection.mended.v1": {**_CONNECTION, "mended_at": "2026-04-14T18:40:00Z"},
    "service_request.opened.v1": {
        "service_request": _REQUEST,
        "change": 1,
        "rule": "created",
        "snapshot_id": _FEED["snapshot_id"],
    },
    "service_request.updated.v1": {
        "service_request": {**_REQUEST, "stock": "P4471A"},
        "change": 2,
        "rule": "tracked",
        "snapshot_id": "01JRV1Z7K9-prairie-2026-04-15",
        "changed": ["stock"],
    },
    "service_request.closed.v1": {
        "service_request": {
            **_REQUEST,
            "stock": "P4471A",
            "status": "closed",
            "closed_at": "2026-04-21T08:04:50Z",
        },
        "change": 3,
        "rule": "absent_from_feed",
        "snapshot_id": "01JSBC3M0D-prairie-2026-04-21",
    },
}
"""By event type."""
