"""Whom an answer to a mail goes to. The sender stays ours, whoever it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from leadbus.contracts.lead import Lead

from adf_mailer.domain.address import addr_spec

ReplyTo = Literal["none", "customer", "dealer"]


def reply_address(lead: Lead, wanted: ReplyTo) -> str | None:
    """The first address that a header can carry: of the customer's the primary before the others."""
    return next(filter(None, map(_usable, _told(lead, wanted))), None)


def _told(lead: Lead, wanted: ReplyTo) -> Iterator[str | None]:
    if wanted == "dealer":
        yield lead.dealer.email
    elif wanted == "customer":
        for email in sorted(lead.customer.emails, key=lambda email: not email.primary):
            yield email.address


def _usable(address: str | None) -> str | None:
    try:
        return addr_spec(address) if address else None
    except ValueError:
        return None
