"""Lead and route → the mail, whole: the one door from planning and repeating into rendering."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from leadbus.contracts import Lead

from adf_mailer.domain import subject
from adf_mailer.domain.document import Form, Status, render
from adf_mailer.domain.element import RenderWarning
from adf_mailer.domain.form import shape_of
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.mail import Letter, Mail, compose, message_id
from adf_mailer.domain.provider import provider_of
from adf_mailer.domain.reply_to import reply_address
from adf_mailer.domain.route import Route


@dataclass(frozen=True, slots=True)
class Written:
    """The mail, who it is from and for, and what was odd about it."""

    mail: Mail
    sender: str
    recipient: str
    status: Status
    warnings: tuple[RenderWarning, ...]


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
) -> Written:
    """The mail about `lead` on `route`. The same arguments give the same bytes."""
    spec = route.spec
    sender = spec.from_address or letterhead.from_address
    provider = provider_of(lead, spec.provider_name, spec.lead_types)
    shape = shape_of(spec.form, spec.crm)
    form = Form(
        spec.address,
        status,
        spec.provider_name,
        spec.time_zone,
        spec.missing_name,
        lead_types=spec.lead_types,
        shape=shape,
    )
    document = render(lead, form)
    warnings = document.warnings
    reply_to = None if spec.reply_to == "none" else reply_address(lead, spec.reply_to)
    if reply_to is None and spec.reply_to != "none":
        warnings = (*warnings, RenderWarning("reply_to_missing", "Reply-To"))
    line = subject.fill(spec.subject, subject.values(lead, provider))
    letter = Letter(
        from_address=sender,
        from_display=spec.from_display or provider.name,
        to_address=spec.address,
        subject=subject.marked(line) if lead.test else line,
        date=date,
        message_id=message_id(key, sender, repeat),
        lead_id=lead.lead_id,
        revision=lead.revision,
        test=lead.test,
        references=references,
        reply_to=reply_to,
    )
    mail = compose(letter, document.content, encoded=document.long_lines, shape=shape)
    return Written(mail, sender, spec.address, status, warnings)
