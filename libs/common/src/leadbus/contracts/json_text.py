"""JSON that a strict parser refuses although its grammar allows it."""

from __future__ import annotations

import re

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    rb"(?P<other>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?!u[dD][89a-fA-F]).)"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}",
    re.DOTALL,
)


def without_half_pairs(body: bytes) -> bytes:
    """``body`` with U+FFFD for every escape of half a surrogate pair; the same object when it has none.

    RFC 8259 section 8.2 leaves such escapes to the reader. They come from text that was cut by its length
    in UTF-16, in the middle of an emoji, and stand for no character that could be stored.
    """
    if not _HALF.search(body):
        return body
    mended = _ESCAPE.sub(lambda found: found["other"] or rb"\ufffd", body)
    return body if mended == body else mended
