"""The leads that are sent: 1.5 kB as ContactAtOnce pushes them, no two alike, all of one size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from ingest.domain.raw import Offer, envelope_of
from leadbus.messages import OutgoingMessage, raw_message
from normalizer.domain.vin import check_digit

SOURCE, ACCOUNT = "contactatonce", "main"
FROM_ADDRESS = "leads@leadbus.example"
DEALERS = tuple(str(number) for number in range(40_000, 40_020))
FIRST, LAST = 2_000_000, 9_999_999
"""Numbers of leads: seven digits, which are also the end of the shopper's phone number."""

ACCEPTED_AT = datetime(2026, 11, 20, 15, 30, 5, 120_000, UTC)
_LINES = (
    ("system", None, "{name} joined from autos.example"),
    ("customer", "{name}", "Hello, is the CR-V with the stock number N{number} still on your lot?"),
    ("agent", "Marcy", "It is. May I have an e-mail address, so that a colleague can send you pictures?"),
    ("customer", "{name}", "dana.{number}@example.net, and what would you give me for a 2017 Forester?"),
    ("agent", "Marcy", "Gladly: someone will look at it with you. Would tomorrow at ten suit you?"),
    ("customer", "{name}", "Ten is fine. Please have the loan papers ready, 72 months if that can be done."),
)


def body(number: int) -> bytes:
    """The push of lead `number`, JSON."""
    name = "Dana"
    lines = [
        {"at": f"2026-11-20T09:2{minute}:12-06:00", "speaker": speaker}
        | ({"name": shown.format(name=name)} if shown else {})
        | {"text": text.format(name=name, number=number)}
        for minute, (speaker, shown, text) in enumerate(_LINES)
    ]
    payload = {
        "lead_type": "Chat",
        "lead_id": f"CAO-{number}",
        "related_ids": {"conversation_id": f"IM-{number}"},
        "occurred_at": "2026-11-20T09:30:00-06:00",
        "dealer": {"id": DEALERS[number % len(DEALERS)], "name": "Prairie Motors"},
        "lead_source": "autos.example",
        "customer": {
            "first_name": "Dana",
            "last_name": "Whitfield",
            "email": f"dana.{number}@example.net",
            "phone": f"+1312{number}",
            "preferred_contact": "email",
        },
        "vehicle": {
            "year": "2024",
            "make": "Honda",
            "model": "CR-V",
            "trim": "EX-L",
            "vin": vin(number),
            "stock_number": f"N{number}",
            "status": "used",
            "price": "27995.00",
            "currency": "USD",
            "mileage": 21_840,
            "url": f"https://www.prairie-motors.example/inventory/N{number}",
        },
        "transcript": lines,
    }
    return json.dumps(payload, separators=(",", ":")).encode()


def vin(number: int) -> str:
    """A well-formed VIN of its own, check digit included."""
    form = f"1HGRW2H8_R{number}"
    return form.replace("_", check_digit(form.replace("_", "0")))


def wire_id(run: str, number: int) -> UUID:
    """What ingest would have called it."""
    return uuid5(NAMESPACE_URL, f"{run}/{number}")


def message(run: str, number: int) -> OutgoingMessage:
    """As ingest's relay publishes it."""
    offer = Offer(SOURCE, ACCOUNT, "bench", "application/json", body(number), False, None)
    return raw_message(SOURCE, envelope_of(offer, wire_id(run, number), ACCEPTED_AT))


def numbers(count: int, start: int = FIRST) -> Iterator[int]:
    """`count` numbers from `start`. Raises ValueError when there are not so many."""
    if not FIRST <= start <= start + count - 1 <= LAST:
        raise ValueError(f"lead numbers go from {FIRST} to {LAST}")
    return iter(range(start, start + count))
