"""ContactAtOnce's four types of lead, as its push carries them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Literal
from xml.etree import ElementTree

from leadbus_devstack.demo.lead import DemoLead, Pair
from leadbus_devstack.demo.prospect import at, contained, identifiers, name_of

PROVIDER = "ContactAtOnce!"
_ENTRY = {"transcript": "line", "vehicles": "vehicle"}
_IN_ENGLISH = ("Lead source: {}", "{} seconds")
_SAID_TO = {"51102": ("Leadquelle: {}", "{} Sek.")}
"""Where the lead was found, and how long a call was, to dealers of another language than English."""


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
    return _lead(
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
    return _lead(
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
    return _lead(
        "queue",
        "application/json",
        payload,
        "+17735550162",
        "Lakeside Ford",
        "used@lakesideford.dealerspace.example",
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
    return _lead(
        "queue",
        "application/json",
        payload,
        "+493090182030",
        "Autohaus Hoffmann",
        "leads@autohaus-hoffmann.dealercrm.example",
    )


def _lead(
    way: Literal["HTTP", "queue"],
    media_type: Literal["application/json", "application/xml"],
    payload: Mapping[str, Any],
    phone: str,
    dealer: str,
    address: str,
) -> DemoLead:
    """`phone` as the ADF must say it, in E.164."""
    return DemoLead(
        source="contactatonce",
        kind=str(payload["lead_type"]),
        external_id=str(payload["lead_id"]),
        way=way,
        media_type=media_type,
        body=_body(payload, media_type),
        dealer=dealer,
        address=address,
        says=partial(_pairs, payload, phone),
    )


def _body(payload: Mapping[str, Any], media_type: str) -> bytes:
    if media_type == "application/json":
        return json.dumps(payload, ensure_ascii=False).encode()
    root = ElementTree.Element("lead")
    _fill(root, payload)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


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


def _pairs(payload: Mapping[str, Any], phone: str, prospect: ElementTree.Element) -> Iterator[Pair]:
    yield from _provider(payload, prospect)
    yield from _customer(payload["customer"], phone, prospect)
    yield from _vehicles(payload, prospect)
    yield from _words(payload, prospect)


def _provider(payload: Mapping[str, Any], prospect: ElementTree.Element) -> Iterator[Pair]:
    yield "provider/name", PROVIDER, at(prospect, "provider/name")
    yield "provider/service", payload["lead_type"], at(prospect, "provider/service")
    found = identifiers(prospect)
    yield f"id of {PROVIDER}", payload["lead_id"], found.get(PROVIDER, "")
    for name, value in payload.get("related_ids", {}).items():
        yield f"id {name}", value, found.get(f"{PROVIDER} {name}", "")
    requested = datetime.fromisoformat(at(prospect, "requestdate"))
    occurred = datetime.fromisoformat(payload["occurred_at"])
    yield "requestdate", occurred.isoformat(), requested.astimezone(occurred.tzinfo).isoformat()


def _customer(told: Mapping[str, Any], phone: str, prospect: ElementTree.Element) -> Iterator[Pair]:
    expected = told.get("name") or " ".join(filter(None, (told.get("first_name"), told.get("last_name"))))
    # Nobody told a name: the telephone number stands in.
    yield "customer/contact/name", expected or phone, name_of(prospect)
    yield "customer/contact/phone", phone, at(prospect, "customer/contact/phone")
    yield "customer/contact/email", told.get("email", ""), at(prospect, "customer/contact/email")


def _vehicles(payload: Mapping[str, Any], prospect: ElementTree.Element) -> Iterator[Pair]:
    told = payload.get("vehicles") or [payload["vehicle"]]
    found = prospect.findall("vehicle")
    yield "number of vehicles", str(len(told)), str(len(found))
    for number, (expected, vehicle) in enumerate(zip(told, found, strict=False), start=1):
        for field, value, shown in _vehicle(expected, vehicle):
            yield f"vehicle {number} {field}", value, shown


def _vehicle(told: Mapping[str, Any], vehicle: ElementTree.Element) -> Iterator[Pair]:
    names = {"stock_number": "stock", "mileage": "odometer"}
    for field in ("year", "make", "model", "trim", "vin", "stock_number", "mileage"):
        yield field, str(told.get(field, "")), at(vehicle, names.get(field, field))
    yield "status", told.get("status", "new"), vehicle.get("status", "")
    if "price" in told:
        yield "price", str(Decimal(told["price"])), str(Decimal(at(vehicle, "price") or "0"))
    if "url" in told:
        yield "url", told["url"], contained(told["url"], at(vehicle, "comments"))


def _words(payload: Mapping[str, Any], prospect: ElementTree.Element) -> Iterator[Pair]:
    comments = at(prospect, "customer/comments")
    source, duration = _SAID_TO.get(payload["dealer"]["id"], _IN_ENGLISH)
    wanted = {"comments": payload.get("comments"), "lead_source": source.format(payload["lead_source"])}
    call = payload.get("call", {})
    if call:
        wanted |= {name: call[name] for name in ("recording_url", "tracking_number")}
        wanted["duration"] = duration.format(call["duration_seconds"])
    for field, value in wanted.items():
        if value:
            yield field, value, contained(value, comments)
    rest = comments
    for number, line in enumerate(payload.get("transcript", []), start=1):
        speaker = str(line["speaker"]).capitalize() + (f" ({line['name']})" if "name" in line else "")
        said = f"{speaker}: {line['text']}"
        yield f"transcript line {number}", said, contained(said, rest)
        rest = rest.partition(said)[2]  # the next line has to come after this one
