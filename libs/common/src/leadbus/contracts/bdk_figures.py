"""Sums and counts as they are written in Germany."""

from __future__ import annotations

import re

_LONGEST_CHARS = 40
_BLANK = " \u00a0\u2009\u202f"
_AROUND = re.compile(
    rf"(?:(?:€|EUR)[{_BLANK}]*)?(?P<figure>[0-9](?:[0-9.,'{_BLANK}]*[0-9])?)(?:,-{{1,2}})?"
    rf"(?:[{_BLANK}]*(?:€|EUR|Euro|km|Monate?))?",
    re.IGNORECASE,
)
_FORMS = (
    re.compile(r"(?P<whole>[0-9]+)(?:[.,](?P<part>[0-9]{1,2}))?"),
    re.compile(rf"(?P<whole>[0-9]{{1,3}}(?:[.'{_BLANK}][0-9]{{3}})+)(?:,(?P<part>[0-9]{{1,2}}))?"),
    re.compile(r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+)\.(?P<part>[0-9]{1,2})"),
)
_NO_DIGIT = re.compile("[^0-9]")


def plain_figure(written: str) -> str | None:
    """``written`` as a plain decimal such as ``24990.5``; None where it cannot be told.

    A point before three digits groups them, as in ``24.990``: a sum has no third decimal. A comma before
    three could be either and is not read, unless decimals follow (``24,990.00``). Euro, km and months may
    stand beside the figure.
    """
    around = _AROUND.fullmatch(written.strip()) if len(written) <= _LONGEST_CHARS else None
    if around is None:
        return None
    for form in _FORMS:
        if found := form.fullmatch(around["figure"]):
            whole = _NO_DIGIT.sub("", found["whole"])
            return f"{whole}.{found['part']}" if found["part"] else whole
    return None


def plain_count(written: str) -> str | None:
    """As ``plain_figure``, for what is counted: None too where a fraction is told."""
    whole, _, part = (plain_figure(written) or "").partition(".")
    return whole or None if not part.strip("0") else None
