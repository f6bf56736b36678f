"""What the demo sends: one lead of each of ContactAtOnce's four types, as its push carries them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from xml.etree import ElementTree

Way = Literal["HTTP", "queue"]


@dataclass(frozen=True, slots=True)
class DemoLead:
    """`payload` as JSON values; `phone` and `dealer` are what the ADF must say (E.164, vendor's name)."""

    way: Way
    media_type: Literal["application/json", "application/xml"]
    payload: Mapping[str, Any]
    phone: str
    dealer: str
    address: str

    @property
    def lead_type(self) -> str:
        return str(self.payload["lead_type"])

    @property
    def external_id(self) -> str:
        return str(self.payload["lead_id"])

    @property
    def body(self) -> bytes:
        """The bytes that are sent."""
        if self.media_type == "application/json":
            return json.dumps(self.payload, ensure_ascii=False).encode()
        root = ElementTree.Element("lead")
        _fill(root, self.payload)
        return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


_ENTRY = {"transcript": "line", "vehicles": "vehicle"}


def _fill(parent: ElementTree.Element, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _fill(ElementTree.SubElement(parent, name), inner)
    elif isinstance(value, list):
        for inner in value:
            _fill(ElementTree.SubElement(parent, _ENTRY[parent.tag]), inner)
    elif isinstance(value, bool):
        parent.text = str(value).lower()
    else:
        parent.text = str(value)


def leads(now: datetime) -> list[DemoLead]:
    """The four, as if they had happened in the minutes before `now` (aware)."""
    return [_callback(now), _chat(now), _text(now), _call(now)]


def _ago(now: datetime, **ago: int) -> str:
    return (now - timedelta(**ago)).replace(microsecond=0).isoformat()


def _callback(now: datetime) -> DemoLead:
    payload = {
        "lead_type": "ClickForCallBack",
        "lead_id": "CAO-88120341",
        "related_ids": {"call_id": "C-5519027", "campaign_id": "spring-suv"},
        "occurred_at": _ago(now, minutes=1),
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
        "comments": "Please call after 4 pm about the Outback. My trade-in is a '17 Forester.",
    }
    return DemoLead(
        "HTTP",
        "application/json",
        payload,
        "+13125550148",
        "Prairie Motors",
        "prairiemotors@eleadtrack.example",
    )


def _chat(now: datetime) -> DemoLead:
    payload = {
        "lead_type": "Chat",
        "lead_id": "CAO-88120977",
        "related_ids": {"conversation_id": "IM-7741203"},
        "occurred_at": _ago(now, minutes=4),
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
            {"at": _ago(now, minutes=7), "speaker": "system", "text": "José joined from autos.example"},
            {
                "at": _ago(now, minutes=7),
                "speaker": "customer",
                "name": "José",
                "text": "Hi! Do you have the CR-V in blue?",
            },
            {
                "at": _ago(now, minutes=6),
                "speaker": "agent",
                "name": "Marcy",
                "text": "Two, both EX-L. May I have an e-mail to send pictures to?",
            },
            {
                "at": _ago(now, minutes=5),
                "speaker": "customer",
                "name": "José",
                "text": "jose.nunez@example.net – and what is my <2019> Civic worth & can I trade it in?",
            },
            {
                "at": _ago(now, minutes=4),
                "speaker": "agent",
                "name": "Marcy",
                "text": "Gladly. A colleague will write within the hour.",
            },
        ],
    }
    return DemoLead(
        "HTTP",
        "application/xml",
        payload,
        "+13125550191",
        "Prairie Motors",
        "prairiemotors@eleadtrack.example",
    )


def _text(now: datetime) -> DemoLead:
    payload = {
        "lead_type": "TextToChat",
        "lead_id": "CAO-88121405",
        "related_ids": {"conversation_id": "TX-118204"},
        "occurred_at": _ago(now, minutes=2),
        "dealer": {"id": "40339"},
        "lead_source": "Window sticker",
        "customer": {"phone": "+1 773 555 0162", "preferred_contact": "text"},
        "vehicles": [
            {"year": "2022", "make": "Ford", "model": "F-150", "stock_number": "T2093", "status": "used"},
            {"year": "2023", "make": "Ford", "model": "Ranger", "stock_number": "T2114", "status": "used"},
        ],
        "transcript": [
            {"at": _ago(now, minutes=3), "speaker": "customer", "text": "Is the F-150 still there?"},
            {
                "at": _ago(now, minutes=2),
                "speaker": "agent",
                "name": "Lee",
                "text": "It is, and a Ranger beside it. Come by tomorrow?",
            },
            {"at": _ago(now, minutes=2), "speaker": "customer", "text": "10 am, thx"},
        ],
    }
    return DemoLead(
        "queue",
        "application/json",
        payload,
        "+17735550162",
        "Lakeside Ford",
        "sales@lakesideford.dealerspace.example",
    )


def _call(now: datetime) -> DemoLead:
    payload = {
        "lead_type": "TrackedCall",
        "lead_id": "CAO-88121733",
        "related_ids": {"call_id": "C-5519381"},
        "occurred_at": _ago(now, minutes=9),
        "dealer": {"id": "51102", "name": "Autohaus Hoffmann"},
        "lead_source": "autos.example",
        "customer": {"name": "Katharina Brandt", "phone": "030 90182030"},
        "vehicle": {"year": "2023", "make": "Volkswagen", "model": "ID.4", "trim": "Pro", "status": "used"},
        "call": {
            "recording_url": "https://calls.contactatonce.example/audio/C-5519381?sig=4f9a1c&exp=1798761600",
            "started_at": _ago(now, minutes=9),
            "duration_seconds": 187,
            "tracking_number": "+49 30 56795801",
            "answered": True,
        },
    }
    return DemoLead(
        "queue",
        "application/json",
        payload,
        "+493090182030",
        "Autohaus Hoffmann",
        "leads@autohaus-hoffmann.dealercrm.example",
    )
