"""Reports for machines: what became of a mail (RFC 3464), and what its reader thinks of it (RFC 5965)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from adf_mailer.domain.bounces.message import Incoming
from adf_mailer.domain.bounces.report import Action, Kind, Report, Reported, name, words
from adf_mailer.domain.bounces.status import says_nothing

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_FEEDBACK_TYPE = "message/feedback-report"
_STATUS = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_FEEDBACK = frozenset({"abuse", "fraud", "virus", "not-spam", "auth-failure", "opt-out"})
_MOST_RECIPIENTS = 50


def delivery_status(mail: Incoming) -> Report | None:
    """A report about deliveries; None where the mail has none that names a recipient."""
    blocks = next((mail.blocks[kind] for kind in _STATUS_TYPES if mail.blocks.get(kind)), ())
    about = [block for block in blocks if "final-recipient" in block or "original-recipient" in block]
    told = next((part.text for part in mail.parts if part.kind == "text/plain"), "")
    read = (_recipient(block, told) for block in about[:_MOST_RECIPIENTS])
    recipients = [one for one in read if one is not None]
    if not recipients:
        return None
    whole: Mapping[str, str] = {}
    for block in reversed(blocks):
        whole = {**whole, **block}
    returned = mail.returned.headers if mail.returned else {}
    return Report(
        kind=Kind.DELIVERY_STATUS,
        recipients=tuple(recipients),
        envelope_id=whole.get("original-envelope-id"),
        message_id=returned.get("message-id"),
        returned_to=returned.get("to"),
        reporting_mta=name(whole.get("reporting-mta")),
    )


def feedback(mail: Incoming) -> Report | None:
    """A complaint; None where the mail is none."""
    blocks = mail.blocks.get(_FEEDBACK_TYPE, ())
    if not blocks:
        return None
    told = blocks[0]
    returned = mail.returned.headers if mail.returned else {}
    kind = told.get("feedback-type", "").strip().lower()
    return Report(
        kind=Kind.COMPLAINT,
        envelope_id=told.get("original-envelope-id"),
        message_id=returned.get("message-id"),
        returned_to=told.get("original-rcpt-to") or returned.get("to"),
        reporting_mta=name(told.get("reporting-mta")),
        feedback=kind if kind in _FEEDBACK else "other",
    )


def _recipient(block: Mapping[str, str], told: str) -> Reported | None:
    """`told` are the words for people, for where those for machines say nothing."""
    written = block.get("action", "").split(";")[0].split("(")[0].strip().lower()
    status = _STATUS.match(block.get("status", ""))
    try:
        action = Action(written)
    except ValueError:
        # Without an action the status alone tells; success is not assumed.
        if status is None or status[1].startswith("2"):
            return None
        action = Action.FAILED if status[1].startswith("5") else Action.DELAYED
    code = status[1] if status else None
    diagnostic = block.get("diagnostic-code", "") or (told if says_nothing(code) else "")
    named = (block.get("original-recipient"), block.get("final-recipient"))
    return Reported(
        action=action,
        status=code,
        diagnostic=words(diagnostic),
        addresses=tuple(one.partition(";")[2].strip() or one.strip() for one in named if one),
    )
