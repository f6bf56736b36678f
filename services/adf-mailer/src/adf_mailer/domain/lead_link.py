"""Where a lead can be read whole: a template with its id, as the deployment sets it."""

from __future__ import annotations

import string
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator

PLACEHOLDER = "lead_id"
MAX_CHARACTERS = 300
_LOCAL = ("localhost", "127.0.0.1", "::1")


def check_template(template: str) -> str:
    """`template` unchanged; raises ValueError naming what is wrong with it."""
    if len(template) > MAX_CHARACTERS:
        raise ValueError(f"longer than {MAX_CHARACTERS} characters")
    if any(not "!" <= character <= "~" for character in template):
        raise ValueError("an address is printable ASCII without blanks")
    if "{" + PLACEHOLDER + "}" not in _placeholders(template):
        raise ValueError("the placeholder {lead_id} is missing: the link would lead to no lead")
    _check_address(filled(template, UUID(int=0)))
    return template


def filled(template: str, lead_id: UUID) -> str:
    """The link to one lead; `template` has been checked."""
    return template.format(lead_id=lead_id)


def _placeholders(template: str) -> list[str]:
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError:
        raise ValueError("the braces of the template do not match") from None
    found = []
    for _, name, spec, conversion in parsed:
        if name is None:
            continue
        if name != PLACEHOLDER:
            raise ValueError("unknown placeholder; the only one is {lead_id}")
        if spec or conversion:
            raise ValueError("{lead_id} stands alone, without format or conversion")
        found.append("{" + name + "}")
    return found


def _check_address(link: str) -> None:
    try:
        parts = urlsplit(link)
        host = parts.hostname
    except ValueError:
        raise ValueError("no address of the form https://host/path") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("no address of the form https://host/path")
    if "0" * 8 in host:
        raise ValueError("{lead_id} belongs into the path, not into the host's name")
    if parts.username is not None:
        raise ValueError("the address must hold no login: it goes out with mails")
    if parts.scheme == "http" and host not in _LOCAL:
        raise ValueError("only https: what can be read there is personal data (http is for localhost)")


LeadLink = Annotated[str, AfterValidator(check_template)]
