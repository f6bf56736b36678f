"""Which mail of ours a report is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from adf_mailer.domain import xtext
from adf_mailer.domain.bounces.judging import names
from adf_mailer.domain.bounces.report import Report
from adf_mailer.domain.return_path import ReturnPath, message_uuid


class By(StrEnum):
    """What tells it, in the order in which it is believed."""

    ENVELOPE_ID = "envelope_id"
    RETURN_PATH = "return_path"
    MESSAGE_ID = "message_id"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mail by the UUID of its Message-ID."""

    message: UUID
    by: By


def candidates(report: Report, recipient: UUID, return_path: ReturnPath) -> Sequence[Candidate]:
    """Mails that it may be about, best first; `recipient` is the one whose return path it came to.

    Envelope id and return path carry a checksum of ours. A Message-ID alone is anybody's to write: it counts
    only for a mail to an address that the report names, which is for whoever has the mail to look at.
    """
    told = [
        (_envelope_id(report, return_path), By.ENVELOPE_ID),
        (recipient, By.RETURN_PATH),
        (message_uuid(report.message_id or ""), By.MESSAGE_ID),
    ]
    found: dict[UUID, Candidate] = {}
    for message, by in told:
        if message is not None:
            found.setdefault(message, Candidate(message, by))
    return list(found.values())


def fits(candidate: Candidate, report: Report, addressee: str) -> bool:
    """Whether it is the one, now that it is known whom that mail was sent to."""
    return candidate.by is not By.MESSAGE_ID or names(report.addresses, addressee)


def _envelope_id(report: Report, return_path: ReturnPath) -> UUID | None:
    if report.envelope_id is None:
        return None
    return return_path.proven(report.envelope_id) or return_path.proven(xtext.decoded(report.envelope_id))
