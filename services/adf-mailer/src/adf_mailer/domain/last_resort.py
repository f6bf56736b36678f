"""Documents for the day on which the full one fails: a defect of ours must not keep a lead from its dealer.

Each says less by elements and more by words than the one before, and needs less of our code.
"""

from __future__ import annotations

from datetime import UTC

from leadbus.contracts.lead import Lead, Vehicle

from adf_mailer.domain import text
from adf_mailer.domain.element import Draft, Node
from adf_mailer.domain.vehicle import status_of


def add_plain(document: Draft, prospect: Node, lead: Lead) -> Node:
    """Year, make and model; a name; every way to reach the customer as a note. Returns the `<customer>`."""
    wanted = next((one for one in lead.vehicles if one.wanted), (*lead.vehicles, Vehicle())[0])
    status = status_of(wanted, document.unknown_status)
    vehicle = document.branch(prospect, "vehicle", {"interest": "buy", "status": status})
    for tag in ("year", "make", "model"):
        document.leaf(vehicle, tag, getattr(wanted, tag))
    customer = document.branch(prospect, "customer")
    contact = document.branch(customer, "contact")
    document.leaf(contact, "name", lead.customer.name.full, {"part": "full"})
    document.leaf(contact, "email", next((one.address for one in lead.customer.emails if one.address), None))
    document.note("first_name", lead.customer.name.first)
    document.note("last_name", lead.customer.name.last)
    for email in lead.customer.emails:
        document.note("email", email.address or email.raw)
    for phone in lead.customer.phones:
        document.note("phone", phone.e164 or phone.raw)
    for other in lead.vehicles:
        document.note("vehicle", " ".join(filter(None, (other.year, other.make, other.model, other.vin))))
    return customer


def add_bare(document: Draft, prospect: Node, lead: Lead, lead_address: str, provider: str) -> None:
    """Id, time, who and how to reach them, what they wrote; in English, and by nothing but leaves."""
    document.leaf(prospect, "id", str(lead.lead_id), {"sequence": "1", "source": "leadbus"})
    at = lead.received_at.astimezone(UTC).replace(microsecond=0)
    document.leaf(prospect, "requestdate", at.isoformat())
    status = "new" if document.unknown_status == "written" else None
    vehicle = document.branch(prospect, "vehicle", {"interest": "buy", "status": status})
    for tag in ("year", "make", "model"):
        document.leaf(vehicle, tag, None)
    name, customer = lead.customer.name, document.branch(prospect, "customer")
    shown = name.full or " ".join(filter(None, (name.first, name.last)))
    _add_contact(document, customer, shown, None)
    lines: list[str] = []
    document.add_line(lines, "Name", shown)
    for email in lead.customer.emails:
        document.add_line(lines, "E-mail", email.address or email.raw)
    for phone in lead.customer.phones:
        document.add_line(lines, "Phone", phone.e164 or phone.raw)
    for one in lead.vehicles:
        document.add_line(lines, "Vehicle", " ".join(filter(None, (one.year, one.make, one.model, one.vin))))
    words = [*lines, text.block(lead.message or ""), *(line.text for line in lead.transcript)]
    document.free_text(customer, "comments", "\n".join(words))
    vendor = document.branch(prospect, "vendor")
    dealer = text.line(lead.dealer.name) or lead_address
    document.leaf(vendor, "vendorname", dealer)
    _add_contact(document, vendor, dealer, lead_address)
    branch = document.branch(prospect, "provider")
    document.leaf(branch, "name", provider, {"part": "full", "type": "business"})
    document.optional(branch, "service", lead.source_type)


def _add_contact(document: Draft, parent: Node, name: str, email: str | None) -> None:
    contact = document.branch(parent, "contact")
    document.leaf(contact, "name", name, {"part": "full"})
    document.leaf(contact, "email", email)
