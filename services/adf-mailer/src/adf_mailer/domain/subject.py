"""Subject templates: fixed words and a closed list of placeholders, none of them personal data."""

from __future__ import annotations

import string
from collections.abc import Mapping

from leadbus.contracts.lead import OWN_ID_SOURCE, Lead

from adf_mailer.domain import text
from adf_mailer.domain.provider import Provider

DEFAULT = "{dealer_name}: {provider} {service} lead {lead_ref}"
PLACEHOLDERS = ("dealer_name", "provider", "service", "lead_id", "lead_ref", "vehicle", "channel")
MAX_CHARACTERS = 150
TEST_MARK = "[TEST] "


def check_template(template: str) -> str:
    """`template` unchanged; raises ValueError naming what is wrong with it."""
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError:
        raise ValueError("the braces of the template do not match") from None
    for _, name, spec, conversion in parsed:
        if name is None:
            continue
        if name not in PLACEHOLDERS:
            raise ValueError(f"unknown placeholder; known are {', '.join(PLACEHOLDERS)}")
        if spec or conversion:
            raise ValueError("a placeholder stands alone, without format or conversion")
    if any(character in template for character in "\r\n\0"):
        raise ValueError("a subject is one line")
    if len(template) > MAX_CHARACTERS:
        raise ValueError(f"longer than {MAX_CHARACTERS} characters")
    return template


def names(template: str) -> frozenset[str]:
    """The placeholders in a template that was checked."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


def fill(template: str, values: Mapping[str, str]) -> str:
    """One line of at most `MAX_CHARACTERS`; not yet safe for a header, that is the mail form's part."""
    filled = text.line(template.format_map(values))
    return filled[:MAX_CHARACTERS].rstrip() or "Lead"


def marked(subject: str) -> str:
    """The subject of a test's mail: whoever sees it in a mailbox must not call anybody."""
    return f"{TEST_MARK}{subject}"[:MAX_CHARACTERS].rstrip()


def values(lead: Lead, provider: Provider) -> dict[str, str]:
    """What the placeholders stand for. `lead_ref` is the id the source's own reports use."""
    wanted = next((one for one in lead.vehicles if one.wanted), None)
    vehicle = [wanted.year, wanted.make, wanted.model] if wanted else []
    reference = next((entry.value for entry in lead.ids if entry.source != OWN_ID_SOURCE), None)
    return {
        "dealer_name": lead.dealer.name,
        "provider": provider.name,
        "service": provider.service,
        "lead_id": str(lead.lead_id),
        "lead_ref": reference or str(lead.lead_id),
        "vehicle": " ".join(filter(None, vehicle)),
        "channel": lead.channel,
    }
