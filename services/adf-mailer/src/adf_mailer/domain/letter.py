"""Lead and route → the mail, whole: the one door from planning and repeating into rendering."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from leadbus.contracts import Lead

from adf_mailer.domain import notice, subject
from adf_mailer.domain.document import Form, Status, provider_name, render
from adf_mailer.domain.element import RenderWarning
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.mail import Letter, Mail, compose, message_id
from adf_mailer.domain.recipients import Recipient, Role, first
from adf_mailer.domain.route import AdfRoute, Route


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
    provider = provider_name(lead, spec.provider_name)
    body = _body(lead, spec, status, to, provider)
    line = subject.fill(spec.subject, subject.values(lead, provider))
    letter = Letter(
        from_address=sender,
        from_display=spec.from_display or provider,
        to_address=to.address,
        subject=subject.marked(line) if lead.test else line,
        date=date,
        message_id=message_id(key, sender, repeat),
        lead_id=lead.lead_id,
        revision=lead.revision,
        test=lead.test,
        references=references,
        copy=to.role == "copy",
        charset=body.charset,
    )
    mail = compose(letter, body.content, encoded=body.encoded)
    return Written(mail, sender, to.address, status, body.warnings, to.role)


@dataclass(frozen=True, slots=True)
class _Body:
    content: bytes
    encoded: bool
    charset: str = "us-ascii"
    warnings: tuple[RenderWarning, ...] = ()


def _body(lead: Lead, spec: AdfRoute, status: Status, to: Recipient, provider: str) -> _Body:
    if to.role == "notice":
        words = notice.render(lead, status, provider=provider, time_zone=spec.time_zone)
        return _Body(words.content, words.encoded, words.charset)
    # A copy is the same document, byte for byte.
    lead_address = to.address if to.role == "lead" else spec.address
    form = Form(lead_address, status, spec.provider_name, spec.time_zone, spec.missing_name)
    document = render(lead, form)
    return _Body(document.content, document.long_lines, warnings=document.warnings)
