"""E-mail addresses of settings: exactly one addr-spec, ASCII, safe in a header and in an SMTP command."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator

# RFC 5321 4.5.3.1: a path of 256 with its angle brackets, a local part of 64.
_MAX_BYTES = 254
_MAX_LOCAL_PART_BYTES = 64


_KEPT = 4096
_BLANK = " \t\u00a0\u200b"
_BLANKS = re.compile(rf"[{_BLANK}]*([@.])[{_BLANK}]*")


@lru_cache(_KEPT)
def addr_spec(value: str) -> str:
    """The address as it goes on the wire: local part as written, domain lower case and in ASCII.

    Raises ValueError, without the value, for anything that is not exactly one plain address: display
    names, lists, quoted local parts, characters outside ASCII in the local part, domains without a dot.
    Remembered, because every mail goes through it twice and routes are few.
    """
    try:
        checked = validate_email(
            value,
            allow_smtputf8=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            check_deliverability=False,
            globally_deliverable=False,
        )
    except EmailNotValidError:
        raise ValueError("not exactly one plain e-mail address") from None
    address = f"{checked.local_part}@{checked.ascii_domain}"
    if "." not in (checked.ascii_domain or ""):
        raise ValueError("the domain has no dot")
    if len(checked.local_part) > _MAX_LOCAL_PART_BYTES or len(address) > _MAX_BYTES:
        raise ValueError("longer than SMTP allows")
    if not address.isascii() or "=?" in address:
        raise ValueError("not an address that SMTP can carry")
    return address


def domain(address: str) -> str:
    """What stands after the `@`."""
    return address.rpartition("@")[2]


def _trimmed(value: object) -> object:
    # Addresses are pasted out of CRM portals, often with blanks around them or where a line was broken.
    return _BLANKS.sub(r"\1", value.strip(_BLANK)) if isinstance(value, str) else value


AddrSpec = Annotated[str, BeforeValidator(_trimmed), AfterValidator(addr_spec)]
