"""Lead and route → the mail, whole: the one door from planning and repeating into rendering."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from leadbus.contracts import Lead

from adf_mailer.domain import lead_link, subject
from adf_mailer.domain.document import Document, Form, Status, provider_name, render
from adf_mailer.domain.element import RenderWarning
from adf_mailer.domain.guard import guarded
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.mail import Letter, Mail, compose, message_id
from adf_mailer.domain.route import LEAST_DOCUMENT_BYTES, Route, kinds_kept_from
from adf_mailer.domain.sensitive import Kind

_MOST_TRIES = 4
_HEADER_BYTES = 200
"""Of the headers, what grows with nothing: by so much less than its share a document is cut."""


@dataclass(frozen=True, slots=True)
class Written:
    """The mail, who it is from and for, and what was odd about it."""

    mail: Mail
    sender: str
    recipient: str
    status: Status
    warnings: tuple[RenderWarning, ...]
    masked: frozenset[Kind] = frozenset()
    """Personal data that stands masked in it."""


def shorter_bytes(refused_bytes: int) -> int | None:
    """How large a mail may be in place of one that was refused as too large; None where none would help."""
    half = max(refused_bytes // 2, LEAST_DOCUMENT_BYTES)
    return half if half < refused_bytes else None


def delivery_key(lead: Lead, route: Route) -> str:
    """Lead, route, address and revision: the same four are the same delivery, told how often they may be."""
    return f"{lead.lead_id}/{route.name}/{route.spec.address}/{lead.revision}"


def write(
    lead: Lead,
    route: Route,
    *,
    status: Status,
    date: datetime,
    letterhead: Letterhead,
    key: str,
    repeat: int = 0,
    references: str | None = None,
    at_most_bytes: int | None = None,
) -> Written:
    """The mail about `lead` on `route`. The same arguments give the same bytes.

    `at_most_bytes` is for a mail that was refused as too large: transcript and free texts are cut until the
    whole mail has no more, or nothing is left to cut (warning `limit_exceeded`).
    """
    spec = route.spec
    guard = guarded(lead, kinds_kept_from(spec))
    lead = guard.lead
    sender = spec.from_address or letterhead.from_address
    provider = provider_name(lead, spec.provider_name)
    form = Form(
        spec.address,
        status,
        spec.provider_name,
        spec.time_zone,
        spec.missing_name,
        document_bytes=spec.document_bytes,
        lead_link=lead_link.filled(letterhead.lead_link, lead.lead_id) if letterhead.lead_link else None,
    )
    line = subject.fill(spec.subject, subject.values(lead, provider))
    letter = Letter(
        from_address=sender,
        from_display=spec.from_display or provider,
        to_address=spec.address,
        subject=subject.marked(line) if lead.test else line,
        date=date,
        message_id=message_id(key, sender, repeat),
        lead_id=lead.lead_id,
        revision=lead.revision,
        test=lead.test,
        references=references,
    )
    document, mail = _drawn(lead, form, letter, at_most_bytes)
    masked = tuple(RenderWarning("sensitive_masked", where) for where in sorted(guard.found))
    return Written(mail, sender, spec.address, status, (*document.warnings, *masked), guard.kinds)


def _drawn(lead: Lead, form: Form, letter: Letter, at_most_bytes: int | None) -> tuple[Document, Mail]:
    """Document and mail; the document smaller and smaller until the mail is small enough."""
    document = render(lead, form)
    mail = compose(letter, document.content, encoded=document.long_lines)
    for _ in range(_MOST_TRIES):
        if at_most_bytes is None or len(mail.raw) <= at_most_bytes:
            break
        smaller = document.wire_bytes * at_most_bytes // len(mail.raw) - _HEADER_BYTES
        if smaller <= 0 or "limit_exceeded" in {warning.code for warning in document.warnings}:
            break
        form = replace(form, document_bytes=smaller)
        document = render(lead, form)
        mail = compose(letter, document.content, encoded=document.long_lines)
    return document, mail
