"""Status codes (RFC 3463) and a server's words: what they say is wrong."""

from __future__ import annotations

import re

EXPIRED = "expired"
MAILBOX_FULL = "mailbox_full"
UNDELIVERABLE = "undeliverable"

# The code after a reply code, after `#`, or for itself; never part of an IP address or a version.
_ENHANCED = re.compile(r"(?<![\d.])([245]\.[0-7]\.\d{1,3})(?!\.?\d)")
_AFTER_REPLY = re.compile(r"\b[245]\d\d[ \-]+#?([245]\.[0-7]\.\d{1,3})(?!\.?\d)")
_REPLY = re.compile(r"(?:^|[:;>\]]\s|said:\s|\()#?([45]\d\d)[ \-](?!\d)")

REASONS: tuple[tuple[str, str], ...] = (
    (r"\d\.1\.[78]", "sender_refused"),
    (r"\d\.1\.\d+", "bad_address"),
    (r"4\.2\.1", "mailbox_busy"),
    (r"\d\.2\.1", "bad_address"),
    (r"\d\.2\.2", MAILBOX_FULL),
    (r"\d\.2\.3|\d\.3\.4", "too_large"),
    (r"\d\.4\.7|\d\.4\.300", EXPIRED),
    (r"\d\.4\.\d+", "unreachable"),
    (r"\d\.6\.\d+", "content_refused"),
    (r"\d\.7\.\d+", "policy"),
    (r"\d\.3\.\d+", "system"),
)
"""By status; the first that fits."""

WORDS: tuple[tuple[str, str], ...] = (
    (r"quota|mailbox (?:is )?full|mailfolder is full|insufficient (?:system )?storage", MAILBOX_FULL),
    (
        r"(?:user|recipient|mailbox|address(?:ee)?|account|alias)(?: \S+)? "
        r"(?:unknown|not found|unavailable|rejected|does(?:n't| not) exist|disabled)|recipnotfound|"
        r"unknown (?:user|recipient|address)|no such (?:user|person|recipient|mailbox|address)|"
        r"invalid (?:recipient|mailbox|address)|no mailbox here|unrouteable address",
        "bad_address",
    ),
    (
        r"too (?:large|big|long a message)|size limit|maximum (?:message )?size|exceeds .{0,20}size",
        "too_large",
    ),
    (
        r"retry time(?:out)? (?:not reached|exceeded)|timed? ?out|expired|too long on the queue|"
        r"been (?:in|on) the queue|giving up|has not been able|keeps failing",
        EXPIRED,
    ),
    (
        r"spam|block(?:ed|list)|blacklist|policy|reputation|dmarc|dkim|\bspf\b|prohibited|denied|"
        r"not authori[sz]ed",
        "policy",
    ),
    (
        r"host (?:or domain name )?(?:unknown|not found)|couldn't find any host|no route|"
        r"connection refused",
        "unreachable",
    ),
)
"""Where no code says it: by the server's words, the first that fit."""

_REASONS = tuple((re.compile(pattern), reason) for pattern, reason in REASONS)
_WORDS = tuple((re.compile(pattern, re.IGNORECASE), reason) for pattern, reason in WORDS)


def found_in(words: str) -> str | None:
    """The status that a server's words give, `5.1.1`; a bare reply code gives its class, `5.0.0`."""
    enhanced = _AFTER_REPLY.search(words) or _ENHANCED.search(words)
    if enhanced:
        return enhanced[1]
    reply = _REPLY.search(words)
    return f"{reply[1][0]}.0.0" if reply else None


def says_nothing(status: str | None) -> bool:
    """Whether it gives no more than the class: many servers write 5.0.0 and say the rest in words."""
    return status is None or status.split(".")[1] == "0"


def reason_of(status: str | None, words: str) -> str:
    """A code as of attempts: `bad_address`, `mailbox_full`, `mailbox_busy`, `too_large`, `policy`, …"""
    if not says_nothing(status):
        for pattern, reason in _REASONS:
            if pattern.fullmatch(str(status)):
                return reason
    for pattern, reason in _WORDS:
        if pattern.search(words):
            return reason
    return UNDELIVERABLE


REASON_CODES = frozenset({reason for _, reason in (*REASONS, *WORDS)} | {UNDELIVERABLE})
