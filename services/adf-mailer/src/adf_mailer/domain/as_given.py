"""What was sent but could not be read, for a person who may: kept by the normalizer in a lead's extras."""

from __future__ import annotations

from collections.abc import Iterator

from leadbus.contracts.lead import Call, Lead, Vehicle

from adf_mailer.domain import text

_LONGEST_BYTES = 900


def lines(lead: Lead) -> list[str]:
    """`VIN as given: …` and the like, one line each, for every value that its own field lacks."""
    found = (*_of_customer(lead), *_of_vehicles(lead), *_of_call(lead.call or Call(), lead.extras))
    return [
        f"{label}: {text.shorten(cleaned, _LONGEST_BYTES)}"
        for label, value in found
        if (cleaned := text.line(value or ""))
    ]


def _of_customer(lead: Lead) -> Iterator[tuple[str, str | None]]:
    customer, extras = lead.customer, lead.extras
    if not customer.phones:
        yield "Phone as given", extras.get("customer.phone")
    if not customer.emails:
        yield "E-mail as given", extras.get("customer.email")
    if not customer.name.full:
        for part in ("name", "first_name", "last_name"):
            yield "Name as given", extras.get(f"customer.{part}")
    yield "Customer as given", extras.get("customer")
    yield "Preferred contact as given", _unread(lead, "customer.preferred_contact")
    if not lead.message:
        yield "Comments as given", extras.get("comments")
    if not lead.transcript:
        yield "Transcript as given", extras.get("transcript")
    if lead.occurred_at is None:
        yield "Time as given", extras.get("occurred_at")


def _unread(lead: Lead, path: str) -> str | None:
    """Of a value that extras hold in any case: only when it is no word we know."""
    return lead.extras.get(path) if any(warning.field == path for warning in lead.warnings) else None


def _of_vehicles(lead: Lead) -> Iterator[tuple[str, str | None]]:
    for name in ("vehicle", "vehicles"):
        yield "Vehicle as given", lead.extras.get(name)
    for index, vehicle in enumerate(lead.vehicles):
        which = "" if len(lead.vehicles) == 1 else f" of vehicle {index + 1}"
        for label, name in _lacking(vehicle):
            yield f"{label}{which} as given", lead.extras.get(f"vehicles.{index}.{name}")


def _lacking(vehicle: Vehicle) -> Iterator[tuple[str, str]]:
    """Label and name in extras of everything that the vehicle does not say."""
    odometer = vehicle.odometer
    said = {
        ("VIN", "vin"): vehicle.vin,
        ("Year", "year"): vehicle.year,
        ("Make", "make"): vehicle.make,
        ("Model", "model"): vehicle.model,
        ("Trim", "trim"): vehicle.trim,
        ("Body style", "body"): vehicle.body,
        ("Stock number", "stock_number"): vehicle.stock,
        ("New or used", "status"): vehicle.status != "unknown",
        ("Price", "price"): vehicle.prices,
        ("Currency", "currency"): any(price.currency for price in vehicle.prices),
        ("Mileage", "mileage"): odometer,
        ("Mileage units", "mileage_units"): odometer and odometer.units != "unknown",
        ("Vehicle page", "url"): vehicle.url,
        ("Picture", "image_url"): vehicle.image,
    }
    return (names for names, value in said.items() if not value)


def _of_call(call: Call, extras: dict[str, str]) -> Iterator[tuple[str, str | None]]:
    yield "Call as given", extras.get("call")
    if not call.recording_url:
        yield "Call recording (as given)", extras.get("call.recording_url")
    if call.started_at is None:
        yield "Call started, as given", extras.get("call.started_at")
    if call.duration_seconds is None:
        yield "Call duration as given", extras.get("call.duration_seconds")
