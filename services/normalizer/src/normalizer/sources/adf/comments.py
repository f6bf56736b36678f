"""Comments as plain text, and what a tracked call is told by in them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from leadbus.contracts.lead import Call
from leadbus.contracts.web_link import is_web_link

from normalizer.domain.text import clean
from normalizer.sources.adf.findings import Findings
from normalizer.sources.adf.node import Node

_BREAK = re.compile(r"<\s*(?:br|/p|/div|/li|/tr|hr)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|b|i|u|p|em|strong|span|div|font|ul|ol|li|table|tbody|tr|td|th|html|body|head|h[1-6]|br|pre|small)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});")
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_RECORDING = re.compile(
    r"^[ \t]*(?:call[ -]?)?recording(?:[ -]?(?:url|link))?[ \t]*[:=][ \t]*(\S+)[ \t]*$|"
    r"^[ \t]*(?:call[ -]?)?audio(?:[ -]?(?:url|link))?[ \t]*[:=][ \t]*(\S+)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_DURATION = re.compile(
    r"^[ \t]*(?:call[ -]?)?duration[ \t]*[:=][ \t]*(.{1,40})$", re.IGNORECASE | re.MULTILINE
)
_ANSWERED = re.compile(
    r"^[ \t]*(?:call[ -]?)?answered[ \t]*[:=][ \t]*(yes|no|true|false)\b", re.IGNORECASE | re.MULTILINE
)
_TRACKING = re.compile(
    r"^[ \t]*(?:tracking (?:phone )?number|number called|dialed number)[ \t]*[:=][ \t]*"
    r"(\+?[0-9][0-9 ().-]{4,24})$",
    re.IGNORECASE | re.MULTILINE,
)
_PAGE = re.compile(
    r"^[ \t]*(?:vehicle (?:page|url|link)|vdp(?: url)?)[ \t]*:[ \t]*(https?://\S+)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d\d)")
_SECONDS = re.compile(r"(\d{1,6})(?:\.\d+)?\s*(?:s|sec|secs|seconds)?\.?", re.IGNORECASE)
_MINUTES = re.compile(
    r"(\d{1,4})\s*(?:m|min|mins|minutes?)\.?(?:\s*(?:and\s*)?(\d{1,2})\s*(?:s|sec|secs|seconds?)\.?)?",
    re.IGNORECASE,
)
_RECORDING_ELEMENTS = ("recordingurl", "callrecordingurl", "recordinglink", "callrecording", "recording")
_DURATION_ELEMENTS = ("duration", "callduration", "durationseconds")
_TRACKING_ELEMENTS = ("trackingnumber", "trackingphonenumber", "trackingphone")


def plain_text(written: str) -> str:
    """`written` without the HTML that some senders put into a text; what looks like none stays."""
    text = written
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub("\n", text))
    if "&" in text:
        text = _REFERENCE.sub(lambda found: html.unescape(found[0]), text)
    lines = (line.strip(" \t\u00a0") for line in clean(text).split("\n"))
    return clean(_BLANK_LINES.sub("\n\n", "\n".join(lines)))


def read_message(nodes: Iterable[Node]) -> str | None:
    """The comments of `nodes` that are named so, each once, in document order."""
    told = (plain_text(one.take_all()) for node in nodes for one in node.each("comments", "comment", "notes"))
    return "\n\n".join(dict.fromkeys(text for text in told if text)) or None


def read_call(message: str | None, nodes: Iterable[Node], findings: Findings) -> Call | None:
    """A tracked call, by elements of its providers within `nodes` or by lines of the comments."""
    held = list(nodes)
    recording = _first(held, _RECORDING_ELEMENTS) or _found(_RECORDING, message)
    duration = _first(held, _DURATION_ELEMENTS) or _found(_DURATION, message)
    tracking = _first(held, _TRACKING_ELEMENTS) or _found(_TRACKING, message)
    answered = _found(_ANSWERED, message)
    if recording and not is_web_link(recording):
        findings.keep("call.recording_url", recording)
        findings.warn("link_unusable", "call.recording_url")
        recording = None
    if not (recording or tracking or answered or (duration and recording)):
        if duration:
            findings.keep("call.duration", duration)
        return None
    return Call(
        recording_url=recording,
        duration_seconds=_seconds(duration, findings),
        tracking_number=tracking,
        answered=None if answered is None else answered.lower() in ("yes", "true"),
    )


def _first(nodes: list[Node], keys: tuple[str, ...]) -> str | None:
    return next((value for node in nodes if (value := node.value(*keys)) is not None), None)


def _found(form: re.Pattern[str], message: str | None) -> str | None:
    found = form.search(message or "")
    return next((group.strip() for group in found.groups() if group), None) if found else None


def _seconds(written: str | None, findings: Findings) -> int | None:
    text = (written or "").strip()
    if clock := _CLOCK.fullmatch(text):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + int(clock[3])
    if seconds := _SECONDS.fullmatch(text):
        return int(seconds[1])
    if minutes := _MINUTES.fullmatch(text):
        return int(minutes[1]) * 60 + int(minutes[2] or 0)
    if text:
        findings.keep("call.duration", text)
    return None


def page_of(comments: str) -> str | None:
    """The advert's page that a line `Vehicle page: …` names."""
    return _found(_PAGE, comments)


def lead_source_of(message: str | None) -> str | None:
    """The site that a line `Lead source: …` names."""
    found = re.search(
        r"^[ \t]*lead source[ \t]*[:=][ \t]*(.{1,200})$", message or "", re.IGNORECASE | re.MULTILINE
    )
    return found[1].strip() or None if found else None
