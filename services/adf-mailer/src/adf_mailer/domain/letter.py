"""Lead and route → the mail, whole: the one door from planning and repeating into rendering."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from leadbus.contracts import Lead

from adf_mailer.domain import subject
from adf_mailer.domain.document import Form, Status, provider_name, render
from adf_mailer.domain.element import RenderWarning
from adf_mailer.domain.letterhead import Letterhead
from adf_mailer.domain.mail import Letter, Mail, compose, message_id
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
    provider = provider_name(lead, spec.provider_name)
    form = Form(spec.address, status, spec.provider_name, spec.time_zone, spec.missing_name)
    document = render(lead, form)
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
    mail = compose(letter, document.content, encoded=document.long_lines)
    if letterhead.signer is not None:
        mail = replace(mail, raw=letterhead.signer.sign(mail.raw, date=date))
    return Written(mail, sender, spec.address, status, document.warnings)
