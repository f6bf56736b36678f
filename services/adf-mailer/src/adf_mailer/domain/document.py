"""Lead → ADF 1.0 document, in the form that receivers parse.

ASCII bytes whose lines end in LF: a hand-written XML declaration (lxml would quote it singly and call it
us-ascii), the `adf` processing instruction, then the elements in DTD order. No CDATA, no DOCTYPE. The form's
shape may have it otherwise: without declaration, comments as CDATA, other elements beside those of ADF 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Literal

from leadbus.contracts.lead import Lead
from lxml import etree

from adf_mailer.domain import carried, comments, last_resort, moment, phone_format, validation
from adf_mailer.domain.cdata import with_cdata
from adf_mailer.domain.element import LINE_BYTES, Draft, Node, RenderWarning
from adf_mailer.domain.extensions import add_extensions
from adf_mailer.domain.fixed_texts import Language, chosen
from adf_mailer.domain.ids import add_carried_ids, add_ids
from adf_mailer.domain.party import (
    MissingName,
    add_customer_contact,
    add_provider,
    add_timeframe,
    add_vendor,
)
from adf_mailer.domain.provider import PROVIDER_NAMES, LeadType, Provider, provider_of
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
    language: Language | None = None


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


class RenderError(Exception):
    """No document of this lead is valid, not even the plainest; the message is a place, never a value."""


def render(lead: Lead, form: Form) -> Document:
    """The document for `lead`. Where the full one fails, a plainer one, with the warning `degraded`.

    Never refuses a lead: a phone number that arrives is worth more than a perfect document. Raises
    RenderError where even name, phone and e-mail alone make no document: a defect.
    """
    (document,) = render_each([(lead, form)])
    return document


def render_each(asked: Sequence[tuple[Lead, Form]]) -> list[Document]:
    """`render` for each of several leads.

    All are drawn before the first is proven: code that has just run is still in the processor's cache, and
    what does one thing a hundred times is a third faster than what does all of it for one after the other.
    """
    return [
        whole if form.document_bytes is None else _fitted(lead, form, whole, form.document_bytes)
        for (lead, form), whole in zip(asked, _rendered(asked), strict=True)
    ]


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
        (document,), cuts = _rendered([(short.lead, form)]), short.cuts
        if short.exhausted:
            break
    warnings = [RenderWarning(cut, "customer/comments") for cut in cuts]
    if document.wire_bytes > limit:
        warnings.append(RenderWarning("limit_exceeded", "adf"))
    return replace(document, warnings=(*document.warnings, *warnings))


def _rendered(asked: Sequence[tuple[Lead, Form]]) -> list[Document]:
    failed: list[list[str]] = [[] for _ in asked]
    drawn = [_drawn(lead, form, _full, why) for (lead, form), why in zip(asked, failed, strict=True)]
    return [
        document if document and _is_sound(document, form, why) else _plainer(lead, form, why)
        for document, (lead, form), why in zip(drawn, asked, failed, strict=True)
    ]


def _plainer(lead: Lead, form: Form, failed: list[str]) -> Document:
    for body in (_plain, _bare):
        document = _drawn(lead, form, body, failed)
        if document and _is_sound(document, form, failed):
            return document
    raise RenderError(", ".join(failed))


def _drawn(lead: Lead, form: Form, body: _Body, failed: list[str]) -> Document | None:
    try:
        return _document(lead, form, body, failed)
    except Exception as error:  # noqa: BLE001 -- our defect must not keep a lead from its dealer
        failed.append(type(error).__name__)
        return None


def _is_sound(document: Document, form: Form, failed: list[str]) -> bool:
    try:
        found = validation.problems(document.content, extensions=form.shape.extensions)
    except Exception as error:  # noqa: BLE001 -- as above
        failed.append(type(error).__name__)
        return False
    failed += [one.where for one in found[:1]]
    return not found


_Body = Callable[[Draft, Node, Lead, Form, tzinfo | None], None]


def _document(lead: Lead, form: Form, body: _Body, failed: list[str]) -> Document:
    shape = form.shape
    draft = Draft(
        phone_format.writer(shape.phone_format),
        chosen(form.language, lead.dealer.locale),
        shape.unknown_status,
    )
    root = etree.Element("adf")
    prospect = draft.branch(root, "prospect", {"status": form.status})
    body(draft, prospect, lead, form, _zone(draft, lead, form))
    content = _written(root, shape)
    long_lines = max(map(len, content.split(b"\n"))) > LINE_BYTES
    if long_lines:
        draft.warn("encoded", "customer/comments")
    if failed:
        draft.warn("degraded", failed[0])
    return Document(content, tuple(draft.warnings), long_lines)


def _written(root: Node, shape: Shape) -> bytes:
    elements = etree.tostring(root, encoding="us-ascii", xml_declaration=False, pretty_print=True)
    prolog = PROLOG if shape.xml_declaration else INSTRUCTION
    return prolog + (with_cdata(elements) if shape.cdata else elements)


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
    provider = _provider(lead, form)
    # What was told of one provider is not said of another, whose name the route gives.
    add_provider(document, prospect, provider, told.below("provider") if provider.told else carried.NONE)
    _extend(document, prospect, lead, form, provider)


def _plain(document: Draft, prospect: Node, lead: Lead, form: Form, where: tzinfo | None) -> None:
    add_ids(document, prospect, lead)
    document.leaf(prospect, "requestdate", moment.requestdate(lead.occurred_at or lead.received_at, where))
    customer = last_resort.add_plain(document, prospect, lead)
    _add_comments(document, customer, lead, where)
    add_vendor(document, prospect, lead.dealer, form.lead_address)
    provider = _provider(lead, form)
    add_provider(document, prospect, provider)
    _extend(document, prospect, lead, form, provider)


def _bare(document: Draft, prospect: Node, lead: Lead, form: Form, where: tzinfo | None) -> None:
    fixed = form.provider_name or PROVIDER_NAMES.get(lead.source, lead.source)
    last_resort.add_bare(document, prospect, lead, form.lead_address, fixed)


def _add_comments(document: Draft, customer: Node, lead: Lead, where: tzinfo | None) -> None:
    recording = comments.recording_url(lead.call)
    words = comments.customer_comments(lead, document.notes, where, document.language)
    document.free_text(customer, "comments", words, keep=frozenset(filter(None, [recording])))


def _provider(lead: Lead, form: Form) -> Provider:
    return provider_of(lead, form.provider_name, form.lead_types)


def _extend(document: Draft, prospect: Node, lead: Lead, form: Form, provider: Provider) -> None:
    if form.shape.extensions:
        add_extensions(document, prospect, lead, provider)


def _zone(document: Draft, lead: Lead, form: Form) -> tzinfo | None:
    wanted = form.time_zone or lead.dealer.time_zone
    where = moment.zone(wanted)
    if wanted and where is None:
        document.warn("time_zone_unknown", "prospect/requestdate")
    return where
