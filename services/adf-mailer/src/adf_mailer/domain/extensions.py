"""Elements that are not ADF 1.0, for receivers that read them all the same.

provider/leadtype repeats the service where providers of other dialects put it; customer/language is the
language to answer in. Others that are met (misplaced comments, ids as key and value) tell nothing more.
"""

from __future__ import annotations

from leadbus.contracts.lead import Lead

from adf_mailer.domain.element import Draft, Node
from adf_mailer.domain.provider import Provider

PLACES = ("prospect/provider/leadtype", "prospect/customer/language")


def add_extensions(document: Draft, prospect: Node, lead: Lead, provider: Provider) -> None:
    """Each as the last child of its parent, so that what precedes is ADF as ever."""
    for tag, child, value in (
        ("provider", "leadtype", provider.service),
        ("customer", "language", lead.customer.language),
    ):
        parent = prospect.find(tag)
        if parent is not None:
            document.optional(parent, child, value)
