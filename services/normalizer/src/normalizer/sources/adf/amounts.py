"""Sums of money and distances as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from normalizer.domain.currencies import sign_in

_CODE_BEFORE = re.compile(r"^([A-Za-z]{3})\s*(?=[\d$€£])")
_CODE_AFTER = re.compile(r"(?<=[\d.\-])\s*([A-Za-z]{3})$")
_ANY_SIGN = re.compile(r"(?:US|CA|C|AU|A|NZ|MX)?\$|[€£₽₴₺]|zł|kč|sfr\.?", re.IGNORECASE)
_SPACES = re.compile(r"[\s\u00a0\u2009\u202f'’]")
_GROUPED_COMMA = re.compile(r"(\d{1,3}(?:,\d{3})+)(?:\.(\d{1,6}))?")
_GROUPED_STOP = re.compile(r"(\d{1,3}(?:\.\d{3})+)(?:,(\d{1,6}))?")
_PLAIN = re.compile(r"(\d{1,12})(?:[.,](\d{0,6}))?")
_DISTANCE_UNIT = re.compile(r"(?<=[\d\s.])(mi|miles?|km|kms|kilomet(?:er|re)s?)\.?$", re.IGNORECASE)
_LONGEST_CHARS = 40
_UNITS = {
    **dict.fromkeys(("mi", "mile", "miles", "m"), "mi"),
    **dict.fromkeys(("km", "kms", "kilometer", "kilometers", "kilometre", "kilometres", "k"), "km"),
}


@dataclass(frozen=True, slots=True)
class AmountReading:
    """`amount` where there is one; `currency` (ISO 4217) where the text names it: a dollar sign does not."""

    amount: Decimal | None = None
    currency: str | None = None


def read_amount(written: str) -> AmountReading:
    """Read one sum: `27995`, `$27,995.00`, `27.995,00 €`, `CAD 48 900`. Nothing below zero."""
    text = written.strip()
    if len(text) > _LONGEST_CHARS:
        return AmountReading()
    currency = sign_in(text)
    for code in (_CODE_BEFORE, _CODE_AFTER):
        if found := code.search(text):
            currency = currency or found[1].upper()
            text = code.sub("", text)
    amount = _number(_SPACES.sub("", _ANY_SIGN.sub("", text)))
    return AmountReading(amount, currency if amount is not None else None)


def read_distance(written: str) -> tuple[int | None, str | None]:
    """Whole units, and `mi` or `km` where the text says so."""
    text = written.strip()
    if len(text) > _LONGEST_CHARS:
        return None, None
    unit = _DISTANCE_UNIT.search(text)
    number = _number(_SPACES.sub("", _DISTANCE_UNIT.sub("", text)))
    return (None if number is None else int(number)), unit_of(unit[1]) if unit else None


def unit_of(written: str | None) -> str | None:
    """`mi` or `km` for any spelling of them."""
    return _UNITS.get((written or "").strip(" .").lower())


def _number(text: str) -> Decimal | None:
    """`27.995` is grouped like `27,995`; nobody tells a price or a distance with three decimals."""
    for form in (_GROUPED_COMMA, _GROUPED_STOP, _PLAIN):
        if found := form.fullmatch(text):
            whole = re.sub("[^0-9]", "", found[1])
            return Decimal(f"{whole}.{found[2]}") if found[2] else Decimal(whole)
    return None
