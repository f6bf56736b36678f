"""A document fetched from VirtualExpo, cut into its leads while it arrives.

Nothing of it is trusted: no DOCTYPE, no entity, bounded in bytes and depth, in whichever encoding. What is
wrong with the document is a fault, told without any of its values; a lead that is wrong costs no other one,
and those that were whole before a document broke off stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

from leadbus.contracts.virtualexpo import XML_NAMESPACE
from leadbus.contracts.virtualexpo_charset import TextDecoder, UndecodableText
from leadbus.contracts.virtualexpo_lead_document import LeadDocument, lead_document, oversized

FaultCode = Literal[
    "empty_body",
    "html_answer",
    "not_xml",
    "truncated",
    "wrong_encoding",
    "xml_forbidden",
    "too_large",
    "too_deep",
    "wrong_root",
    "unexpected_content",
    "count_mismatch",
]
_GOES_ON: frozenset[FaultCode] = frozenset({"unexpected_content", "count_mismatch"})
"""Beside these the document is read to its end; every other fault ends it."""

_ROOT = f"{XML_NAMESPACE} leads"
_LEAD = f"{XML_NAMESPACE} lead"
_TAG = re.compile(rb"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_TAG_NAME = re.compile(rb"<([^\s/>]+)")
_OLD_PAGE = re.compile(rb"\s*<!doctype\s+html", re.IGNORECASE)
_HTML = ("text/html", "application/xhtml+xml")
# Smaller pieces are put together: expat reads an unfinished token anew with every piece.
_PIECE_BYTES = 64 * 1024
_CODES = expat.errors.codes
_BROKEN_OFF = frozenset(
    _CODES[text]
    for text in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)
_UNDEFINED_ENTITY = _CODES[expat.errors.XML_ERROR_UNDEFINED_ENTITY]


@dataclass(frozen=True, slots=True)
class DocumentFault:
    """What is the matter with a document; ``line`` counts from 1, of the text that could be read."""

    code: FaultCode
    line: int | None = None

    @property
    def ends_it(self) -> bool:
        """Whether nothing after it was read."""
        return self.code not in _GOES_ON


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much. Bytes are counted as they came for the document, in UTF-8 for a lead."""

    document_bytes: int = 64 * 1024 * 1024
    lead_bytes: int = 1024 * 1024
    depth: int = 32


@dataclass(frozen=True, slots=True)
class Split:
    """The leads of a document in their order, what was wrong with it, and the attributes of its root."""

    leads: tuple[LeadDocument, ...]
    faults: tuple[DocumentFault, ...]
    attributes: Mapping[str, str]


class _Ended(Exception):  # noqa: N818 -- thrown through expat, never beyond the splitter
    def __init__(self, code: FaultCode) -> None:
        super().__init__(code)
        self.code: FaultCode = code


