"""What the BDK Leadservice tells: a thin notification, and whole leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEST_DRIVE: dict[str, Any] = {
    "leadId": "LS-4400181",
    "partnerNumber": "0047110",
    "bdkLeadTypeId": "1e",
    "createdAt": "2026-04-14T10:22:31+02:00",
    "customer": {
        "salutation": "Frau",
        "firstName": "Jördis",
        "lastName": "von Ahlen",
        "email": "joerdis.vonahlen@example.org",
        "phone": "0431 5550148",
        "mobile": "0151 55501480",
        "address": {"street": "Am Kanal 7", "postalCode": "24103", "city": "Kiel", "country": "Deutschland"},
    },
    "vehicle": {
        "make": "Volkswagen",
        "model": "ID.4",
        "variant": "Pro",
        "vin": "WVWZZZ1JZXW000001",
        "isNew": False,
        "mileage": 21840,
        "price": "27995.00",
        "listingUrl": "https://juhu.example/auto/4711",
    },
    "message": "Passt Samstag gegen elf?",
}

_EXPIRY: dict[str, Any] = {
    "leadId": "LS-4400733",
    "partnerNumber": "0047110",
    "bdkLeadTypeId": "3d",
    "createdAt": "2026-04-15T06:00:00+02:00",
    "customer": {"salutation": "Herr", "firstName": "Mats", "lastName": "Brodersen", "phone": "04321 555019"},
    "vehicle": {"make": "Skoda", "model": "Octavia", "vin": "TMBZZZ1ZZA2000001"},
    "contract": {"number": "L-20230418", "kind": "Leasing", "endsOn": "2026-07-31"},
}

_CONFIGURED: dict[str, Any] = {
    "leadId": "LS-4401002",
    "partnerNumber": "0047111",
    "bdkLeadTypeId": "6b",
    "createdAt": "2026-04-15T19:41:07+02:00",
    "customer": {"name": "Ayşe Yıldız-Petersen", "email": "ayse@example.net"},
    "vehicle": {"make": "Opel", "model": "Astra", "isNew": True, "price": "34.250,00"},
    "finance": {
        "product": "Finanzierung",
        "downPayment": "5.000,00",
        "monthlyRate": "389,00",
        "termMonths": 48,
        "mileagePerYear": "12.000",
    },
}

BDK: Mapping[str, Mapping[str, Any]] = {"1e": _TEST_DRIVE, "3d": _EXPIRY, "6b": _CONFIGURED}
"""Whole leads by type id, as JSON values."""

BDK_THIN: Mapping[str, Any] = {
    "leadId": "LS-4400181",
    "partnerNumber": "0047110",
    "bdkLeadTypeId": "1e",
    "occurredAt": "2026-04-14T10:22:32+02:00",
}
"""A notification that only names its lead."""
