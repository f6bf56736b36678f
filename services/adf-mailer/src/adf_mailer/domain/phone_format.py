"""Phone numbers as a receiver wants to read them."""

from __future__ import annotations

from collections.abc import Callable

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from adf_mailer.domain import text
from adf_mailer.domain.party import PHONE
from adf_mailer.domain.shape import PhoneFormat

_FORMATS = {
    "national": PhoneNumberFormat.NATIONAL,
    "international": PhoneNumberFormat.INTERNATIONAL,
}


def writer(wanted: PhoneFormat) -> Callable[[str], str]:
    """From a number in E.164 to one line in the format wanted.

    What cannot be read as a number, or would not be one by ADF's form, stays as it is.
    """
    if wanted == "e164":
        return text.line
    return lambda e164: _formatted(e164, _FORMATS[wanted])


def _formatted(e164: str, wanted: int) -> str:
    written = text.line(e164)
    try:
        number = phonenumbers.parse(written, None)
    except NumberParseException:
        return written
    formatted = phonenumbers.format_number(number, wanted)
    return formatted if PHONE.fullmatch(formatted) else written
