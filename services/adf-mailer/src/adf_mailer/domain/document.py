"""Lead → ADF 1.0 document, in the form that receivers parse.

ASCII bytes whose lines end in LF: a hand-written XML declaration (lxml would quote it singly and call it
us-ascii), the `adf` processing instruction, then the elements in DTD order. No CDATA, no DOCTYPE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from leadbus.contracts.lead import Lead
from lxml import etree

from adf_mailer.domain import carried, comments, last_resort, moment, text, validation
from adf_mailer.domain.element import LINE_BYTES, Draft, Node, RenderWarning
from adf_mailer.domain.fixed_texts import ENGLISH, Language, language_of
from adf_mailer.domain.ids import add_carried_ids, add_ids
from adf_mailer.domain.party import (
    MissingName,
    add_customer_contact,
    add_provider,
    add_timeframe,
    add_vendor,
)
from adf_mailer.domain.vehicle import add_vehicles

PROLOG = b'<?xml version="1.0" encoding="UTF-8"?>\n<?adf version="1.0"?>\n'

PROVIDER_NAMES = {
    "contactatonce": "ContactAtOnce!",
    "virtualexpo": "VirtualExpo",
    "bdk": "BDK",
    "alfatrack": "Alfa-Track",
    "adf": "ADF",
    "dms": "DMS",
}

Status = Literal["new", "resend"]


@dataclass(frozen=True, slots=True)
class Form:
    """What a route says about the document. `lead_address` is the XML Lead Address."""

    lead_address: str
    status: Status = "new"
    provider_name: str | None = None
    time_zone: str | None = None
    missing_name: MissingName = "contact"
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """`content` is ASCII with LF; `long_lines` when a link that has to stay whole is too long for a line."""

    content: bytes
    warnings: tuple[RenderWarning, ...]
    long_lines: bool


class RenderError(Exception):
    """No document of this lead is valid, not even the plainest; the message is a place, never a value."""


def render(lead: Lead, form: Form) -> Document:
    """The document for `lead`. Where the full one fails, a plainer one, with the warning `degraded`.

    Never refuses a lead: a phone number that arrives is worth more than a perfect document. Raises
    RenderError where even name, phone and e-mail alone make no document: a defect.
    """
    failed: list[str] = []
    for body in (_full, _plain, _bare):
        try:
            document = _document(lead, form, body, failed)
            found = validation.problems(document.content)
        except Exception as error:  # noqa: BLE001 -- our defect must not keep a lead from its dealer
            failed.append(type(error).__name__)
        else:
            if not found:
                return document
            failed.append(found[0].where)
    raise RenderError(", ".join(failed))


def provider_name(lead: Lead, override: str | None) -> str:
    """The fixed string of the source, unless the route has its own.

    ADF comes from many providers: theirs is the name that the document told.
    """
    told = text.line(_of_provider(lead).get("name") or "")
    return override or told or PROVIDER_NAMES.get(lead.source, lead.source)


def language_for(lead: Lead, form: Form) -> Language:
    """The route's, else that of the dealer's locale where we have its words, else English."""
    return form.language or language_of(lead.dealer.locale) or ENGLISH


_Body = Callable[[Draft, Node, Lead, Form, tzinfo | None], None]


def _document(lead: Lead, form: Form, body: _Body, failed: list[str]) -> Document:
    draft = Draft(language_for(lead, form))
    root = etree.Element("adf")
    prospect = draft.branch(root, "prospect", {"status": form.status})
    body(draft, prospect, lead, form, _zone(draft, lead, form))
    content = PROLOG + etree.tostring(root, encoding="us-ascii", xml_declaration=False, pretty_print=True)
    long_lines = max(map(len, content.split(b"\n"))) > LINE_BYTES
    if long_lines:
        draft.warn("encoded", "customer/comments")
    if failed:
        draft.warn("degraded", failed[0])
    return Document(content, tuple(draft.warnings), long_lines)


def _full(document: Draft, prospect: Node, lead: Lead, form: Form, where: tzinfo | None) -> None:
    told = carried.carried(lead)
    add_ids(document, prospect, lead)
    document.leaf(prospect, "requestdate", moment.requestdate(lead.occurred_at or lead.received_at, where))
    add_vehicles(document, prospect, lead.vehicles, lead.finance, carried.of_vehicles(lead))
    customer = document.branch(prospect, "customer")
    add_customer_contact(document, customer, lead.customer, form.missing_name)
    add_carried_ids(document, customer, told.below("customer"))
    add_timeframe(document, customer, told.below("customer.timeframe"))
    _add_comments(document, customer, lead, where)
    add_vendor(document, prospect, lead.dealer, form.lead_address, told.below("vendor"))
    name = provider_name(lead, form.provider_name)
    # What was told of one provider is not said of another, whose name the route gives.
    of_provider = carried.NONE if form.provider_name else _of_provider(lead)
    add_provider(document, prospect, name, lead.source_type, of_provider)


def _plain(document: Draft, prospect: Node, lead: Lead, form: Form, where: tzinfo | None) -> None:
    add_ids(document, prospect, lead)
    document.leaf(prospect, "requestdate", moment.requestdate(lead.occurred_at or lead.received_at, where))
    customer = last_resort.add_plain(document, prospect, lead)
    _add_comments(document, customer, lead, where)
    add_vendor(document, prospect, lead.dealer, form.lead_address)
    add_provider(document, prospect, provider_name(lead, form.provider_name), lead.source_type)


def _bare(document: Draft, prospect: Node, lead: Lead, form: Form, where: tzinfo | None) -> None:
    fixed = form.provider_name or PROVIDER_NAMES.get(lead.source, lead.source)
    last_resort.add_bare(document, prospect, lead, form.lead_address, fixed)


def _add_comments(document: Draft, customer: Node, lead: Lead, where: tzinfo | None) -> None:
    recording = comments.recording_url(lead.call)
    words = comments.customer_comments(lead, document.notes, where, document.language)
    document.free_text(customer, "comments", words, keep=frozenset(filter(None, [recording])))


def _of_provider(lead: Lead) -> carried.Carried:
    return carried.carried(lead).below("provider")


def _zone(document: Draft, lead: Lead, form: Form) -> tzinfo | None:
    wanted = form.time_zone or lead.dealer.time_zone
    where = moment.zone(wanted)
    if wanted and where is None:
        document.warn("time_zone_unknown", "prospect/requestdate")
    return where
