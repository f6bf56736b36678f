"""What of a lead an ADF document is to bring back: the facts that two leads are compared by."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from adf_mailer.domain import text
from adf_mailer.domain.comments import recording_url
from adf_mailer.domain.document import Form
from adf_mailer.domain.provider import provider_of
from leadbus.contracts.lead import OWN_ID_SOURCE, Lead, Price, Vehicle
from normalizer.sources.adf.comments import plain_text

Facts = dict[str, Any]
WORDS = ("year", "make", "model", "trim", "body", "stock", "transmission")
"""What a vehicle tells in words."""

_SILENT = {"interest", "status", "wanted", "words"}


def sent_facts(lead: Lead, form: Form) -> Facts:
    customer, finance, call = lead.customer, lead.finance, lead.call
    emails = sorted((one for one in customer.emails), key=lambda one: not one.primary)
    return {
        "status": form.status,
        "requestdate": lead.occurred_at and _second(lead.occurred_at),
        "_received_at": _second(lead.received_at),
        "ids": [(text.line(one.source), text.line(one.value)) for one in lead.ids],
        "_own_id": (OWN_ID_SOURCE, str(lead.lead_id)),
        "service": text.line(lead.source_type),
        "provider": provider_of(lead, form.provider_name).name,
        "dealer": text.line(lead.dealer.name),
        "name": {
            part: text.line(getattr(customer.name, part) or "") or None
            for part in ("full", "first", "middle", "last", "suffix", "salutation")
        },
        "company": text.line(customer.company.name or "") if customer.company else None,
        "emails": [(one.address, one.raw, one.primary) for one in emails],
        "phones": [_sent_phone(one) for one in customer.phones],
        "addresses": [_address(one) for one in customer.addresses],
        "vehicles": [_vehicle(one) for one in lead.vehicles],
        "finance": finance
        and {
            "product": finance.product,
            "down_payment": finance.down_payment,
            "monthly": finance.monthly,
            "total": finance.total,
            "currency": finance.currency,
        },
        "call": call
        and {
            "recording_url": recording_url(call),
            "duration_seconds": call.duration_seconds,
            "tracking_number": call.tracking_number and text.line(call.tracking_number),
            "answered": call.answered,
        },
        "lead_source": text.line(lead.extras.get("lead_source") or "") or None,
        "words": [
            *text.block(lead.message or "").split("\n"),
            *(part for line in lead.transcript for part in text.block(line.text).split("\n")),
        ],
    }


def back_facts(lead: Lead) -> Facts:
    facts = sent_facts(lead, Form("back@leadbus.example"))
    facts["status"] = "resend" if any(one.code == "resend" for one in lead.warnings) else "new"
    facts["ids"] = facts["ids"][:-1]
    facts["provider"] = lead.extras.get("provider.name")
    facts["emails"] = [(one.address, one.address, one.primary) for one in lead.customer.emails]
    facts["phones"] = [
        {"number": one.raw, "e164": one.e164, "extension": one.extension}
        | {"type": one.type, "time": one.best_time, "primary": one.primary}
        for one in lead.customer.phones
    ]
    chain = (part for hop in lead.ids for part in (hop.source, hop.value))
    everything = (lead.message, *chain, *(one.comments for one in lead.vehicles), *lead.extras.values())
    facts["words"] = squeezed("\n".join(filter(None, everything)))
    return facts


def _sent_phone(phone: Any) -> Facts:
    return {
        "number": phone.e164 or text.line(phone.raw),
        "e164": phone.e164,
        "extension": phone.extension and text.line(phone.extension),
        "type": phone.type,
        "time": phone.best_time,
        "primary": phone.primary,
    }


def _address(address: Any) -> Facts:
    words = {
        part: text.line(getattr(address, part) or "") or None
        for part in ("apartment", "city", "region", "postal_code", "country", "type")
    }
    return words | {"street": [line for one in address.street if (line := text.line(one))]}


def _vehicle(vehicle: Vehicle) -> Facts:
    odometer = vehicle.odometer
    return {
        **{name: text.line(getattr(vehicle, name) or "") or None for name in WORDS},
        "interest": vehicle.interest,
        "status": vehicle.status,
        "wanted": vehicle.wanted,
        "vin": vehicle.vin,
        "odometer": odometer and (odometer.value, odometer.units),
        "colours": [
            (text.line(one.exterior or ""), text.line(one.interior or ""), one.preference)
            for one in vehicle.colours
            if text.line(one.exterior or "") or text.line(one.interior or "")
        ],
        "prices": [_price(one) for one in vehicle.prices],
        "options": [
            (text.line(one.name), text.line(one.code or ""), one.weighting, one.price and _price(one.price))
            for one in vehicle.options
        ],
        "url": vehicle.url and text.line(vehicle.url),
        "image": vehicle.image and text.line(vehicle.image),
        "words": text.block(vehicle.comments or ""),
    }


def _price(price: Price) -> tuple[Any, ...]:
    return (price.kind, price.amount, price.currency)


def _second(moment: Any) -> Any:
    return moment.astimezone(UTC).replace(microsecond=0)


def squeezed(words: str) -> str:
    return "".join(plain_text(words).split())


def says(vehicle: Facts) -> bool:
    return any(value for name, value in vehicle.items() if name not in _SILENT) or bool(vehicle["words"])
