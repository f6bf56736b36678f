"""The canonical lead that comes out of the ContactAtOnce chat."""

from __future__ import annotations

from typing import Any

LEAD: dict[str, Any] = {
    "lead_id": "0b1f6a5e-5c0e-5a3f-9d4c-6f0f7f3f2a11",
    "revision": 1,
    "source": "contactatonce",
    "account": "prairie-group",
    "source_type": "Chat",
    "ids": [
        {"source": "ContactAtOnce!", "value": "CAO-88120977", "sequence": 1},
        {"source": "ContactAtOnce! conversation_id", "value": "IM-7741203", "sequence": 2},
        {"source": "leadbus", "value": "0b1f6a5e-5c0e-5a3f-9d4c-6f0f7f3f2a11", "sequence": 3},
    ],
    "channel": "chat",
    "intents": ["inquiry"],
    "urgency": "high",
    "answer_expected": True,
    "occurred_at": "2026-04-14T11:03:05-05:00",
    "received_at": "2026-04-14T16:03:07.412000Z",
    "dealer": {
        "dealer_id": "prairie-motors",
        "name": "Prairie Motors",
        "legal_name": "Prairie Motors, Inc.",
        "contact": "Internet Sales",
        "address": {
            "street": ["2200 W Ogden Ave"],
            "city": "Naperville",
            "region": "IL",
            "postal_code": "60540",
            "country": "US",
        },
        "phone": "+16305550110",
        "email": "sales@prairie-motors.example",
        "country": "US",
        "time_zone": "America/Chicago",
        "locale": "en-US",
    },
    "customer": {
        "name": {"full": "José Núñez", "first": "José", "last": "Núñez"},
        "type": "person",
        "emails": [{"address": "jose.nunez@example.net", "raw": "jose.nunez@example.net", "primary": True}],
        "phones": [{"e164": "+13125550191", "raw": "312-555-0191"}],
    },
    "vehicles": [
        {
            "interest": "buy",
            "status": "new",
            "wanted": True,
            "year": "2026",
            "make": "Honda",
            "model": "CR-V",
            "trim": "EX-L",
        }
    ],
    "transcript": [
        {
            "at": "2026-04-14T11:00:12-05:00",
            "speaker": "system",
            "text": "José joined from autos.example",
        },
        {
            "at": "2026-04-14T11:00:40-05:00",
            "speaker": "customer",
            "name": "José",
            "text": "Do you have the CR-V in blue?",
        },
        {
            "at": "2026-04-14T11:01:22-05:00",
            "speaker": "agent",
            "name": "Marcy",
            "text": "Two, both EX-L. May I have an e-mail to send pictures to?",
        },
    ],
    "consent": {"basis": "request", "purposes": ["reply", "sales"], "at": "2026-04-14T11:03:05-05:00"},
    "extras": {"lead_source": "autos.example"},
}

_RAW_ID = "7d0f2d5e-9a2b-4d53-9b0e-0d1f6f1f8a10"

ENRICHED_LEAD: dict[str, Any] = {
    **LEAD,
    "revision": 3,
    "attribution": {
        "known_at": "2026-04-14T16:14:20Z",
        "source": {"value": "google", "as_of": "2026-04-14T16:14:20Z", "raw_id": _RAW_ID},
        "traffic_type": {"value": "cpc", "as_of": "2026-04-14T16:14:20Z", "raw_id": _RAW_ID},
        "ga_client_id": {"value": "1793410.1776182", "as_of": "2026-04-14T16:14:20Z", "raw_id": _RAW_ID},
    },
}

UPDATED_LEAD: dict[str, Any] = {
    **LEAD,
    "revision": 2,
    "message": "Also asked what a 2019 Civic would bring.",
    "vehicles": [
        *LEAD["vehicles"],
        {"interest": "trade_in", "status": "used", "year": "2019", "make": "Honda", "model": "Civic"},
    ],
    "intents": ["inquiry", "trade_in"],
}

WITHDRAWN_LEAD: dict[str, Any] = {
    **LEAD,
    "revision": 4,
    "consent": {"basis": "withdrawn", "at": "2026-05-02T08:00:00Z"},
}
