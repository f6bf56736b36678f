"""Lead and route → the mail, whole: the one door from planning and repeating into rendering."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from leadbus.contracts import Lead

from adf_mailer.domain import lead_link, notice, subject, warning
from adf_mailer.domain.document import Form, Status, render
from adf_mailer.domain.element import RenderWarning
from adf_mailer.domain.fixed_texts import chosen
from adf_mailer.domain.form import shape_of
from adf_mailer.domain.guard import guarded
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.mail import Letter, Mail, compose, message_id
from adf_mailer.domain.provider import Provider, provider_of
from adf_mailer.domain.recipients import Recipient, Role, first
from adf_mailer.domain.reply_to import reply_address
from adf_mailer.domain.return_path import message_uuid
from adf_mailer.domain.route import LEAST_DOCUMENT_BYTES, AdfRoute, Route, kinds_kept_from
from adf_mailer.domain.sensitive import Kind
from adf_mailer.domain.shape import DEFAULT
from adf_mailer.domain.warning import Warned

_MOST_TRIES = 4
_HEADER_BYTES = 200
"""Of the headers, what grows with nothing: by so much less than its share a document is cut."""


@dataclass(frozen=True, slots=True)
class Written:
    """The mail, its envelope sender, who it is for, and what was odd about it."""

    mail: Mail
    sender: str
    recipient: str
    status: Status
    warnings: tuple[RenderWarning, ...]
    role: Role = "lead"
    masked: frozenset[Kind] = frozenset()
    """Personal data that stands masked in it."""


def shorter_bytes(refused_bytes: int) -> int | None:
    """How large a mail may be in place of one that was refused as too large; None where none would help."""
    half = max(refused_bytes // 2, LEAST_DOCUMENT_BYTES)
    return half if half < refused_bytes else None


def delivery_key(lead: Lead, route: Route, recipient: Recipient | None = None) -> str:
    """Lead, route, address and revision: the same four are the same delivery, told how often they may be.

    Without `recipient` the route's own address. Every role but `lead` is named with a `:`, which no address
    and no name of a route has.
    """
    to = recipient or first(route.spec)
    address = to.address if to.role == "lead" else f"{to.role}:{to.address}"
    return f"{lead.lead_id}/{route.name}/{address}/{lead.revision}"


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
    recipient: Recipient | None = None,
    at_most_bytes: int | None = None,
) -> Written:
    """The mail about `lead` on `route`, to `recipient` or its own address, in the form of their role.

    The same arguments give the same bytes. `at_most_bytes` is for a mail that was refused as too large:
    transcript and free texts are cut until the whole mail has no more, or nothing is left to cut (warning
    `limit_exceeded`).
    """
    spec = route.spec
    to = recipient or first(spec)
    language = chosen(spec.language, lead.dealer.locale)
    guard = guarded(lead, kinds_kept_from(spec), language)
    lead = guard.lead
    sender = spec.from_address or letterhead.from_address
    provider = provider_of(lead, spec.provider_name, spec.lead_types)
    reply_to = None if spec.reply_to == "none" else reply_address(lead, spec.reply_to)
    line = subject.fill(spec.subject, subject.values(lead, provider))
    letter = Letter(
        from_address=sender,
        from_display=spec.from_display or provider.name,
        to_address=to.address,
        subject=subject.marked(line) if lead.test else line,
        date=date,
        message_id=message_id(key, sender, repeat),
        lead_id=lead.lead_id,
        revision=lead.revision,
        test=lead.test,
        references=references,
        reply_to=reply_to,
        copy=to.role == "copy",
        language=language,
    )
    if to.role == "notice":
        drawn = _for_people(lead, spec, status, provider, letter)
    else:
        drawn = _for_crm(lead, _form(lead, spec, status, to, letterhead), letter, at_most_bytes)
    masked = tuple(RenderWarning("sensitive_masked", where) for where in sorted(guard.found))
    warnings = (*drawn.warnings, *masked)
    if reply_to is None and spec.reply_to != "none":
        warnings = (*warnings, RenderWarning("reply_to_missing", "Reply-To"))
    mail = _signed(drawn.mail, letterhead, date)
    envelope_sender = _envelope_sender(mail, sender, letterhead)
    return Written(mail, envelope_sender, to.address, status, warnings, to.role, guard.kinds)


def warning_key(lead: Lead, route: Route, of: Warned, recipient: Recipient) -> str:
    """One mail for each of a route's people and each time that an address is suspended."""
    since = of.suspended_at.isoformat()
    return f"{lead.lead_id}/{route.name}/{recipient.role}:{recipient.address}/{of.address}/{since}"


