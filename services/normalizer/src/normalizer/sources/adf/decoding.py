"""The characters of a document whose labels cannot be trusted."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED = (
    (re.compile(rb"\s*<\0\0\0"), "utf-32-le"),
    (re.compile(rb"(?:\0\0\0\s)*\0\0\0<"), "utf-32-be"),
    (re.compile(rb"(?:\s\0)*<\0"), "utf-16-le"),
    (re.compile(rb"(?:\0\s)*\0<"), "utf-16-be"),
)
_PARAMETER = re.compile(r";\s*charset\s*=\s*[\"']?(?P<name>[A-Za-z0-9._:+-]+)", re.IGNORECASE)
_DECLARATION = re.compile(
    r"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["'“”]?(?P<name>[A-Za-z0-9._-]+)""", re.IGNORECASE
)
_DECLARED_WITHIN = 1_000
# Text to Python, a character encoding to nobody who sends leads; utf-7 hides markup from whoever looks.
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})
_WIDE = ("utf-16", "utf-32")


@dataclass(frozen=True, slots=True)
class Decoded:
    """`text` without byte order mark; `mislabelled` where the label that counts belies the bytes."""

    text: str
    encoding: str
    mislabelled: bool = False


def decode(body: bytes, content_type: str | None) -> Decoded:
    """`body` as text; there always is one.

    A byte order mark goes before the `charset` of `content_type`, and that before what the document declares
    (RFC 7303 section 3). A label that the bytes contradict is passed over: UTF-8 then, else windows-1252.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return Decoded(body.removeprefix(mark).decode(encoding, "replace"), encoding)
    for start, encoding in _UNMARKED:
        if start.match(body):
            return Decoded(body.decode(encoding, "replace"), encoding)
    return _by_labels(body, content_type)


def _by_labels(body: bytes, content_type: str | None) -> Decoded:
    labels = list(_labels(body, content_type))
    for place, label in enumerate([*labels, "utf-8", "cp1252"]):
        if (text := _strictly(body, label)) is not None:
            return Decoded(text, label, mislabelled=bool(labels) and place > 0)
    return Decoded(body.decode("latin-1"), "latin-1", mislabelled=bool(labels))


def _labels(body: bytes, content_type: str | None) -> Iterator[str]:
    if parameter := _PARAMETER.search(content_type or ""):
        yield parameter["name"]
    declaration = _DECLARATION.search(body[:_DECLARED_WITHIN].decode("latin-1"))
    if declaration:
        yield declaration["name"]


def _strictly(body: bytes, label: str) -> str | None:
    with contextlib.suppress(LookupError, ValueError):
        codec = codecs.lookup(label).name
        # Bytes in a wide encoding were told by their zeros before; without any they are something else.
        if codec not in _NO_CHARSETS and not (codec.startswith(_WIDE) and b"\0" not in body):
            return body.decode(codec)
    return None
