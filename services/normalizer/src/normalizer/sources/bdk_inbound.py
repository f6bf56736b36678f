"""BDK leads by either way: as the API tells them, or as the mails that it replaces."""

from __future__ import annotations

from normalizer.domain.draft import Draft
from normalizer.domain.rejection import Rejection
from normalizer.domain.way import Way
from normalizer.sources import bdk, bdk_mail_lead
from normalizer.sources.adf.inbound import located
from normalizer.sources.adf.letter import read_letter
from normalizer.sources.adf.mail import Mail, read_mail
from normalizer.sources.adf.parts import is_mail
from normalizer.sources.bdk_mail import read_mail as candidates_of
from normalizer.sources.bdk_mail_lead import LeadMail
from normalizer.sources.bdk_types import TYPES, LeadTypes


def read(body: bytes, content_type: str | None, way: Way, types: LeadTypes = TYPES) -> Draft:
    """The draft that one lead tells; a mail of nobody who sends leads is one where `way` lets letters be.

    Raises Rejection and nothing else.
    """
    if not is_mail(content_type):
        return bdk.read(body, content_type, types)
    mail = read_mail(body)
    if mail.automatic:
        raise Rejection("not_a_lead", "a machine's answer to a mail", kind="mail")
    told = _told(mail, way)
    if way.letters and candidates_of(told.sender, told.subject, told.text, types).evidence == "none":
        return read_letter(mail, *way.reference)
    return located(bdk_mail_lead.read(told, types), way)


def _told(mail: Mail, way: Way) -> LeadMail:
    location, field = way.reference
    return LeadMail(
        sender=mail.sender or "",
        location=location,
        location_field=field,
        subject=mail.subject or "",
        text=mail.text,
        message_id=mail.message_id,
        sent_at=mail.sent_at,
    )
