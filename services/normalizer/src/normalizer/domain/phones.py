"""Phone numbers to E.164, by the dealer's country. Cases P1.. in the README."""

from __future__ import annotations

from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberMatcher

from normalizer.domain.text import clean_line

_LONGEST_EXTENSION = 11


@dataclass(frozen=True, slots=True)
class PhoneReading:
    """`raw` as written; `e164` where it can be a number; `warning` where a person should look."""

    raw: str
    e164: str | None = None
    extension: str | None = None
    warning: str | None = None


def read_phone(written: str, country: str | None) -> PhoneReading:
    """Read one number as somebody in `country` (ISO 3166 alpha-2) would dial it.

    Warnings: `phone_unreadable` (no number in it), `phone_unassigned` (right length, but no such
    range is in use), `phone_extracted` (the first of the numbers found in surrounding words).
    """
    raw = clean_line(written)
    number = _parse(raw, country) or _parse_dialled_abroad(raw)
    if number is not None:
        return _reading(raw, number, None if phonenumbers.is_valid_number(number) else "phone_unassigned")
    found = _first_within(raw, country)
    if found is not None:
        return _reading(raw, found, "phone_extracted")
    return PhoneReading(raw, warning="phone_unreadable")


def _reading(raw: str, number: PhoneNumber, warning: str | None) -> PhoneReading:
    extension = (number.extension or "")[:_LONGEST_EXTENSION] or None
    return PhoneReading(raw, phonenumbers.format_number(number, PhoneNumberFormat.E164), extension, warning)


def _parse(raw: str, country: str | None) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(raw, country)
    except NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def _parse_dialled_abroad(raw: str) -> PhoneNumber | None:
    """`0049 …` written by someone whose own country does not dial 00."""
    return _parse(f"+{raw[2:]}", None) if raw.startswith("00") else None


def _first_within(raw: str, country: str | None) -> PhoneNumber | None:
    for match in PhoneNumberMatcher(raw, country):
        number: PhoneNumber = match.number
        return number
    return None
