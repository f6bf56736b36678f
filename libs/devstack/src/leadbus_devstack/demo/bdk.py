"""A lead of each family of the BDK Leadservice: the bank notifies, and the lead is fetched; one it mails."""

from __future__ import annotations

import json
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from leadbus.contracts.examples.bdk import BDK

from leadbus_devstack.demo.lead import DemoLead, Says
from leadbus_devstack.demo.prospect import saying

PROVIDER = "BDK"


def _payload(kind: str, id_: str, person: dict[str, str], vehicle: str, message: str) -> dict[str, Any]:
    make, _, model = vehicle.partition(" ")
    return {
        "leadId": id_,
        "partnerNumber": "0047110",
        "bdkLeadTypeId": kind,
        "createdAt": "2026-04-16T09:12:40+02:00",
        "customer": person,
        "vehicle": {"make": make, "model": model},
        "message": message,
    }


_ILKA = {"firstName": "Ilka", "lastName": "Thomsen", "phone": "0431 5550171", "email": "ilka@example.org"}
_JENS = {"firstName": "Jens", "lastName": "Oldsen", "phone": "0461 5550123", "email": "jens@example.org"}
_GREET = {"firstName": "Greet", "lastName": "Janssen", "phone": "0491 5550188", "email": "greet@example.org"}
_UTE = {"firstName": "Ute", "lastName": "Brandt", "phone": "040 5550102", "email": "ute@example.org"}
_FURTHER = {
    "2c": _payload("2c", "LS-4402001", _ILKA, "Opel Mokka", "Leasing gerechnet, 36 Monate."),
    "5a": _payload("5a", "LS-4402005", _JENS, "Opel Corsa", "Ich habe Ihren Brief bekommen."),
    "7f": _payload("7f", "LS-4402007", _GREET, "Kia Niro", "Bitte rufen Sie mich an."),
    "8a": _payload("8a", "LS-4402008", _UTE, "Fiat Panda", "Steht er noch da?"),
}
_PHONES = {"2c": "+494315550171", "5a": "+494615550123", "7f": "+494915550188", "8a": "+49405550102"}


def leads() -> list[DemoLead]:
    """1 (juhu.auto), 2 (calculator), 3 (an expiring contract), 5 (campaign), 6 (configurator), 7, 8."""
    of_one = {kind: dict(BDK[kind]) | {"partnerNumber": "0047110"} for kind in ("1e", "3d", "6b")}
    return [*(_lead(kind, payload) for kind, payload in sorted((of_one | _FURTHER).items())), _mailed()]


def _lead(kind: str, payload: dict[str, Any]) -> DemoLead:
    return DemoLead(
        source="bdk",
        kind=kind,
        external_id=str(payload["leadId"]),
        way="notified",
        media_type="application/json",
        body=json.dumps(payload, ensure_ascii=False).encode(),
        dealer="Autohaus Hoffmann",
        address="leads@autohaus-hoffmann.dealercrm.example",
        says=_says(kind, payload),
    )


def _mailed() -> DemoLead:
    """The way that the API replaces: the sender tells the family, and a title the type."""
    words = "Ist Samstag um zehn eine Probefahrt frei?"
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "juhu.auto <noreply@juhu.auto>"
    mail["To"] = "hoffmann-bdk@leads.leadbus.example"
    mail["Subject"] = "juhu.auto Probefahrt"
    mail["Message-ID"] = "<4402009@juhu.auto>"
    mail.set_content(
        "Guten Tag,\n\nLead-ID: LS-4402009\nPartnernummer: 0047110\nName: Frauke Petersen\n"
        "Telefon: 0461 5550177\nE-Mail: frauke@example.org\nMarke: Opel\nModell: Astra\n\n"
        f"{words}\n\nMit freundlichen Grüßen\n"
    )
    return DemoLead(
        source="bdk",
        kind="mailed",
        external_id="LS-4402009",
        way="mail",
        media_type="message/rfc822",
        body=bytes(mail),
        dealer="Autohaus Hoffmann",
        address="leads@autohaus-hoffmann.dealercrm.example",
        says=saying(
            provider=PROVIDER,
            id_="LS-4402009",
            name="Frauke Petersen",
            phone="+494615550177",
            email="frauke@example.org",
            vehicle="Opel Astra",
            words=(words,),
        ),
    )


def _says(kind: str, payload: dict[str, Any]) -> Says:
    id_ = str(payload["leadId"])
    match kind:
        case "1e":
            return saying(
                provider=PROVIDER,
                id_=id_,
                name="Jördis von Ahlen",
                phone="+494315550148",
                email="joerdis.vonahlen@example.org",
                vehicle="Volkswagen ID.4",
                words=("Passt Samstag gegen elf?",),
            )
        case "3d":
            return saying(
                provider=PROVIDER,
                id_=id_,
                name="Mats Brodersen",
                phone="+494321555019",
                vehicle="Skoda Octavia",
            )
        case "6b":
            return saying(
                provider=PROVIDER,
                id_=id_,
                name="Ayşe Yıldız-Petersen",
                email="ayse@example.net",
                vehicle="Opel Astra",
            )
        case _:
            person, vehicle = payload["customer"], payload["vehicle"]
            return saying(
                provider=PROVIDER,
                id_=id_,
                name=f"{person['firstName']} {person['lastName']}",
                phone=_PHONES[kind],
                email=person["email"],
                vehicle=f"{vehicle['make']} {vehicle['model']}",
                words=(payload["message"],),
            )
