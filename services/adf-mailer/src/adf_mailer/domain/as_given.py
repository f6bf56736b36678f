"""What was sent but could not be read, for a person who may: kept by the normalizer in a lead's extras."""

from __future__ import annotations

from collections.abc import Iterator

from leadbus.contracts.lead import Call, Lead, Vehicle

from adf_mailer.domain import text
from adf_mailer.domain.fixed_texts import Language, label

_LONGEST_BYTES = 900


def lines(lead: Lead, language: Language) -> list[str]:
    """`VIN as given: …` and the like, one line each, for every value that its own field lacks."""
    found = (*_of_customer(lead), *_of_vehicles(lead), *_of_call(lead.call or Call(), lead.extras))
    return [
        f"{_words(key, vehicle, language)}: {text.shorten(cleaned, _LONGEST_BYTES)}"
        for key, vehicle, value in found
        if (cleaned := text.line(value or ""))
    ]


_Found = Iterator[tuple[str, int | None, str | None]]
"""Key of the label, number of the vehicle where there are several, value."""

_WHOLE = frozenset({"call_recording_as_given", "call_started_as_given"})
"""Keys whose words say already that a value is as given."""


def _words(key: str, vehicle: int | None, language: Language) -> str:
    what = label(key, language)
    if key in _WHOLE:
        return what
    if vehicle is not None:
        return label("as_given_of_vehicle", language, what=what, number=vehicle)
    return label("as_given", language, what=what)


def _of_customer(lead: Lead) -> _Found:
    customer, extras = lead.customer, lead.extras
    if not customer.phones:
        yield "phone", None, extras.get("customer.phone")
    if not customer.emails:
        yield "email", None, extras.get("customer.email")
    if not customer.name.full:
        for part in ("name", "first_name", "last_name"):
            yield "name", None, extras.get(f"customer.{part}")
    yield "customer", None, extras.get("customer")
    yield "preferred_contact", None, _unread(lead, "customer.preferred_contact")
    if not lead.message:
        yield "comments", None, extras.get("comments")
    if not lead.transcript:
        yield "transcript", None, extras.get("transcript")
    if lead.occurred_at is None:
        yield "time", None, extras.get("occurred_at")


def _unread(lead: Lead, path: str) -> str | None:
    """Of a value that extras hold in any case: only when it is no word we know."""
    return lead.extras.get(path) if any(warning.field == path for warning in lead.warnings) else None


def _of_vehicles(lead: Lead) -> _Found:
    for name in ("vehicle", "vehicles"):
        yield "vehicle", None, lead.extras.get(name)
    for index, vehicle in enumerate(lead.vehicles):
        number = None if len(lead.vehicles) == 1 else index + 1
        for key, name in _lacking(vehicle):
            yield key, number, lead.extras.get(f"vehicles.{index}.{name}")


def _lacking(vehicle: Vehicle) -> Iterator[tuple[str, str]]:
    """Key of the label and name in extras of everything that the vehicle does not say."""
    odometer = vehicle.odometer
    said = {
        ("vin", "vin"): vehicle.vin,
        ("year", "year"): vehicle.year,
        ("make", "make"): vehicle.make,
        ("model", "model"): vehicle.model,
        ("trim", "trim"): vehicle.trim,
        ("body_style", "body"): vehicle.body,
        ("stock_number", "stock_number"): vehicle.stock,
        ("new_or_used", "status"): vehicle.status != "unknown",
        ("price", "price"): vehicle.prices,
        ("currency", "currency"): any(price.currency for price in vehicle.prices),
        ("mileage", "mileage"): odometer,
        ("mileage_units", "mileage_units"): odometer and odometer.units != "unknown",
        ("vehicle_page", "url"): vehicle.url,
        ("picture", "image_url"): vehicle.image,
    }
    return (names for names, value in said.items() if not value)


def _of_call(call: Call, extras: dict[str, str]) -> _Found:
    yield "call", None, extras.get("call")
    if not call.recording_url:
        yield "call_recording_as_given", None, extras.get("call.recording_url")
    if call.started_at is None:
        yield "call_started_as_given", None, extras.get("call.started_at")
    if call.duration_seconds is None:
        yield "call_duration", None, extras.get("call.duration_seconds")