def write_warning(
    of: Warned,
    lead: Lead,
    route: Route,
    recipient: Recipient,
    *,
    date: datetime,
    letterhead: Letterhead,
) -> Written:
    """The mail to `recipient` that an address is suspended, which `lead` was the last one to find out.

    Of the lead it has the id alone. The same arguments give the same bytes.
    """
    spec = route.spec
    sender = spec.from_address or letterhead.from_address
    line = warning.subject(lead, route)
    letter = Letter(
        from_address=sender,
        from_display=spec.from_display or warning.SENDER_DISPLAY,
        to_address=recipient.address,
        subject=subject.marked(line) if lead.test else line,
        date=date,
        message_id=message_id(warning_key(lead, route, of, recipient), sender),
        lead_id=lead.lead_id,
        revision=lead.revision,
        test=lead.test,
    )
    mail = _signed(_readable(warning.render(of, lead, route), letter), letterhead, date)
    return Written(
        mail, _envelope_sender(mail, sender, letterhead), recipient.address, "new", (), recipient.role
    )


@dataclass(frozen=True, slots=True)
class _Drawn:
    mail: Mail
    warnings: tuple[RenderWarning, ...] = ()


def _for_people(lead: Lead, spec: AdfRoute, status: Status, provider: Provider, letter: Letter) -> _Drawn:
    words = notice.render(
        lead, status, provider=provider.name, time_zone=spec.time_zone, language=letter.language
    )
    return _Drawn(_readable(words, letter))


def _readable(words: notice.Notice, letter: Letter) -> Mail:
    shape = replace(DEFAULT, charset=words.charset)
    return compose(letter, words.content, encoded=words.encoded, shape=shape)


def _form(lead: Lead, spec: AdfRoute, status: Status, to: Recipient, letterhead: Letterhead) -> Form:
    return Form(
        # A copy is the same document, byte for byte.
        to.address if to.role == "lead" else spec.address,
        status,
        spec.provider_name,
        spec.time_zone,
        spec.missing_name,
        language=spec.language,
        lead_types=spec.lead_types,
        shape=shape_of(spec.form, spec.crm),
        document_bytes=spec.document_bytes,
        lead_link=lead_link.filled(letterhead.lead_link, lead.lead_id) if letterhead.lead_link else None,
    )


def _for_crm(lead: Lead, form: Form, letter: Letter, at_most_bytes: int | None) -> _Drawn:
    """The document's mail; the document smaller and smaller until the mail is small enough."""
    document = render(lead, form)
    mail = compose(letter, document.content, encoded=document.long_lines, shape=form.shape)
    for _ in range(_MOST_TRIES):
        if at_most_bytes is None or len(mail.raw) <= at_most_bytes:
            break
        smaller = document.wire_bytes * at_most_bytes // len(mail.raw) - _HEADER_BYTES
        if smaller <= 0 or "limit_exceeded" in {warning.code for warning in document.warnings}:
            break
        form = replace(form, document_bytes=smaller)
        document = render(lead, form)
        mail = compose(letter, document.content, encoded=document.long_lines, shape=form.shape)
    return _Drawn(mail, document.warnings)


def _signed(mail: Mail, letterhead: Letterhead, date: datetime) -> Mail:
    if letterhead.signer is None:
        return mail
    return replace(mail, raw=letterhead.signer.sign(mail.raw, date=date))


def _envelope_sender(mail: Mail, from_address: str, letterhead: Letterhead) -> str:
    message = message_uuid(mail.message_id)
    if letterhead.return_path is None or message is None:
        return from_address
    return letterhead.return_path.sender(message)
