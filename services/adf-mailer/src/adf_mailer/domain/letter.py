"""Lead and route → the mail, whole: the one door from planning and repeating into rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from leadbus.contracts import Lead

from adf_mailer.domain import lead_link, notice, subject, warning
from adf_mailer.domain.document import Document, Form, Status, render, render_each
from adf_mailer.domain.element import RenderWarning
from adf_mailer.domain.fixed_texts import chosen
from adf_mailer.domain.form import shape_of
from adf_mailer.domain.guard import Guarded, guarded
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
    order = Order(lead, route, status, date, key, repeat, references, recipient, at_most_bytes)
    (written,) = write_each([order], letterhead)
    return written


@dataclass(frozen=True, slots=True)
class Order:
    """One mail of several: what `write` is told of it."""

    lead: Lead
    route: Route
    status: Status
    date: datetime
    key: str
    repeat: int = 0
    references: str | None = None
    recipient: Recipient | None = None
    at_most_bytes: int | None = None


def write_each(orders: Sequence[Order], letterhead: Letterhead) -> list[Written]:
    """`write` for each of `orders`, step by step for all of them: see `render_each`."""
    guards = [_guarded(order) for order in orders]
    sheets = [_sheet(order, guard, letterhead) for order, guard in zip(orders, guards, strict=True)]
    documents = iter(render_each([(sheet.lead, sheet.form) for sheet in sheets if sheet.form]))
    drawn = [
        _for_people(sheet) if sheet.form is None else _for_crm(sheet, sheet.form, next(documents))
        for sheet in sheets
    ]
    return [_finished(sheet, one, letterhead) for sheet, one in zip(sheets, drawn, strict=True)]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """All that is known of a mail before its text is drawn; `form` is None of a mail for people."""

    order: Order
    guard: Guarded
    to: Recipient
    provider: Provider
    letter: Letter
    form: Form | None

    @property
    def lead(self) -> Lead:
        return self.guard.lead


def _guarded(order: Order) -> Guarded:
    spec = order.route.spec
    return guarded(order.lead, kinds_kept_from(spec), chosen(spec.language, order.lead.dealer.locale))


def _sheet(order: Order, guard: Guarded, letterhead: Letterhead) -> _Sheet:
    lead, spec = guard.lead, order.route.spec
    to = order.recipient or first(spec)
    sender = spec.from_address or letterhead.from_address
    provider = provider_of(lead, spec.provider_name, spec.lead_types)
    line = subject.fill(spec.subject, subject.values(lead, provider))
    letter = Letter(
        from_address=sender,
        from_display=spec.from_display or provider.name,
        to_address=to.address,
        subject=subject.marked(line) if lead.test else line,
        date=order.date,
        message_id=message_id(order.key, sender, order.repeat),
        lead_id=lead.lead_id,
        revision=lead.revision,
        test=lead.test,
        references=order.references,
        reply_to=None if spec.reply_to == "none" else reply_address(lead, spec.reply_to),
        copy=to.role == "copy",
        language=chosen(spec.language, lead.dealer.locale),
    )
    form = None if to.role == "notice" else _form(lead, spec, order.status, to, letterhead)
    return _Sheet(order, guard, to, provider, letter, form)


def _finished(sheet: _Sheet, drawn: _Drawn, letterhead: Letterhead) -> Written:
    letter, guard, status = sheet.letter, sheet.guard, sheet.order.status
    warnings = [*drawn.warnings, *(RenderWarning("sensitive_masked", where) for where in sorted(guard.found))]
    if letter.reply_to is None and sheet.order.route.spec.reply_to != "none":
        warnings.append(RenderWarning("reply_to_missing", "Reply-To"))
    mail = _signed(drawn.mail, letterhead, letter.date)
    sender = _envelope_sender(mail, letter.from_address, letterhead)
    return Written(mail, sender, sheet.to.address, status, tuple(warnings), sheet.to.role, guard.kinds)


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


def _for_people(sheet: _Sheet) -> _Drawn:
    words = notice.render(
        sheet.lead,
        sheet.order.status,
        provider=sheet.provider.name,
        time_zone=sheet.order.route.spec.time_zone,
        language=sheet.letter.language,
    )
    return _Drawn(_readable(words, sheet.letter))


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


def _for_crm(sheet: _Sheet, form: Form, document: Document) -> _Drawn:
    """The document's mail; the document smaller and smaller until the mail is small enough."""
    letter, at_most_bytes = sheet.letter, sheet.order.at_most_bytes
    mail = compose(letter, document.content, encoded=document.long_lines, shape=form.shape)
    for _ in range(_MOST_TRIES):
        if at_most_bytes is None or len(mail.raw) <= at_most_bytes:
            break
        smaller = document.wire_bytes * at_most_bytes // len(mail.raw) - _HEADER_BYTES
        if smaller <= 0 or "limit_exceeded" in {warning.code for warning in document.warnings}:
            break
        form = replace(form, document_bytes=smaller)
        document = render(sheet.lead, form)
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
