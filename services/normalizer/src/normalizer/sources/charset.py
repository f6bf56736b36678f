"""XML in whichever encoding it came, as UTF-8."""

from __future__ import annotations

import codecs
import contextlib
import re

from normalizer.domain.rejection import Rejection

UTF8_BOM = codecs.BOM_UTF8
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED_UTF16 = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_PARAMETER = re.compile(r";[ \t]*charset=\"?(?P<name>[A-Za-z0-9._:+-]+)", re.IGNORECASE)
_DECLARATION = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["'](?P<name>[A-Za-z0-9._-]+)["']""")
# Text to Python, a character encoding to nobody who sends leads.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})


def utf8(body: bytes, content_type: str | None) -> bytes:
    """`body` in UTF-8 without a byte order mark; its declaration may still name another encoding.

    A byte order mark goes before the `charset` of `content_type`, and that before the encoding which the
    document declares (RFC 7303 section 3), as at ingest's door. Python decodes, and not libxml2, because
    the door takes every name that Python knows. Raises Rejection `undecodable`.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return _encoded_anew(body.removeprefix(mark), encoding)
    return _encoded_anew(body, _said(body, content_type))


def _said(body: bytes, content_type: str | None) -> str:
    for start, encoding in _UNMARKED_UTF16:
        if body.startswith(start):
            return encoding
    if parameter := _PARAMETER.search(content_type or ""):
        return parameter["name"]
    declaration = _DECLARATION.match(body)
    return declaration["name"].decode() if declaration else "utf-8"


def _encoded_anew(body: bytes, encoding: str) -> bytes:
    with contextlib.suppress(LookupError, ValueError):
        codec = codecs.lookup(encoding).name
        if codec not in _NO_CHARSETS:
            return body.decode(codec).encode()
    raise Rejection("undecodable", "not in the encoding that it is said to have")
