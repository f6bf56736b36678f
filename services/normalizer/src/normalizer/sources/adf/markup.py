"""Markup told from text without asking that it be well-formed. Linear in the length, whatever comes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "tag", "cdata", "comment", "instruction", "stray"]

_NAME = r"[^\W\d][\w.:-]*+"
_TAG = re.compile(
    rf"""<(?P<slash>/?)(?P<name>{_NAME})(?P<rest>(?:[\s/](?:"[^"<]*+"|'[^'<]*+'|[^<>"'])*+)?)>"""
)
_LOOSE_TAG = re.compile(rf"<(?P<slash>/?)(?P<name>{_NAME})(?P<rest>(?:[\s/][^<>]*+)?)>")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a document as it stands there.

    A `tag` has its `name` and all between name and `>` in `rest`; `stray` is a `<` that opens nothing, or the
    mark of a comment or CDATA section that never ends.
    """

    kind: Kind
    raw: str
    name: str = ""
    rest: str = ""
    closing: bool = False

    @property
    def empty(self) -> bool:
        """Whether it closes itself."""
        return self.rest.rstrip().endswith("/")


class _Ahead:
    """Where something stands next; each place of the text is searched once."""

    def __init__(self, text: str, needle: str) -> None:
        self._text, self._needle, self._found = text, needle, -2

    def from_(self, place: int) -> int:
        """-1 when it stands nowhere from `place` on."""
        if self._found != -1 and self._found < place:
            self._found = self._text.find(self._needle, place)
        return self._found


def tokens(text: str) -> Iterator[Token]:
    """All of `text`, in order: joined, the raw pieces are it again."""
    reader = _Reader(text)
    place = 0
    while (start := text.find("<", place)) >= 0:
        if start > place:
            yield Token("text", text[place:start])
        token = reader.at(start)
        yield token
        place = start + len(token.raw)
    if place < len(text):
        yield Token("text", text[place:])


def rewritten(text: str, tag: Callable[[Token], str], other: Callable[[Token], str] | None = None) -> str:
    """`text` with its tags, and by `other` what else there is, written anew."""
    return "".join(
        tag(token) if token.kind == "tag" else other(token) if other else token.raw for token in tokens(text)
    )


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = {end: _Ahead(text, end) for end in ("-->", "]]>", "?>", ">")}

    def at(self, start: int) -> Token:
        """The token that begins with the `<` at `start`."""
        text = self._text
        for kind, opening, end in _ENCLOSED:
            if text.startswith(opening, start):
                stop = self._ends[end].from_(start + len(opening))
                return Token(kind, text[start : stop + len(end)]) if stop >= 0 else Token("stray", opening)
        if text.startswith("<?", start):
            return self._instruction(start)
        found = _TAG.match(text, start) or _LOOSE_TAG.match(text, start)
        if found is None:
            return Token("stray", "<")
        return Token("tag", found[0], found["name"], found["rest"], closing=bool(found["slash"]))

    def _instruction(self, start: int) -> Token:
        """Up to `?>`; up to `>` where somebody forgot the question mark and went on with an element."""
        stop = self._ends["?>"].from_(start + 2)
        if stop >= 0 and self._text.find("<", start + 2, stop) < 0:
            return Token("instruction", self._text[start : stop + 2])
        stop = self._ends[">"].from_(start + 2)
        if stop >= 0:
            return Token("instruction", self._text[start : stop + 1])
        return Token("stray", "<")


_ENCLOSED: tuple[tuple[Kind, str, str], ...] = (
    ("comment", "<!--", "-->"),
    ("cdata", "<![CDATA[", "]]>"),
)
