"""What Alfa-Track pushes: one lead per type, and what it learns of the first later on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PROJECT = {"id": "4127", "name": "Автоцентр Север"}

_FORM: dict[str, Any] = {
    "event": "lead",
    "type": "form",
    "lead_id": "AT-900317",
    "project": _PROJECT,
    "occurred_at": "2026-04-14T12:06:40+03:00",
    "detected_at": "2026-04-14T12:07:02+03:00",
    "client": {"name": "Мария Иванова", "email": "m.ivanova@example.ru", "phone": "+7 495 123-45-67"},
    "subject": "Заявка с сайта",
    "message": "Интересует тест-драйв в субботу.",
}
_EMAIL: dict[str, Any] = {
    "event": "lead",
    "type": "email",
    "lead_id": "AT-900318",
    "project": _PROJECT,
    "detected_at": "2026-04-14T12:31:10+03:00",
    "client": {"name": "Jörg Müller", "email": "joerg.mueller@example.com"},
    "subject": "Preisanfrage",
    "message_html": "<p>Guten Tag,</p><p>was kostet der <b>Kombi</b>?</p>",
    "as_of": "2026-04-14T12:31:10+03:00",
    "parameters": {"sent_at": "2026-04-14T12:28:55+03:00", "mailbox_address": "sales-17@track.example"},
}
_PHONE: dict[str, Any] = {
    "event": "lead",
    "type": "phone",
    "lead_id": "AT-900319",
    "project": _PROJECT,
    "detected_at": "2026-04-14T13:02:00+03:00",
    "client": {"phone": "8 (495) 123-45-68"},
    "call": {
        "recording_url": "https://calls.track.example/900319",
        "started_at": "2026-04-14T13:00:12+03:00",
        "duration_seconds": 0,
        "tracking_number": "+74951230000",
        "answered": False,
    },
}
_CHAT: dict[str, Any] = {
    "event": "lead",
    "type": "chat",
    "lead_id": "AT-900320",
    "project": _PROJECT,
    "detected_at": "2026-04-14T13:20:31+03:00",
    "client": {"name": "Олег", "phone": "+7 901 000 00 01"},
    "transcript": [
        {"at": "2026-04-14T13:18:02+03:00", "speaker": "customer", "name": "Олег", "text": "Есть в наличии?"},
        {"at": "2026-04-14T13:18:40+03:00", "speaker": "agent", "text": "Да, две машины."},
    ],
}
_OFFLINE: dict[str, Any] = {
    "event": "lead",
    "type": "offline",
    "lead_id": "AT-900321",
    "project": _PROJECT,
    "detected_at": "2026-04-14T18:00:00+03:00",
    "client": {"name": "Пётр Ильич Орлов", "phone": "+7 901 000 00 02"},
    "subject": "Визит в салон",
}

ALFATRACK_LEADS: Mapping[str, dict[str, Any]] = {
    "email": _EMAIL,
    "form": _FORM,
    "phone": _PHONE,
    "chat": _CHAT,
    "offline": _OFFLINE,
}

ALFATRACK_KNOWLEDGE: dict[str, Any] = {
    "event": "knowledge",
    "lead_id": "AT-900317",
    "as_of": "2026-04-14T12:15:20+03:00",
    "parameters": {
        "source": "yandex",
        "traffic_type": "cpc",
        "campaign": "spring-suv",
        "keyword": {"value": "купить кроссовер", "as_of": "2026-04-14T12:15:05+03:00"},
        "city": "Санкт-Петербург",
        "ip": "203.0.113.17",
        "ga_client_id": "1793410.1776182",
        "ym_client_id": "1776182400123456789",
        "page_path": "/cars/suv?utm_source=yandex",
        "device_category": "mobile",
    },
}
