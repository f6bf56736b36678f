"""Any bytes that came to the return path → what they say."""

from __future__ import annotations

import re

from adf_mailer.domain.bounces.delivery_status import delivery_status, feedback
from adf_mailer.domain.bounces.free_text import free_text
from adf_mailer.domain.bounces.message import Incoming, take_apart
from adf_mailer.domain.bounces.report import Action, Kind, Report, Reported, words
from adf_mailer.domain.bounces.status import found_in

_ADF = re.compile(r"<\?adf|<adf[\s>]", re.IGNORECASE)
_OURS = "x-leadbus-lead"
_NOTES = "multipart/report"
_AUTOMATIC_PRECEDENCE = frozenset({"auto_reply", "auto-reply", "bulk", "junk", "list"})
_AUTOMATIC_HEADERS = ("x-autoreply", "x-autorespond", "x-auto-reply", "x-mail-autoreply")
_AUTOMATIC_SUBJECT = re.compile(
    r"\A\s*(?:re:\s*)?(?:auto(?:matic|mated)?[ -]?(?:reply|response|antwort)|out of (?:the )?office|"
    r"abwesenheit|automatische antwort|r[eé]ponse automatique|absence|vacation|i am away)",
    re.IGNORECASE,
)


def read(raw: bytes) -> Report:
    """What a mail to the return path is, by the rules of rules/bounces.md; never raises.

    Reports for machines first, whatever else they look like: their headers call them automatic answers, too.
    """
    mail = take_apart(raw)
    report = delivery_status(mail) or feedback(mail)
    if report is not None:
        return report
    if mail.kind == _NOTES and mail.report_type == "disposition-notification":
        return Report(Kind.AUTO_REPLY)
    if _is_our_own(mail):
        return Report(Kind.LOOP)
    report = free_text(mail) or _adf(mail)
    if report is not None:
        return report
    return Report(Kind.AUTO_REPLY if _is_automatic(mail) else Kind.UNKNOWN)


def _adf(mail: Incoming) -> Report | None:
    """Our mail in parts with another text: that text is what is wrong with it."""
    texts = [part for part in mail.parts if part.kind.startswith("text/") or part.kind.endswith("xml")]
    theirs = [part.text for part in texts if not _ADF.search(part.text) and part.text.strip()]
    ours = len(texts) > len([part for part in texts if not _ADF.search(part.text)])
    back = mail.returned is not None and _OURS in mail.returned.headers
    if not theirs or not (ours or back):
        return None
    said = words("\n".join(theirs))
    headers = mail.returned.headers if mail.returned else mail.headers
    # Who sends the mail back as it was, with a part more, leaves our own head on it.
    kept = back or _OURS in headers
    return Report(
        kind=Kind.ADF,
        recipients=(Reported(Action.FAILED, found_in(said), said),),
        message_id=headers.get("message-id") if kept else mail.headers.get("in-reply-to"),
        returned_to=headers.get("to") if kept else None,
    )


def _is_our_own(mail: Incoming) -> bool:
    """As we sent it, without another part that says something."""
    return _OURS in mail.headers and len(mail.parts) <= 1 and mail.returned is None


def _is_automatic(mail: Incoming) -> bool:
    headers = mail.headers
    submitted = headers.get("auto-submitted", "no").partition(";")[0].strip().lower()
    return (
        submitted != "no"
        or headers.get("precedence", "").strip().lower() in _AUTOMATIC_PRECEDENCE
        or any(name in headers for name in _AUTOMATIC_HEADERS)
        or bool(_AUTOMATIC_SUBJECT.search(headers.get("subject", "")))
    )
