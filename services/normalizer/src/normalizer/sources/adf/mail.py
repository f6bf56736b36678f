"""An inbound mail: the ADF in it, wherever and however it was put there."""

from __future__ import annotations

import hashlib
import html
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from email.utils import parsedate_to_datetime

from normalizer.domain.rejection import Rejection
from normalizer.domain.text import clean, clean_line
from normalizer.sources.adf.decoding import decode
from normalizer.sources.adf.markup import tokens

_ADF = re.compile(r"(?:<|&(?:amp;)?lt;)(?:[\w.-]+:)?(?:adf|prospect)(?=[\s/>]|&gt;|&amp;gt;)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_FILE_NAMES = (".xml", ".adf")
_SKIPPED = frozenset({"image", "audio", "video", "font"})
_HIDDEN = frozenset({"script", "style", "head"})
_BLOCKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "table"})
_HEADER_CHARS = 5_000
_PARAMETERS_CHARS = 1_000
_MOST_PARTS = 200
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes that hold ADF, transfer encoding undone, and their content type with charset: for `read_all`."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail holds. Without `adf` it is plain text (`text`, HTML as text), and no lead by itself.

    `sender`, `reply_to` and `subject` are decoded, on one line; `sent_at` is aware. `automatic` where a
    machine answered a mail: such a one must not be answered (RFC 3834).
    """

    adf: tuple[Part, ...]
    text: str
    subject: str | None = None
    sender: str | None = None
    reply_to: str | None = None
    message_id: str | None = None
    sent_at: datetime | None = None
    automatic: bool = False

    @property
    def is_adf(self) -> bool:
        """Whether any part of it is."""
        return bool(self.adf)


@dataclass(frozen=True, slots=True)
class _Found:
    rank: int
    place: int
    part: Part
    words: str


class _Bounded(Compat32):
    """The library reads the parameters of a header in time that grows with the square of their length."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_PARAMETERS_CHARS] if name.lower().startswith("content-") else value


_POLICY = _Bounded()


def read_mail(message: bytes) -> Mail:
    """The ADF parts of an RFC 5322 message, attachments before bodies, each document once.

    The same document attached and in the body, or in the HTML beside the text, is one part: the one that no
    mail program touched. Raises Rejection `undecodable` for what nests too deep, `too_large` for more than
    200 parts; nothing else.
    """
    try:
        parsed = BytesParser(policy=_POLICY).parsebytes(message)
        leaves = list(_leaves(parsed))
    except RecursionError:
        raise Rejection("undecodable", "a mail that nests too deep") from None
    found: list[_Found] = []
    texts: list[tuple[bool, str]] = []
    for place, leaf in enumerate(leaves):
        _sort(leaf, place, found, texts)
    plain = [text for is_html, text in texts if not is_html] or [text for _, text in texts]
    return Mail(
        adf=_distinct(found),
        text=clean("\n\n".join(filter(None, plain))),
        subject=_header(parsed, "Subject"),
        sender=_header(parsed, "From"),
        reply_to=_header(parsed, "Reply-To"),
        message_id=_header(parsed, "Message-ID"),
        sent_at=_sent_at(parsed),
        automatic=_is_automatic(parsed),
    )


def _leaves(parsed: Message) -> Iterator[Message]:
    for count, part in enumerate(parsed.walk()):
        if count >= _MOST_PARTS:
            raise Rejection("too_large", "more parts than one mail may hold")
        if not part.is_multipart():
            yield part


def _sort(leaf: Message, place: int, found: list[_Found], texts: list[tuple[bool, str]]) -> None:
    body = _body(leaf)
    kind = _type(leaf)
    if kind.partition("/")[0] in _SKIPPED or not body.strip():
        return
    content_type = _content_type(leaf, kind)
    text = decode(body, content_type).text
    is_html = kind == "text/html"
    # A transfer encoding that nobody labelled breaks even the name of the root.
    seen = text if _ADF.search(text) else text.replace("=\r\n", "").replace("=\n", "")
    if _ADF.search(seen) or (is_html and _ADF.search(_TAG.sub("", seen))):
        part = Part(body, content_type)
        found.append(_Found(_rank(leaf, kind), place, part, _words(seen)))
    elif kind.startswith("text/"):
        texts.append((is_html, _shown(text) if is_html else text))


