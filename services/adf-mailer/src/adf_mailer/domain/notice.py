"""The mail for people: what a salesperson needs in ten seconds, as plain text to read from the top.

Who, how to reach them, what car, what was asked; then the words, and where all that came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import TypeVar

from leadbus.contracts.lead import Address, Email, Finance, Lead, Phone, Vehicle
from leadbus.contracts.web_link import is_web_link

from adf_mailer.domain import comments, moment, text
from adf_mailer.domain.document import Status
from adf_mailer.domain.money import amount_text
from adf_mailer.domain.shape import Charset

Way = TypeVar("Way", Phone, Email)

_LINE_BYTES = 998
_LABELS = {
    "test": "TEST LEAD - there is no customer behind it",
    "resend": "Update of a lead that you have been told of",
    "name": "Name",
    "company": "Company",
    "phone": "Phone",
    "email": "E-mail",
    "address": "Address",
    "unreachable": "neither phone nor e-mail is known",
    "nameless": "not told",
    "reach_at": "best time: ",
    "preferred": "preferred",
    "vehicle": "Vehicle",
    "trade_in": "Trade-in",
    "other_vehicle": "Also names",
    "stock": "stock",
    "vin": "VIN",
    "remark": "Remark on the vehicle",
    "payment": "Payment",
    "down_payment": "down",
    "monthly": "monthly",
    "total": "total",
    "months": "months",
    "dealer": "Dealer",
    "source": "From",
    "received": "Received",
    "lead": "Lead",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """`content` is text with LF line ends, in `charset`; `encoded` where it cannot go as 7-bit lines."""

    content: bytes
    charset: Charset
    encoded: bool


def label(key: str) -> str:
    """A fixed text of the notice. The one place that would ask for a language."""
    return _LABELS[key]


def render(lead: Lead, status: Status, *, provider: str, time_zone: str | None) -> Notice:
    """The body of the mail. Never raises for what a lead says."""
    where = moment.zone(time_zone or lead.dealer.time_zone)
    blocks = [
        "\n".join(_marks(lead, status)),
        "\n".join([*_who(lead), *_vehicles(lead.vehicles)]),
        comments.customer_comments(lead, list(_notes(lead)), where),
        "\n".join(_origin(lead, provider, where)),
    ]
    body = "\n\n".join(filter(None, blocks)) + "\n"
    plain = body.isascii() and all(len(line) <= _LINE_BYTES for line in body.split("\n"))
    charset: Charset = "us-ascii" if body.isascii() else "utf-8"
    return Notice(body.encode(), charset, encoded=not plain)


def _marks(lead: Lead, status: Status) -> Iterator[str]:
    if lead.test:
        yield label("test")
    if status == "resend":
        yield label("resend")


def _who(lead: Lead) -> Iterator[str]:
    customer = lead.customer
    name = text.line(customer.name.full or "") or _words([customer.name.first, customer.name.last])
    yield _fact("name", name or label("nameless"))
    if customer.company:
        yield from _facts("company", [customer.company.name])
    ways = [
        *_facts("phone", map(_phone, _primary_first(customer.phones))),
        *_facts("email", (one.address or one.raw for one in _primary_first(customer.emails))),
    ]
    yield from ways or [_fact("phone", label("unreachable"))]
    yield from _facts("address", map(_place, customer.addresses))


def _primary_first(ways: Iterable[Way]) -> list[Way]:
    return sorted(ways, key=lambda one: not one.primary)


def _phone(phone: Phone) -> str:
    number = (phone.e164 or phone.raw) + (f" x{phone.extension}" if phone.extension else "")
    at = None if phone.best_time in (None, "no_preference") else label("reach_at") + phone.best_time
    hints = ", ".join(filter(None, (at, label("preferred") if phone.primary else None)))
    return f"{number} ({hints})" if hints else number


def _vehicles(vehicles: tuple[Vehicle, ...]) -> Iterator[str]:
    for vehicle in sorted(vehicles, key=lambda one: not one.wanted):
        named = "vehicle" if vehicle.wanted else "trade_in" if vehicle.interest == "trade_in" else None
        yield from _facts(named or "other_vehicle", [_vehicle(vehicle)])


def _vehicle(vehicle: Vehicle) -> str:
    status = None if vehicle.status == "unknown" else vehicle.status
    facts = [
        _words([status, vehicle.year, vehicle.make, vehicle.model, vehicle.trim]),
        f"{label('stock')} {vehicle.stock}" if vehicle.stock else None,
        f"{label('vin')} {vehicle.vin}" if vehicle.vin else None,
        *(_words([amount_text(price.amount), price.currency]) for price in vehicle.prices[:1]),
        vehicle.url if is_web_link(vehicle.url or "") else None,
    ]
    return ", ".join(filter(None, facts))


def _notes(lead: Lead) -> Iterator[str]:
    yield from _facts("remark", (vehicle.comments for vehicle in lead.vehicles))
    if lead.finance:
        yield from _facts("payment", [_payment(lead.finance)])


def _payment(finance: Finance) -> str:
    """What a credit check said is never passed on."""
    product = None if finance.product == "unknown" else finance.product
    sums = (
        ("down_payment", finance.down_payment),
        ("monthly", finance.monthly),
        ("total", finance.total),
    )
    told = [
        f"{label(key)} {_words([plain, finance.currency])}"
        for key, sum_ in sums
        if (plain := amount_text(sum_))
    ]
    term = f"{finance.term_months} {label('months')}" if finance.term_months is not None else None
    return ", ".join(filter(None, (product, *told, term)))


def _place(address: Address) -> str:
    parts = (*address.street, address.apartment, address.postal_code, address.city, address.region)
    return ", ".join(filter(None, (text.line(part or "") for part in (*parts, address.country))))


def _origin(lead: Lead, provider: str, where: tzinfo | None) -> Iterator[str]:
    yield _fact("dealer", text.line(lead.dealer.name) or lead.dealer.dealer_id)
    yield _fact("source", ", ".join(filter(None, (provider, text.line(lead.source_type), lead.channel))))
    yield _fact("received", moment.clock(lead.received_at, where))
    yield _fact("lead", str(lead.lead_id))


def _facts(key: str, values: Iterable[str | None]) -> Iterator[str]:
    """A line for each that says something, each once."""
    cleaned = (text.line(value or "") for value in values)
    yield from (_fact(key, value) for value in dict.fromkeys(filter(None, cleaned)))


def _fact(key: str, value: str) -> str:
    return f"{label(key)}: {value}"


def _words(parts: Iterable[str | None]) -> str:
    return text.line(" ".join(filter(None, parts)))
