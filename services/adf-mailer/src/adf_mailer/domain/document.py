"""Lead → ADF 1.0 document, in the form that receivers parse.

ASCII bytes whose lines end in LF: a hand-written XML declaration (lxml would quote it singly and call it
us-ascii), the `adf` processing instruction, then the elements in DTD order. No CDATA, no DOCTYPE. The form's
shape may have it otherwise: without declaration, comments as CDATA, other elements beside those of ADF 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Literal

from leadbus.contracts.lead import OWN_ID_SOURCE, Lead, SourceId
from lxml import etree

from adf_mailer.domain import comments, moment, phone_format, text, validation
from adf_mailer.domain.cdata import with_cdata
from adf_mailer.domain.element import LINE_BYTES, Draft, Node, RenderWarning
from adf_mailer.domain.extensions import add_extensions
from adf_mailer.domain.party import MissingName, add_customer_contact, add_provider, add_vendor
from adf_mailer.domain.provider import LeadType, provider_of
from adf_mailer.domain.shape import DEFAULT, Shape
from adf_mailer.domain.shortening import Cut, shortened
from adf_mailer.domain.vehicle import add_vehicles

INSTRUCTION = b'<?adf version="1.0"?>\n'
PROLOG = b'<?xml version="1.0" encoding="UTF-8"?>\n' + INSTRUCTION

Status = Literal["new", "resend"]

_MOST_CUTS = 8
"""What a cut saves is reckoned, not tried; the second one nearly always fits."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a route says about the document. `lead_address` is the XML Lead Address."""

    lead_address: str
    status: Status = "new"
    provider_name: str | None = None
    time_zone: str | None = None
    missing_name: MissingName = "contact"
    lead_types: Mapping[str, LeadType] | None = None
    shape: Shape = DEFAULT
    document_bytes: int | None = None
    """Over this size, as `Document.wire_bytes` counts, the transcript and then free texts are cut."""
    lead_link: str | None = None
    """Where the whole of what is cut can be read."""


@dataclass(frozen=True, slots=True)
class Document:
    """`content` is ASCII with LF; `long_lines` when a link that has to stay whole is too long for a line."""

    content: bytes
    warnings: tuple[RenderWarning, ...]
    long_lines: bool

    @property
    def wire_bytes(self) -> int:
        """The size of the content with the line ends of a mail."""
        return len(self.content) + self.content.count(b"\n")


def render(lead: Lead, form: Form) -> Document:
    """The document for `lead`. Where the full one fails, a plain one, with the warning `degraded`.

    Never refuses a lead: a phone number that arrives is worth more than a perfect document.
    """
    whole = _rendered(lead, form)
    return whole if form.document_bytes is None else _fitted(lead, form, whole, form.document_bytes)


def _fitted(lead: Lead, form: Form, whole: Document, limit: int) -> Document:
    """`whole`, or as much of it as fits; what cannot be cut goes out, over the limit as it may be."""
    document, saving = whole, 0
    cuts: tuple[Cut, ...] = ()
    for turn in range(_MOST_CUTS):
        if document.wire_bytes <= limit:
            break
        # What wrapping adds is not reckoned: more is asked for each time.
        saving += (document.wire_bytes - limit) << turn
        short = shortened(lead, saving, form.lead_link)
        document, cuts = _rendered(short.lead, form), short.cuts
        if short.exhausted:
            break
    warnings = [RenderWarning(cut, "customer/comments") for cut in cuts]
    if document.wire_bytes > limit:
        warnings.append(RenderWarning("limit_exceeded", "adf"))
    return replace(document, warnings=(*document.warnings, *warnings))


def _rendered(lead: Lead, form: Form) -> Document:
    try:
        document = _document(lead, form, _full)
        found = validation.problems(document.content, extensions=form.shape.extensions)
    except Exception as error:  # noqa: BLE001 -- our defect must not keep a lead from its dealer
        return _degraded(lead, form, type(error).__name__)
    return _degraded(lead, form, found[0].where) if found else document


def _degraded(lead: Lead, form: Form, where: str) -> Document:
    plain = _document(lead, form, _plain)
    return Document(plain.content, (*plain.warnings, RenderWarning("degraded", where)), plain.long_lines)


_Body = Callable[[Draft, Node, Lead, Form, tzinfo | None], None]


