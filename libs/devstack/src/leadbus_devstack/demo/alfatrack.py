"""Alfa-Track's five types of lead, as it pushes them, and what it learns of one later."""

from __future__ import annotations

import json

from leadbus.contracts.examples.alfatrack import ALFATRACK_KNOWLEDGE, ALFATRACK_LEADS

from leadbus_devstack.demo.lead import DemoLead, Says
from leadbus_devstack.demo.prospect import saying

PROVIDER = "Alfa-Track"
JSON = "application/json"
KNOWLEDGE = json.dumps(ALFATRACK_KNOWLEDGE, ensure_ascii=False).encode()
"""What is pushed once the lead that it is about has arrived."""
KNOWN_OF = str(ALFATRACK_KNOWLEDGE["lead_id"])
KNOWN_FIRST_OF = str(ALFATRACK_LEADS["offline"]["lead_id"])
KNOWN_FIRST = json.dumps(
    {
        "event": "knowledge",
        "lead_id": KNOWN_FIRST_OF,
        "as_of": "2026-04-14T09:58:00+03:00",
        "parameters": {"source": "google", "traffic_type": "organic", "city": "Москва"},
    },
    ensure_ascii=False,
).encode()
"""What is pushed before the lead that it is about."""


def _says(kind: str) -> Says:
    id_ = str(ALFATRACK_LEADS[kind]["lead_id"])
    match kind:
        case "email":
            return saying(
                provider=PROVIDER,
                id_=id_,
                name="Jörg Müller",
                email="joerg.mueller@example.com",
                words=("was kostet der Kombi?",),
            )
        case "form":
            return saying(
                provider=PROVIDER,
                id_=id_,
                name="Мария Иванова",
                phone="+74951234567",
                email="m.ivanova@example.ru",
                words=("Интересует тест-драйв в субботу.",),
            )
        case "phone":
            recording = "https://calls.track.example/900319"
            return saying(provider=PROVIDER, id_=id_, phone="+74951234568", words=(recording,))
        case "chat":
            lines = ("Есть в наличии?", "Да, две машины.")
            return saying(provider=PROVIDER, id_=id_, name="Олег", phone="+79010000001", words=lines)
        case _:
            return saying(provider=PROVIDER, id_=id_, name="Пётр Орлов", phone="+79010000002")


def leads() -> list[DemoLead]:
    """One of each type; all of the one project."""
    return [
        DemoLead(
            source="alfatrack",
            kind=kind,
            external_id=str(payload["lead_id"]),
            way="HTTP",
            media_type=JSON,
            body=json.dumps(payload, ensure_ascii=False).encode(),
            dealer="Автоцентр Север",
            address="sales@avtocentr-sever.dealercrm.example",
            says=_says(kind),
        )
        for kind, payload in ALFATRACK_LEADS.items()
    ]
