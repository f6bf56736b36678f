"""A document that arrives piece by piece, as text in whichever encoding it came."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED_UTF16 = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_PARAMETER = re.compile(r";[ \t]*charset=\"?(?P<name>[A-Za-z0-9._:+-]+)", re.IGNORECASE)
_DECLARATION = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["'](?P<name>[A-Za-z0-9._-]+)["']""")
# Text to Python, a character encoding to nobody who sends documents.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf_7"})
_NEEDED_BYTES = 512
"""As much as an XML declaration may take before it has to be whole."""


class UndecodableText(Exception):  # noqa: N818 -- a finding about a document
    """Bytes that are not in the encoding they are said to have, after the text ``before`` them."""

    def __init__(self, before: str = "") -> None:
        super().__init__("not in the encoding that it is said to have")
        self.before = before


class TextDecoder:
    """Bytes in, text out; raises UndecodableText and nothing else.

    A byte order mark goes before the ``charset`` of the content type, and that before the encoding which the
    document declares (RFC 7303 section 3), as at the doors of the services.
    """

    def __init__(self, content_type: str | None) -> None:
        self._content_type = content_type or ""
        self._start = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def decode(self, data: bytes, *, final: bool = False) -> str:
        """The text of ``data`` and of what was held back before it; ``final`` holds nothing back."""
        if self._decoder is None:
            self._start += data
            if len(self._start) < _NEEDED_BYTES and not final:
                return ""
            self._decoder, data = self._begin(self._start)
        try:
            return self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            raise UndecodableText(_text_before(error)) from None
        except UnicodeError:
            raise UndecodableText from None

    def _begin(self, start: bytes) -> tuple[codecs.IncrementalDecoder, bytes]:
        for mark, encoding in _MARKS:
            if start.startswith(mark):
                return _decoder(encoding), start.removeprefix(mark)
        return _decoder(self._said(start)), start

    def _said(self, start: bytes) -> str:
        for first, encoding in _UNMARKED_UTF16:
            if start.startswith(first):
                return encoding
        if parameter := _PARAMETER.search(self._content_type):
            return parameter["name"]
        declaration = _DECLARATION.match(start)
        return declaration["name"].decode() if declaration else "utf-8"


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        codec = codecs.lookup(encoding)
        if codec.name.replace("-", "_") not in _NO_CHARSETS and getattr(codec, "_is_text_encoding", True):
            return codecs.getincrementaldecoder(codec.name)("strict")
    except (LookupError, ValueError):
        pass
    raise UndecodableText


def _text_before(error: UnicodeDecodeError) -> str:
    try:
        return error.object[: error.start].decode(error.encoding)
    except (LookupError, ValueError):
        return ""