def _document(lead: Lead, form: Form, body: _Body) -> Document:
    shape = form.shape
    draft = Draft(phone_format.writer(shape.phone_format))
    root = etree.Element("adf")
    prospect = draft.branch(root, "prospect", {"status": form.status})
    where = _zone(draft, lead, form)
    _add_ids(draft, prospect, lead)
    draft.leaf(prospect, "requestdate", moment.requestdate(lead.occurred_at or lead.received_at, where))
    body(draft, prospect, lead, form, where)
    add_vendor(draft, prospect, lead.dealer, form.lead_address)
    provider = provider_of(lead, form.provider_name, form.lead_types)
    add_provider(draft, prospect, provider)
    if shape.extensions:
        add_extensions(draft, prospect, lead, provider)
    content = _written(root, shape)
    long_lines = max(map(len, content.split(b"\n"))) > LINE_BYTES
    if long_lines:
        draft.warn("encoded", "customer/comments")
    return Document(content, tuple(draft.warnings), long_lines)


def _written(root: Node, shape: Shape) -> bytes:
    elements = etree.tostring(root, encoding="us-ascii", xml_declaration=False, pretty_print=True)
    prolog = PROLOG if shape.xml_declaration else INSTRUCTION
    return prolog + (with_cdata(elements) if shape.cdata else elements)


def _full(document: Draft, prospect: Node, lead: Lead, form: Form, where: tzinfo | None) -> None:
    add_vehicles(document, prospect, lead.vehicles, lead.finance)
    customer = document.branch(prospect, "customer")
    add_customer_contact(document, customer, lead.customer, form.missing_name)
    _add_comments(document, customer, lead, where)


def _plain(document: Draft, prospect: Node, lead: Lead, form: Form, where: tzinfo | None) -> None:
    """Year, make and model; a name; every way to reach the customer as words in the comments."""
    vehicle = document.branch(prospect, "vehicle", {"interest": "buy"})
    wanted = next((one for one in lead.vehicles if one.wanted), lead.vehicles[0] if lead.vehicles else None)
    for tag in ("year", "make", "model"):
        document.leaf(vehicle, tag, getattr(wanted, tag, None))
    customer = document.branch(prospect, "customer")
    contact = document.branch(customer, "contact")
    document.leaf(contact, "name", lead.customer.name.full, {"part": "full"})
    document.leaf(contact, "email", next((one.address for one in lead.customer.emails if one.address), None))
    for name in ("first", "last"):
        document.note(f"Name ({name})", getattr(lead.customer.name, name))
    for email in lead.customer.emails:
        document.note("E-mail", email.address or email.raw)
    for phone in lead.customer.phones:
        document.note("Phone", phone.e164 or phone.raw)
    for other in lead.vehicles:
        document.note("Vehicle", " ".join(filter(None, (other.year, other.make, other.model, other.vin))))
    _add_comments(document, customer, lead, where)


def _add_comments(document: Draft, customer: Node, lead: Lead, where: tzinfo | None) -> None:
    recording = comments.recording_url(lead.call)
    words = comments.customer_comments(lead, document.notes, where)
    document.free_text(customer, "comments", words, keep=frozenset(filter(None, [recording])))


def _add_ids(document: Draft, prospect: Node, lead: Lead) -> None:
    """The custody chain: upstream ids in their order, ours last and always there."""
    own = SourceId(source=OWN_ID_SOURCE, value=str(lead.lead_id))
    upstream = [entry for entry in lead.ids if text.line(entry.value) and entry.source != own.source]
    ours = [entry for entry in lead.ids if entry.source == own.source] or [own]
    previous = 0
    for entry in (*upstream, *ours):
        sequence = entry.sequence if entry.sequence is not None else previous + 1
        # Some sources count from 0; ours has to be the last hop whatever they wrote.
        sequence = min(max(sequence, previous + 1) if entry.source == own.source else sequence, 999_999_999)
        previous = max(previous, sequence)
        document.leaf(prospect, "id", entry.value, {"sequence": str(sequence), "source": entry.source})


def _zone(document: Draft, lead: Lead, form: Form) -> tzinfo | None:
    wanted = form.time_zone or lead.dealer.time_zone
    where = moment.zone(wanted)
    if wanted and where is None:
        document.warn("time_zone_unknown", "prospect/requestdate")
    return where