def _body(leaf: Message) -> bytes:
    try:
        payload = leaf.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        payload = None
    if isinstance(payload, bytes):
        return payload
    raw = leaf.get_payload()
    return raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else b""


def _type(leaf: Message) -> str:
    try:
        return leaf.get_content_type().lower()
    except (ValueError, IndexError, AttributeError):
        return "text/plain"


def _content_type(leaf: Message, kind: str) -> str:
    """Without a charset that the sender only seems to have told: that of no header is none."""
    try:
        charset = leaf.get_content_charset()
    except (ValueError, LookupError, AttributeError, TypeError):
        charset = None
    name = re.sub(r"[^A-Za-z0-9._:+-]", "", charset or "")
    return f"{kind}; charset={name}" if name else kind


def _rank(leaf: Message, kind: str) -> int:
    """0: XML or a file of it; 1: text; 2: HTML; 3: anything else."""
    name = _file_name(leaf)
    if kind.endswith(("/xml", "+xml")) or name.endswith(_FILE_NAMES):
        return 0
    if kind == "text/html":
        return 2
    return 1 if kind.startswith("text/") else 3


def _file_name(leaf: Message) -> str:
    try:
        return (leaf.get_filename() or "").strip().lower()
    except (ValueError, LookupError, AttributeError, TypeError):
        return ""


def _distinct(found: list[_Found]) -> tuple[Part, ...]:
    """HTML only where nothing else holds ADF: it is the same once more, with marks of its own."""
    whole = [one for one in found if one.rank != 2] or found
    chosen: dict[str, _Found] = {}
    for one in sorted(whole, key=lambda one: (one.rank, one.place)):
        chosen.setdefault(one.words, one)
    return tuple(one.part for one in chosen.values())


def _words(text: str) -> str:
    """What stays the same however a mail program wraps, escapes or indents a document."""
    start = _ADF.search(text)
    body = text[start.start() :] if start else text
    if "=3D" in body:
        body = quopri.decodestring(body.encode("utf-8", "replace")).decode("utf-8", "replace")
    end = max(body.lower().rfind("</adf"), body.lower().rfind("</prospect"))
    body = body[: end if end > 0 else len(body)]
    plain = html.unescape(_TAG.sub(" ", body.replace("<![CDATA[", " ").replace("]]>", " ")))
    return hashlib.sha256(" ".join(_WORD.findall(plain)).encode("utf-8", "replace")).hexdigest()


def _shown(text: str) -> str:
    """The text of an HTML page that a reader sees, a line for each block."""
    pieces: list[str] = []
    hidden: str | None = None
    for token in tokens(text):
        name = token.name.lower()
        if token.kind == "tag" and name in _HIDDEN:
            hidden = name if hidden is None and not token.closing else None if name == hidden else hidden
        elif hidden is None and token.kind == "tag":
            pieces.append("\n" if name in _BLOCKS else " ")
        elif hidden is None and token.kind == "text":
            pieces.append(token.raw)
    lines = (" ".join(line.split()) for line in html.unescape("".join(pieces)).split("\n"))
    return "\n".join(line for line in lines if line)


def _header(parsed: Message, name: str) -> str | None:
    written = parsed.get(name)
    if written is None:
        return None
    try:
        # Decoding takes quadratic time; no header that a person reads is that long.
        text = str(make_header(decode_header(str(written)[:_HEADER_CHARS])))
    except (ValueError, LookupError, UnicodeError):
        text = str(written)
    return clean_line(text) or None


def _sent_at(parsed: Message) -> datetime | None:
    """When its sender says that it was sent; what is no moment, or none that a calendar has, is not told."""
    try:
        at = parsedate_to_datetime(str(parsed.get("Date", ""))[:_HEADER_CHARS])
        # Without a zone (`-0000`) it is UTC, told by somebody whose own zone says nothing.
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _is_automatic(parsed: Message) -> bool:
    submitted = str(parsed.get("Auto-Submitted", "no")).strip().lower()
    empty_path = str(parsed.get("Return-Path", "x")).strip() == "<>"
    return submitted.startswith("auto-replied") or empty_path or _type(parsed) == "multipart/report"
