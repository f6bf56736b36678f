"""E-mail addresses, checked by their form alone; no DNS. Cases E1.. in the README."""

from __future__ import annotations

import re
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from normalizer.domain.text import clean_line

_MAILTO = re.compile(r"^mailto:", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"<([^<>]+)>\s*$")
_LONGEST_CHARS = 320


@dataclass(frozen=True, slots=True)
class EmailReading:
    """`raw` as written; `address` with its domain in lower case, None where it is none."""

    raw: str
    address: str | None = None
    warning: str | None = None


def read_email(written: str) -> EmailReading:
    """Read one address. Warning: `email_invalid`."""
    raw = clean_line(written)
    candidate = _MAILTO.sub("", raw).partition("?")[0] if _MAILTO.match(raw) else raw
    bracketed = _IN_BRACKETS.search(candidate)
    candidate = (bracketed.group(1) if bracketed else candidate).strip(" .,;\"'")
    if len(candidate) > _LONGEST_CHARS:
        return EmailReading(raw, warning="email_invalid")
    try:
        checked = validate_email(candidate, check_deliverability=False)
    except EmailNotValidError:
        return EmailReading(raw, warning="email_invalid")
    return EmailReading(raw, checked.normalized)
