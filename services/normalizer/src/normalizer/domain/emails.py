"""E-mail addresses, checked by their form alone; no DNS. Cases E1.. in the README."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from normalizer.domain.text import clean_line

_MAILTO = re.compile(r"^mailto:", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"<([^<>]+)>\s*$")
_LONGEST_CHARS = 320
# What the validator says of it depends on the domain alone, and those are few.
_ORDINARY = re.compile(r"([a-z0-9_+-]{1,32}(?:\.[a-z0-9_+-]{1,31})?)@([A-Za-z0-9.-]{1,180})")
_DOMAINS_KEPT = 4096


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
    address = _normalized(candidate)
    return EmailReading(raw, address, None if address else "email_invalid")


def _normalized(candidate: str) -> str | None:
    if ordinary := _ORDINARY.fullmatch(candidate):
        local, domain = ordinary.groups()
        normalized = _normalized_domain(domain)
        return f"{local}@{normalized}" if normalized else None
    return _validated(candidate)


@lru_cache(_DOMAINS_KEPT)
def _normalized_domain(domain: str) -> str | None:
    address = _validated(f"a@{domain}")
    return address and address.removeprefix("a@")


def _validated(candidate: str) -> str | None:
    try:
        return validate_email(candidate, check_deliverability=False).normalized
    except EmailNotValidError:
        return None
