"""`<contact>`: who somebody is and how to reach them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from leadbus.contracts.lead import Company, Email, Name, Phone
from leadbus.contracts.vocabulary import BestTime, PhoneType

from normalizer.domain.emails import read_email
from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.naming import Names
from normalizer.sources.adf.node import Node
from normalizer.sources.adf.words import squeezed

_PHONE_TYPES: dict[str, tuple[PhoneType, bool]] = {
    **dict.fromkeys(("", "voice", "phone"), ("voice", True)),
    **dict.fromkeys(("cellphone",), ("cellphone", True)),
    **dict.fromkeys(("fax",), ("fax", True)),
    **dict.fromkeys(("pager",), ("pager", True)),
    **dict.fromkeys(
        ("cell", "mobile", "mobilephone", "sms", "text", "wireless", "handy"), ("cellphone", False)
    ),
    **dict.fromkeys(
        (
            "home",
            "homephone",
            "work",
            "workphone",
            "business",
            "businessphone",
            "office",
            "landline",
            "daytime",
        ),
        ("voice", False),
    ),
    **dict.fromkeys(
        ("day", "evening", "dayphone", "eveningphone", "primary", "main", "other"), ("voice", False)
    ),
    **dict.fromkeys(("homefax", "workfax", "businessfax", "facsimile"), ("fax", False)),
}
"""Kind of line, and whether the word says no more than that; of the others the word is kept."""

_TIMES: dict[str, BestTime] = {
    "morning": "morning",
    "afternoon": "afternoon",
    "evening": "evening",
    "day": "day",
    "nopreference": "no_preference",
    "anytime": "no_preference",
    "any": "no_preference",
}
_YES = frozenset({"1", "true", "yes", "y"})
_NO = frozenset({"", "0", "false", "no", "n"})
_EMAIL_JOINTS = re.compile(r"[;,\s]+")
_EMAILS_IN_ONE = 10
_PHONE_ELEMENTS = {
    "phone": "",
    "phonenumber": "",
    "telephone": "",
    "homephone": "home",
    "workphone": "work",
    "mobile": "mobile",
    "mobilephone": "mobile",
    "cellphone": "cellphone",
    "cell": "cell",
    "fax": "fax",
    "dayphone": "day",
    "eveningphone": "evening",
}


@dataclass(frozen=True, slots=True)
class Person:
    """Customer data as read; phones as written only."""

    name: Name = field(default_factory=Name)
    company: Company | None = None
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()

    @property
    def reachable(self) -> bool:
        """By anything but post."""
        return bool(self.emails or self.phones)


def read_person(contacts: list[Node], findings: Findings, *, phone_type: PhoneType = "voice") -> Person:
    """The customer whom `contacts` tell of, the primary contact's name before the others'.

    `phone_type` is what a number is whose kind nobody told.
    """
    ordered = sorted(contacts, key=lambda contact: contact.seen("primarycontact") != "1")
    for contact in ordered:
        if contact.seen("primarycontact") in ("0", "1"):
            contact.attribute("primarycontact")
    names = [Names(contact) for contact in ordered]
    told = next((one for one in names if one.told), names[0] if names else None)
    return Person(
        name=told.name(findings) if told else Name(),
        company=next((Company(name=one.company) for one in names if one.company), None),
        emails=_emails(ordered, findings),
        phones=_phones(ordered, phone_type),
    )


def _emails(contacts: list[Node], findings: Findings) -> tuple[Email, ...]:
    emails: dict[str, Email] = {}
    for contact in contacts:
        for node in contact.each("email", "emailaddress"):
            primary = _preferred(node)
            for written in _addresses_in(node):
                if written.casefold() in emails:
                    continue
                reading = read_email(written)
                findings.warn(reading.warning, f"customer.emails.{len(emails)}")
                emails[written.casefold()] = Email(address=reading.address, raw=reading.raw, primary=primary)
    return tuple(emails.values())


def _addresses_in(node: Node) -> list[str]:
    value = node.take_value()
    if value is None:
        return []
    parts = [part for part in _EMAIL_JOINTS.split(value) if part]
    several = 1 < len(parts) <= _EMAILS_IN_ONE and all("@" in part for part in parts)
    return parts if several else [value]


def _phones(contacts: list[Node], unspoken: PhoneType) -> tuple[Phone, ...]:
    phones: dict[tuple[str, PhoneType], Phone] = {}
    for contact in contacts:
        for node in contact.children:
            if node.key not in _PHONE_ELEMENTS or (raw := node.take_value()) is None:
                continue
            kind = _phone_type(node, unspoken)
            phone = Phone(
                raw=raw,
                extension=node.attribute("extension", "ext") or None,
                type=kind,
                best_time=_best_time(node),
                primary=_preferred(node),
            )
            phones.setdefault((raw, kind), phone)
    return tuple(phones.values())


def _phone_type(node: Node, unspoken: PhoneType) -> PhoneType:
    written = squeezed(node.seen("type")) or _PHONE_ELEMENTS[node.key]
    kind, whole = _PHONE_TYPES.get(written, ("unknown", False))
    if whole:
        node.attribute("type")
    return unspoken if not written else kind


def _best_time(node: Node) -> BestTime | None:
    for name in ("time", "besttime"):
        written = node.seen(name)
        if written is not None and (known := _TIMES.get(squeezed(written))):
            node.attribute(name)
            return known
    return None


def _preferred(node: Node) -> bool:
    written = (node.seen("preferredcontact") or "").lower()
    if written in _YES | _NO:
        node.attribute("preferredcontact")
    return written in _YES
