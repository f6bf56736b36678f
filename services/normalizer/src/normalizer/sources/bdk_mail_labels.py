"""Labelled lines in the plain text of a BDK mail, as the fields of a lead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LINE = re.compile(r"[ \t>*•-]*(?P<label>[^\W\d_][\w ./()-]{0,38})[ ]*(?::[ \t]*|\t+)(?P<value>\S.*)")
_MOST_LINES = 2_000
_LONGEST_LINE_CHARS = 1_000
_FAREWELLS = ("--", "mit freundlichen grüßen", "freundliche grüße", "viele grüße", "impressum")

_LABELS: Mapping[str, tuple[str, ...]] = {
    "leadId": ("lead-id", "lead id", "leadid", "lead-nr.", "anfragenummer"),
    "partnerNumber": ("partnernummer", "bdk partnernummer", "bdk-partnernummer", "partner-nr."),
    "createdAt": ("eingegangen am", "anfrage vom", "datum"),
    "customer.salutation": ("anrede",),
    "customer.firstName": ("vorname",),
    "customer.lastName": ("nachname", "familienname"),
    "customer.name": ("name", "kunde", "kundenname", "interessent"),
    "customer.company": ("firma",),
    "customer.email": ("e-mail", "email", "e-mail-adresse", "mail"),
    "customer.phone": ("telefon", "telefonnummer", "tel.", "tel", "festnetz"),
    "customer.mobile": ("mobil", "mobilnummer", "mobiltelefon", "handy"),
    "customer.address.street": ("straße", "strasse", "anschrift"),
    "customer.address.postalCode": ("plz", "postleitzahl"),
    "customer.address.city": ("ort", "wohnort", "stadt"),
    "customer.address.country": ("land",),
    "vehicle.make": ("marke", "hersteller"),
    "vehicle.model": ("modell", "fahrzeug"),
    "vehicle.vin": ("fin", "fahrgestellnummer", "fahrzeugidentifikationsnummer"),
    "vehicle.stockNumber": ("interne nummer", "fahrzeugnummer"),
    "vehicle.isNew": ("zustand",),
    "vehicle.mileage": ("kilometerstand",),
    "vehicle.price": ("preis", "kaufpreis", "fahrzeugpreis"),
    "vehicle.listingUrl": ("inserat", "link zum inserat", "link"),
    "finance.product": ("finanzierungsart", "zahlungsart"),
    "finance.downPayment": ("anzahlung",),
    "finance.monthlyRate": ("rate", "monatsrate", "monatliche rate", "leasingrate"),
    "finance.termMonths": ("laufzeit",),
    "finance.mileagePerYear": ("laufleistung pro jahr", "jährliche fahrleistung"),
    "contract.number": ("vertragsnummer",),
    "contract.endsOn": ("vertragsende", "vertragsablauf"),
}
_PATHS = {label: path for path, labels in _LABELS.items() for label in labels}


def labelled(text: str) -> dict[str, Any]:
    """The fields of a lead that lines such as `Telefon: 0431 …` tell; the first of each counts.

    A label ends at a colon or a tab. What follows a farewell is the sender's and not read: its phone
    number would be taken for the customer's. Never raises.
    """
    fields: dict[str, Any] = {}
    for line in text.splitlines()[:_MOST_LINES]:
        if line.strip().lower().startswith(_FAREWELLS):
            break
        found = _LINE.fullmatch(line.strip()[:_LONGEST_LINE_CHARS])
        path = _PATHS.get(" ".join(found["label"].lower().split())) if found else None
        if found and path:
            _put(fields, path, found["value"].strip())
    return fields


def _put(fields: dict[str, Any], path: str, value: str) -> None:
    *steps, key = path.split(".")
    for step in steps:
        fields = fields.setdefault(step, {})
    fields.setdefault(key, value)
