"""HTML as the plain text that its reader would see. Cases H1.. in its test.

Lines and columns as browsers give a page's `innerText`; beside that lists keep their marks, links their
addresses, and pictures their alternative texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from leadbus.contracts.web_link import is_web_link
from lxml import etree

from normalizer.domain.text import clean, clean_line

_DROPPED = frozenset({"script", "style", "head", "title", "template", "iframe", "noembed", "noframes"})
_PARAGRAPHS = frozenset(
    "p blockquote pre h1 h2 h3 h4 h5 h6 ul ol dl table hr fieldset figure".split()  # noqa: SIM905
)
_LINES = frozenset(
    "div li tr dt dd section article header footer main nav aside center figcaption caption legend "  # noqa: SIM905
    "address form option details summary menu dir body html".split()
)
_AS_WRITTEN = frozenset({"pre", "textarea", "xmp", "listing", "plaintext"})
_LISTS = frozenset({"ul", "ol", "menu", "dir"})

_UNSEEN = re.compile("[\u00ad\u034f\u200b\u2060\ufeff]")
_SPACES = re.compile(r"\s+")
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_MARKUP = re.compile(
    r"<!doctype\s+html|<html[\s>]|<br\s*/?>|<(?:p|div)(?:\s[^<>]*)?>"
    r"|</(?:p|div|span|a|b|i|u|em|strong|font|ul|ol|li|h[1-6]|table|tr|td|th|blockquote|pre|body|html)\s*>",
    re.IGNORECASE,
)
_LINE_ENDS = re.compile(r"[\t\r\n]")
_SCHEME = re.compile(r"^(?:https?://|mailto:|tel:)", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[\s().-]+")
_DEEPEST_INDENT = 8
_MOST_BREAKS = 2
_WIDEST_GAP = 200


def is_html(text: str) -> bool:
    """Whether `text` holds markup that nobody types: a line break, a paragraph, the end of an element."""
    return _MARKUP.search(text) is not None


def html_to_text(html: str) -> str:
    """`html` as text that may be stored: lines end in LF, at most one empty line in a row, trimmed.

    Never fails, takes time in proportion to the input, and fetches nothing. What is no markup passes as it
    is, but for runs of white space. Scripts, styles, comments and what is hidden are left out.
    """
    text = clean(html)
    if not text:
        return ""
    # Events and no tree: a tree ends at a depth, and loses what stands after `</html>`.
    target = _Writer()
    parser = etree.HTMLParser(
        target=target,  # type: ignore[arg-type] # the stubs know targets of bytes only
        encoding="utf-8",
        huge_tree=True,
        no_network=True,
    )
    return clean(str(etree.fromstring(text.encode(), parser)))


class _Writer:
    """Target of the parser: writes text as it comes, white space only once something follows it."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._between = ""
        self._breaks = 0
        self._mark = ""
        self._lists: list[int | None] = []
        self._unseen_depth = 0
        self._as_written_depth = 0
        self._link: tuple[str, int] | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._unseen_depth or tag in _DROPPED or _is_hidden(attributes):
            self._unseen_depth += 1
            return
        self._begin_block(tag)
        if tag in _AS_WRITTEN:
            self._as_written_depth += 1
        elif tag in _LISTS:
            self._lists.append(_first_number(attributes) if tag == "ol" else None)
        elif tag == "li":
            self._begin_item()
        elif tag == "br":
            self._end_line()
        elif tag in ("td", "th"):
            self._between = "\t"
        elif tag == "img":
            self.data(attributes.get("alt", ""))
        elif tag == "a":
            self._end_link()
            self._link = (attributes.get("href", ""), len(self._written))

    def end(self, tag: str) -> None:
        if self._unseen_depth:
            self._unseen_depth -= 1
            return
        if tag == "a":
            self._end_link()
        elif tag == "li":
            self._mark = ""
        elif tag in _AS_WRITTEN:
            self._as_written_depth -= 1
        self._begin_block(tag)
        if tag in _LISTS and self._lists:
            self._lists.pop()

    def data(self, data: str) -> None:
        if self._unseen_depth:
            return
        seen = _UNSEEN.sub("", data)
        if self._as_written_depth:
            self._write_lines(seen)
        else:
            self._write_flowing(seen)

    def close(self) -> str:
        return "".join(self._written)

    def _begin_block(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self._break(1 if self._lists else 2)
        elif tag in _LINES:
            self._break(1)

    def _break(self, lines: int) -> None:
        # Between the mark of an item and its first word no line ends.
        if not self._mark:
            self._breaks = max(self._breaks, lines)

    def _end_line(self) -> None:
        if not self._mark:
            self._breaks = min(self._breaks + 1, _MOST_BREAKS)

    def _begin_item(self) -> None:
        depth = min(max(len(self._lists) - 1, 0), _DEEPEST_INDENT)
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self._mark = "  " * depth + ("- " if number is None else f"{number}. ")

    def _write_flowing(self, text: str) -> None:
        words = _SPACES.sub(" ", text)
        if words[:1] == " ":
            self._between = self._between or " "
        if core := words.strip(" "):
            self._write(core)
            self._between = " " if words[-1] == " " else ""

    def _write_lines(self, text: str) -> None:
        for index, line in enumerate(text.split("\n")):
            if index:
                self._end_line()
                self._between = ""
            if line.strip():
                self._write(line.rstrip())
                self._between = line[len(line.rstrip()) :]
            elif len(self._between) < _WIDEST_GAP:
                self._between += line

    def _write(self, text: str) -> None:
        if self._written:
            self._written.append("\n" * self._breaks or self._between)
        self._written.append(self._mark + text)
        self._breaks, self._between, self._mark = 0, "", ""

    def _end_link(self) -> None:
        if self._link is None:
            return
        (address, start), self._link = self._link, None
        shown = "".join(self._written[start:]).strip()
        if shown and (target := _shown_address(address)) and _bare(target) != _bare(shown):
            self._written.append(f" ({target})")


def _is_hidden(attributes: Mapping[str, str]) -> bool:
    return "hidden" in attributes or _HIDING.search(attributes.get("style", "")) is not None


def _first_number(attributes: Mapping[str, str]) -> int:
    start = attributes.get("start", "")
    return int(start) if re.fullmatch("[0-9]{1,6}", start) else 1


def _shown_address(address: str) -> str:
    """What of a link serves a reader of plain text: a web address, a mail address, a number; else nothing."""
    # As a browser reads it: https://url.spec.whatwg.org/#concept-basic-url-parser, steps 1 to 3.
    written = clean_line(_LINE_ENDS.sub("", address))
    if is_web_link(written):
        return written
    scheme, _, rest = written.partition(":")
    return rest.partition("?")[0] if scheme.lower() in ("mailto", "tel") else ""


def _bare(address: str) -> str:
    """For comparing: without scheme, closing slash, and the marks between a number's digits."""
    return _PUNCTUATION.sub("", _SCHEME.sub("", address.casefold()).rstrip("/"))