class LeadSplitter:
    """``feed`` the bytes as they come, then ``close``; both hand out the leads that became whole.

    Nothing is raised. Once a fault has ended the document (``ended``), what is fed is left unread.
    """

    def __init__(self, content_type: str | None = None, limits: Limits | None = None) -> None:
        self.attributes: Mapping[str, str] = {}
        self._media = (content_type or "").partition(";")[0].strip().lower()
        self._limits = limits or Limits()
        self._text = TextDecoder(content_type)
        self._faults: list[DocumentFault] = []
        self._leads: list[LeadDocument] = []
        self._found = 0
        self._received = self._parsed = self._read = 0
        self._waiting = bytearray()
        self._buffer = bytearray()
        self._buffer_at = 0
        self._depth = 0
        self._begun = False
        self._root: tuple[bytes, bytes] = (b"", b"")
        self._lead_at: int | None = None
        self._lead_attributes: Mapping[str, str] = {}
        self._oversized = False
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.CharacterDataHandler = self._loose_text

    @property
    def faults(self) -> tuple[DocumentFault, ...]:
        """In the order found; each code once."""
        return tuple(self._faults)

    @property
    def ended(self) -> bool:
        """Whether a fault ended it."""
        return any(fault.ends_it for fault in self._faults)

    def feed(self, data: bytes) -> list[LeadDocument]:
        """Take the next bytes."""
        if not self.ended:
            self._received += len(data)
            self._take(data, final=False)
        return self._handed_out()

    def close(self) -> list[LeadDocument]:
        """The end of the document; only then is it known whether anything was missing."""
        if not self.ended:
            self._take(b"", final=True)
        if not self.ended:
            self._compare_count()
        return self._handed_out()

    def _handed_out(self) -> list[LeadDocument]:
        leads, self._leads = self._leads, []
        return leads

    def _take(self, data: bytes, *, final: bool) -> None:
        if self._received > self._limits.document_bytes:
            self._parse(final=False)
            self._fault("too_large")
            return
        try:
            self._waiting += self._text.decode(data, final=final).encode()
        except UndecodableText as error:
            self._waiting += error.before.encode()
            self._end_undecodable()
            return
        if final and not self._parsed and not self._waiting.strip():
            self._fault("empty_body")
        elif final or len(self._waiting) >= _PIECE_BYTES:
            self._parse(final=final)

    def _end_undecodable(self) -> None:
        """What stood before it may hold leads, or show a page; what else is wrong with it comes of this."""
        known = list(self._faults)
        self._parse(final=False)
        if all(fault.code != "html_answer" for fault in self._faults):
            self._faults = known
            self._fault("wrong_encoding")

    def _parse(self, *, final: bool) -> None:
        piece, self._waiting = bytes(self._waiting), bytearray()
        self._buffer += piece
        self._parsed += len(piece)
        try:
            self._parser.Parse(piece, final)
        except _Ended as ended:
            self._fault(ended.code)
        except expat.ExpatError as error:
            self._fault(self._code_of(error))
        else:
            self._forget_what_was_read()

    def _code_of(self, error: expat.ExpatError) -> FaultCode:
        if error.code == _UNDEFINED_ENTITY:
            return "xml_forbidden"
        if error.code in _BROKEN_OFF:
            return "truncated"
        # In small letters it is no XML, and expat does not say what it saw.
        is_page = not self._begun and _OLD_PAGE.match(self._buffer)
        return "html_answer" if is_page else "not_xml"

    def _fault(self, code: FaultCode) -> None:
        if code in ("not_xml", "wrong_root", "xml_forbidden", "truncated") and self._media in _HTML:
            code = "html_answer" if not self._found else code
        if all(fault.code != code for fault in self._faults):
            self._faults.append(DocumentFault(code, self._parser.CurrentLineNumber if self._parsed else None))

    def _forget_what_was_read(self) -> None:
        # Expat does not tell (-1) when it has put off reading.
        read = self._read = max(self._parser.CurrentByteIndex, self._read)
        if self._parsed - read > self._limits.lead_bytes:
            self._fault("too_large")
        if self._lead_at is not None and not self._oversized:
            self._oversized = self._parsed - self._lead_at > self._limits.lead_bytes
        if self._lead_at is not None and not self._oversized:
            read = self._lead_at
        del self._buffer[: read - self._buffer_at]
        self._buffer_at = read

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > self._limits.depth:
            raise _Ended("too_deep")
        if self._depth == 1:
            self._start_root(name, attributes)
        elif self._depth == 2:
            self._start_child(name, attributes)

    def _start_root(self, name: str, attributes: dict[str, str]) -> None:
        self._begun = True
        if name.rpartition(" ")[2].lower() == "html":
            raise _Ended("html_answer")
        if name != _ROOT:
            raise _Ended("wrong_root")
        self.attributes = attributes
        tag = self._tag(self._parser.CurrentByteIndex)
        named = _TAG_NAME.match(tag)
        self._root = tag, named[1] if named else b"leads"

    def _start_child(self, name: str, attributes: dict[str, str]) -> None:
        self._parser.CharacterDataHandler = None
        if name != _LEAD:
            self._fault("unexpected_content")
            return
        self._lead_at, self._lead_attributes = self._parser.CurrentByteIndex, attributes
        self._oversized = False

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if self._depth != 1:
            return
        self._parser.CharacterDataHandler = self._loose_text
        if self._lead_at is not None:
            self._leads.append(self._lead(self._lead_at))
            self._found += 1
            self._lead_at = None

    def _lead(self, start: int) -> LeadDocument:
        if not self._oversized:
            # Of an element in one tag, expat tells the end where it has just told the start.
            in_one = self._tag(start).endswith(b"/>")
            last = start if in_one else self._parser.CurrentByteIndex
            end = last + len(self._tag(last))
            written = bytes(self._buffer[start - self._buffer_at : end - self._buffer_at])
            if len(written) <= self._limits.lead_bytes:
                opening, name = self._root
                return lead_document(self._found, opening + written + b"</" + name + b">")
        return oversized(self._found, self._lead_attributes)

    def _tag(self, at: int) -> bytes:
        found = _TAG.match(self._buffer, at - self._buffer_at)
        return found[0] if found else b""

    def _doctype(self, name: str, *_: object) -> None:
        raise _Ended("html_answer" if name.lower() == "html" else "xml_forbidden")

    def _loose_text(self, text: str) -> None:
        if text.strip():
            self._fault("unexpected_content")

    def _compare_count(self) -> None:
        told = self.attributes.get("count", "").strip()
        if told and (told.lstrip("0") or "0") != str(self._found):
            self._fault("count_mismatch")


def split(body: bytes, content_type: str | None = None, limits: Limits | None = None) -> Split:
    """Cut a document that is there as a whole."""
    splitter = LeadSplitter(content_type, limits)
    leads = (*splitter.feed(body), *splitter.close())
    return Split(leads, splitter.faults, splitter.attributes)
