"""Addresses that may be shown as links."""

from __future__ import annotations

import re

# Beside control characters those that make an address look like another one: bidirectional marks, line ends.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
_WEB = re.compile(rf"https?://[^\s/?#\\{_UNSEEN}][^{_UNSEEN}]*", re.IGNORECASE)


def is_web_link(text: str) -> bool:
    """Whether ``text`` is an http or https address without control characters; blanks may surround it.

    Everything else, ``javascript:`` and ``file:`` among it, is text for people and never a link.
    """
    return _WEB.fullmatch(text.strip(" \t\r\n")) is not None
