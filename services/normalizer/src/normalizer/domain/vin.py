"""Vehicle identification numbers: ISO 3779 form, 49 CFR 565 check digit. Cases V1.. in the README."""

from __future__ import annotations

import re
from dataclasses import dataclass

from normalizer.domain.text import clean_line

_FORM = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
_JOINTS = re.compile(r"[\s\-.]")
_LABEL = re.compile(r"^V\.?I\.?N\.?\s*(?:NO\.?|#)?\s*:?\s*(?=\S{17})", re.IGNORECASE)
_VALUE = dict(
    zip(
        "0123456789ABCDEFGHJKLMNPRSTUVWXYZ",
        [*range(10), *range(1, 9), *range(1, 6), 7, 9, *range(2, 10)],
        strict=True,
    )
)
_WEIGHT = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


@dataclass(frozen=True, slots=True)
class VinReading:
    """`vin` in capitals, None where the form is wrong; `warning` says what is the matter."""

    raw: str
    vin: str | None = None
    warning: str | None = None


def read_vin(written: str) -> VinReading:
    """Read one VIN.

    Warnings: `vin_length`, `vin_alphabet` (both: no VIN), `vin_check_digit` (kept: Europe's and
    most of Asia's makers do not use position nine for a check digit).
    """
    raw = clean_line(written)
    vin = _JOINTS.sub("", _LABEL.sub("", raw)).upper()
    if len(vin) != len(_WEIGHT):
        return VinReading(raw, warning="vin_length")
    if not _FORM.fullmatch(vin):
        return VinReading(raw, warning="vin_alphabet")
    return VinReading(raw, vin, None if vin[8] == check_digit(vin) else "vin_check_digit")


def check_digit(vin: str) -> str:
    """What position nine of a well-formed `vin` has to be: 0 to 9, or X for ten."""
    remainder = sum(_VALUE[char] * weight for char, weight in zip(vin, _WEIGHT, strict=True)) % 11
    return "X" if remainder == len("0123456789") else str(remainder)
