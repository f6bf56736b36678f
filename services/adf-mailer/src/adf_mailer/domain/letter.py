"""Lead and route → the mail, whole: the one door from planning and repeating into rendering."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from leadbus.contracts import Lead

from adf_mailer.domain import notice, subject
from adf_mailer.domain.document import Form, Status, render
from adf_mailer.domain.element import RenderWarning
from adf_mailer.domain.form import shape_of
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.mail import Letter, Mail, compose, message_id
from adf_mailer.domain.provider import Provider, provider_of
from adf_mailer.domain.recipients import Recipient, Role, first
from adf_mailer.domain.reply_to import reply_address
from adf_mailer.domain.route import AdfRoute, Route
from adf_mailer.domain.shape import DEFAULT, Shape


@dataclass(frozen=True, slots=True)
class Written:
    """The mail, who it is from and for, and what was odd about it."""

    mail: Mail
    sender: str
    recipient: str
    status: Status
    warnings: tuple[RenderWarning, ...]
    role: Role = "lead"


def delivery_key(lead: Lead, route: Route, recipient: Recipient | None = None) -> str:
    """Lead, route, address and revision: the same four are the same delivery, told how often they may be.

    Without `recipient` the route's own address. A copy and a notice name their role with a `:`, which no
    address and no name of a route has.
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
) -> Written:
    """The mail about `lead` on `route`, to `recipient` or its own address, in the form of their role.

    The same arguments give the same bytes.
    """
    spec = route.spec
    to = recipient or first(spec)
    sender = spec.from_address or letterhead.from_address
    provider = provider_of(lead, spec.provider_name, spec.lead_types)
    body = _body(lead, spec, status, to, provider)
    warnings = body.warnings
    reply_to = None if spec.reply_to == "none" else reply_address(lead, spec.reply_to)
    if reply_to is None and spec.reply_to != "none":
        warnings = (*warnings, RenderWarning("reply_to_missing", "Reply-To"))
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
    )
    mail = compose(letter, body.content, encoded=body.encoded, shape=body.shape)
    return Written(mail, sender, to.address, status, warnings, to.role)


@dataclass(frozen=True, slots=True)
class _Body:
    content: bytes
    encoded: bool
    shape: Shape
    warnings: tuple[RenderWarning, ...] = ()


def _body(lead: Lead, spec: AdfRoute, status: Status, to: Recipient, provider: Provider) -> _Body:
    if to.role == "notice":
        words = notice.render(lead, status, provider=provider.name, time_zone=spec.time_zone)
        return _Body(words.content, words.encoded, replace(DEFAULT, charset=words.charset))
    shape = shape_of(spec.form, spec.crm)
    form = Form(
        # A copy is the same document, byte for byte.
        to.address if to.role == "lead" else spec.address,
        status,
        spec.provider_name,
        spec.time_zone,
        spec.missing_name,
        lead_types=spec.lead_types,
        shape=shape,
    )
    document = render(lead, form)
    return _Body(document.content, document.long_lines, shape, document.warnings)
