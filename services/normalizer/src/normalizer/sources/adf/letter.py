"""A mail that is no ADF as a lead: only for recipients whose setting says so."""

from __future__ import annotations

import re
from email.utils import parseaddr

from leadbus.contracts.lead import Consent, Email, Name

from normalizer.domain.draft import Draft
from normalizer.domain.emails import read_email
from normalizer.domain.names import split_name
from normalizer.domain.rejection import Rejection
from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.mail import Mail

SOURCE_TYPE = "mail"
_ANGLES = re.compile(r"^[<\s]+|[>\s]+$")


def read_letter(mail: Mail, location: str, location_field: str) -> Draft:
    """The lead that a person's own mail tells; `location` is the dealer reference of where it went.

    The lead has no id but the mail's Message-ID. Raises Rejection `not_a_lead` for an answer of a
    machine (it would make leads of bounces), a mail that holds ADF, or one without any text and subject.
    """
    if mail.automatic:
        raise Rejection("not_a_lead", "a machine's answer to a mail", kind="mail")
    if mail.is_adf or not (mail.text or mail.subject):
        raise Rejection("not_a_lead", "no letter", kind="mail")
    findings = Findings()
    shown, address = _writer(mail, findings)
    message_id = _ANGLES.sub("", mail.message_id or "")
    return Draft(
        location=location,
        location_field=location_field,
        source_type=SOURCE_TYPE,
        channel="email",
        issuer="Message-ID" if message_id else None,
        external_id=message_id or None,
        intents=("inquiry",),
        occurred_at=mail.sent_at,
        name=_name(shown, findings),
        emails=_emails(address, findings),
        subject=mail.subject,
        message=mail.text or None,
        extras=findings.extras,
        consent=Consent(basis="request", purposes=("reply", "sales"), at=mail.sent_at),
        warnings=tuple(findings.warnings),
    )


def _writer(mail: Mail, findings: Findings) -> tuple[str, str]:
    """Name and address of whom an answer goes to: a website sends what its visitors wrote from its own."""
    sender, answered = parseaddr(mail.sender or ""), parseaddr(mail.reply_to or "")
    if "@" not in answered[1] or answered[1].lower() == sender[1].lower():
        return sender
    findings.keep("mail.from", mail.sender)
    return answered


def _name(shown: str, findings: Findings) -> Name:
    if not shown or "@" in shown:
        return Name()
    name = split_name(shown)
    findings.warn(name.warning, "customer.name")
    return Name(full=name.full, first=name.first, middle=name.middle, last=name.last, suffix=name.suffix)


def _emails(address: str, findings: Findings) -> tuple[Email, ...]:
    if not address:
        findings.warn("contact_missing", "customer")
        return ()
    reading = read_email(address)
    findings.warn(reading.warning, "customer.emails.0")
    return (Email(address=reading.address, raw=reading.raw, primary=True),)
