"""What ContactAtOnce pushes, once per lead type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CALLBACK: dict[str, Any] = {
    "lead_type": "ClickForCallBack",
    "lead_id": "CAO-88120341",
    "related_ids": {"call_id": "C-5519027", "campaign_id": "spring-suv"},
    "occurred_at": "2026-04-14T10:22:31-05:00",
    "dealer": {"id": "40217", "name": "Prairie Motors"},
    "lead_source": "www.prairie-motors.example",
    "customer": {"name": "Dana Whitfield", "phone": "(312) 555-0148", "preferred_contact": "phone"},
    "vehicle": {
        "year": "2024",
        "make": "Subaru",
        "model": "Outback",
        "trim": "Premium",
        "vin": "1M8GDM9AXKP042788",
        "stock_number": "P4471",
        "status": "used",
        "price": "27995.00",
        "currency": "USD",
        "mileage": 21840,
        "url": "https://www.prairie-motors.example/inventory/P4471",
    },
    "comments": "Please call after 4 pm about the Outback.",
}

_CHAT: dict[str, Any] = {
    "lead_type": "Chat",
    "lead_id": "CAO-88120977",
    "related_ids": {"conversation_id": "IM-7741203"},
    "occurred_at": "2026-04-14T11:03:05-05:00",
    "dealer": {"id": "40217", "name": "Prairie Motors"},
    "lead_source": "autos.example",
    "customer": {
        "first_name": "José",
        "last_name": "Núñez",
        "email": "jose.nunez@example.net",
        "phone": "312-555-0191",
        "preferred_contact": "email",
    },
    "vehicle": {"year": "2026", "make": "Honda", "model": "CR-V", "trim": "EX-L", "status": "new"},
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
        {
            "at": "2026-04-14T11:02:10-05:00",
            "speaker": "customer",
            "name": "José",
            "text": "jose.nunez@example.net – what about <my> Civic & its value?",
        },
    ],
}

_TEXT: dict[str, Any] = {
    "lead_type": "TextToChat",
    "lead_id": "CAO-88121405",
    "related_ids": {"conversation_id": "TX-118204"},
    "occurred_at": "2026-04-14T18:47:55-05:00",
    "dealer": {"id": "40339"},
    "lead_source": "Window sticker",
    "customer": {"phone": "+1 773 555 0162", "preferred_contact": "text"},
    "vehicles": [
        {"year": "2022", "make": "Ford", "model": "F-150", "stock_number": "T2093", "status": "used"},
        {"year": "2023", "make": "Ford", "model": "Ranger", "stock_number": "T2114", "status": "used"},
    ],
    "transcript": [
        {"at": "2026-04-14T18:45:01-05:00", "speaker": "customer", "text": "Is the F-150 still there?"},
        {
            "at": "2026-04-14T18:46:30-05:00",
            "speaker": "agent",
            "name": "Lee",
            "text": "It is. Come by tomorrow?",
        },
    ],
}

_CALL: dict[str, Any] = {
    "lead_type": "TrackedCall",
    "lead_id": "CAO-88121733",
    "related_ids": {"call_id": "C-5519381"},
    "occurred_at": "2026-04-15T09:12:44-05:00",
    "dealer": {"id": "40217", "name": "Prairie Motors"},
    "lead_source": "autos.example",
    "customer": {"name": "WHITFIELD DANA", "phone": "3125550148"},
    "call": {
        "recording_url": "https://calls.contactatonce.example/audio/C-5519381?sig=4f9a",
        "started_at": "2026-04-15T09:12:44-05:00",
        "duration_seconds": 187,
        "tracking_number": "+1 312 555 0100",
        "answered": True,
    },
}

CONTACTATONCE: Mapping[str, Mapping[str, Any]] = {
    "ClickForCallBack": _CALLBACK,
    "Chat": _CHAT,
    "TextToChat": _TEXT,
    "TrackedCall": _CALL,
}
"""One payload per lead type, as JSON values."""

CONTACTATONCE_XML = """\
<?xml version="1.0" encoding="UTF-8"?>
<lead>
  <lead_type>Chat</lead_type>
  <lead_id>CAO-88122046</lead_id>
  <related_ids><conversation_id>IM-7741988</conversation_id></related_ids>
  <occurred_at>2026-04-15T13:30:09-05:00</occurred_at>
  <dealer><id>40339</id><name>Lakeside Ford</name></dealer>
  <lead_source>autos.example</lead_source>
  <customer><name>Ann O'Hara</name><email>ann.ohara@example.org</email></customer>
  <vehicles>
    <vehicle><year>2021</year><make>Ford</make><model>Escape</model><price>18450</price><currency>USD</currency></vehicle>
  </vehicles>
  <transcript>
    <line>
      <at>2026-04-15T13:28:50-05:00</at><speaker>customer</speaker>
      <text>Any rebate on the Escape?</text>
    </line>
    <line>
      <at>2026-04-15T13:29:31-05:00</at><speaker>agent</speaker><name>Lee</name>
      <text>Yes &amp; no: ask me today.</text>
    </line>
  </transcript>
</lead>
"""
"""The XML form of a chat."""
