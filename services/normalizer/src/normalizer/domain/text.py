"""Text as it may be stored: no control characters, no lone surrogates, no ragged edges."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_BREAK = re.compile(r"\r\n?")
_SPACE = re.compile(r"\s+")


def clean(value: str) -> str:
    """What XML 1.0, UTF-8 and Postgres can all hold of `value`, line ends as LF, trimmed.

    Only characters that no reader could see are dropped; the raw bytes keep them.
    """
    if value.isprintable():
        # Nearly every text: one look at it instead of two searches.
        return value.strip(" ")
    return _BREAK.sub("\n", _UNSTORABLE.sub("", value)).strip()


def clean_line(value: str) -> str:
    """`clean`, and on one line: every run of white space becomes one space."""
    cleaned = clean(value)
    # Of what is printable, only the space is white space.
    if cleaned.isprintable() and "  " not in cleaned:
        return cleaned
    return _SPACE.sub(" ", cleaned)


def told_text(value: str | None) -> str | None:
    """`clean`; None where nothing is written."""
    return clean(value) or None if value is not None else None


def told_line(value: str | None) -> str | None:
    """`clean_line`; None where nothing is written."""
    return clean_line(value) or None if value is not None else None
