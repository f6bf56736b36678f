"""Free texts as CDATA, for receivers that do not resolve entities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from xml.sax.saxutils import unescape

from adf_mailer.domain.element import FREE_TEXT_LINE_BYTES

_FREE_TEXTS = re.compile(rb"<(comments|pricecomments)>([^<]+)</\1>")


def with_cdata(document: bytes) -> bytes:
    """`document`, as lxml writes ASCII without CDATA, with its free texts in CDATA sections.

    A reference would stand for itself in there, so lines that have one stay as they are, between sections;
    so do lines that would grow too long by splitting `]]>`.
    """
    return _FREE_TEXTS.sub(lambda found: b"<%b>%b</%b>" % (found[1], _sections(found[2]), found[1]), document)


def _sections(written: bytes) -> bytes:
    lines = [(line, _within(line)) for line in written.decode("ascii").split("\n")]
    return "\n".join(_written(lines)).encode("ascii")


def _within(line: str) -> str | None:
    """What stands for `line` in a section; None where nothing can."""
    if "&#" in line:
        return None
    split = unescape(line).replace("]]>", "]]]]><![CDATA[>")
    return split if len(split) <= FREE_TEXT_LINE_BYTES else None


def _written(lines: list[tuple[str, str | None]]) -> Iterator[str]:
    """Neighbouring lines share a section."""
    for outside, group in groupby(lines, key=lambda line: line[1] is None):
        if outside:
            yield from (escaped for escaped, _ in group)
        else:
            yield "<![CDATA[" + "\n".join(within or "" for _, within in group) + "]]>"
