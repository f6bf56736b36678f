"""Text that survives ADF by mail: legal in XML 1.0, and short enough for a line of SMTP.

Lengths are counted as the document will carry them at most: ASCII bytes, with `&amp;`, `&lt;`, `&gt;`,
`&quot;` and numeric references for everything else, so one Japanese character counts eight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

SHORTENED = "..."
LINK_SHORTENED = "... [link shortened]"

_QUOTE = {'"': "&quot;"}
LONGEST_REFERENCE_BYTES = len("&#1114111;")

# XML 1.0 production Char, less the C1 controls, which are legal and show up only as damage.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_END = re.compile("\r\n?|[\u000b\u000c\u0085\u2028\u2029]")
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]{0,20}://|www\.)[!-~]+")


def block(value: str) -> str:
    """Free text: illegal characters gone, line ends LF, no blank edges."""
    if value.isascii() and value.replace("\n", "").isprintable():
        # As nearly always.
        return value.strip()
    return _ILLEGAL.sub("", _LINE_END.sub("\n", value)).replace("\t", " ").strip()


def line(value: str) -> str:
    """One line: as `block`, and every run of white space is one space."""
    if not value:
        return ""
    if value.isascii() and value.isprintable():
        # As nearly always; its only white space is blanks.
        return " ".join(value.split()) if "  " in value else value.strip()
    return " ".join(block(value).split())


def encoded_bytes(text: str) -> int:
    """How many bytes `text` takes in the document."""
    if text.isascii():
        # As nearly always; counting is a fifth of the work of writing it out.
        angles = text.count("<") + text.count(">")
        return len(text) + 4 * text.count("&") + 3 * angles + 5 * text.count('"')
    return len(escape(text, _QUOTE).encode("ascii", "xmlcharrefreplace"))


def fits(text: str, max_bytes: int) -> bool:
    """Whether `text` takes at most `max_bytes` in the document."""
    return len(text) * LONGEST_REFERENCE_BYTES <= max_bytes or encoded_bytes(text) <= max_bytes


def shorten(text: str, max_bytes: int, mark: str = SHORTENED) -> str:
    """`text`, or its longest beginning that leaves room for `mark` in `max_bytes`."""
    if fits(text, max_bytes):
        return text
    room = max_bytes - encoded_bytes(mark)
    return next(_runs(text, room)) + mark


@dataclass(frozen=True, slots=True)
class Wrapped:
    """Free text whose lines fit, and how many links had to be shortened for it."""

    text: str
    shortened_links: int


def wrap(
    text: str, max_bytes: int, *, keep: frozenset[str] = frozenset(), link_mark: str = LINK_SHORTENED
) -> Wrapped:
    """Break lines longer than `max_bytes` at spaces, and runs without spaces between characters.

    A link is never broken: one that cannot fit is shortened with `link_mark`, or left whole on a line of
    its own when it is in `keep` (the caller then has to choose a form without a line limit).
    """
    lines = text.split("\n")
    if all(fits(one, max_bytes) for one in lines):
        return Wrapped(text, 0)
    wrapper = _Wrapper(max_bytes, keep, link_mark)
    wrapped = [part for one in lines for part in wrapper.lines(one)]
    return Wrapped("\n".join(wrapped), wrapper.shortened_links)


def _runs(text: str, max_bytes: int) -> Iterator[str]:
    """Cut between characters into pieces of at most `max_bytes` encoded bytes."""
    start = used = 0
    for index, character in enumerate(text):
        size = encoded_bytes(character)
        if used + size > max_bytes and index > start:
            yield text[start:index]
            start, used = index, 0
        used += size
    yield text[start:]


class _Wrapper:
    def __init__(self, max_bytes: int, keep: frozenset[str], link_mark: str) -> None:
        self._max_bytes = max_bytes
        self._keep = keep
        self._link_mark = link_mark
        self.shortened_links = 0

    def lines(self, one: str) -> list[str]:
        if fits(one, self._max_bytes):
            return [one]
        done: list[str] = []
        current, used = "", 0
        for word in one.split(" "):
            for atom, glue in self._atoms(word):
                size = encoded_bytes(atom)
                if current and used + len(glue) + size > self._max_bytes:
                    done.append(current)
                    current, used = atom, size
                else:
                    glue = glue if current else ""
                    current, used = current + glue + atom, used + len(glue) + size
        return [*done, current]

    def _atoms(self, word: str) -> Iterator[tuple[str, str]]:
        """The unbreakable pieces of one word, each with what joins it to the piece before."""
        if fits(word, self._max_bytes):
            yield word, " "
            return
        glue, at = " ", 0
        for link in _URL.finditer(word):
            for run in _runs(word[at : link.start()], self._max_bytes) if link.start() > at else ():
                yield run, glue
                glue = ""
            yield self._link(link.group()), glue
            glue, at = "", link.end()
        for run in _runs(word[at:], self._max_bytes) if at < len(word) else ():
            yield run, glue
            glue = ""

    def _link(self, link: str) -> str:
        if link in self._keep or fits(link, self._max_bytes):
            return link
        self.shortened_links += 1
        return shorten(link, self._max_bytes, self._link_mark)
