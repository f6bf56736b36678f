"""The mail around the document, as bytes.

Written by hand: Python's `EmailMessage` re-encodes bodies, folds where it likes and turns an encoded word
inside a value into a header of its own. Here a header value is printable ASCII without `=?`, or encoded
words that we wrote; anything else raises.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID, uuid5

from leadbus.contracts import NAMESPACE

from adf_mailer.domain import text
from adf_mailer.domain.address import addr_spec, domain
from adf_mailer.domain.element import LINE_BYTES
from adf_mailer.domain.fixed_texts import ENGLISH, Language, label
from adf_mailer.domain.layout import laid_out
from adf_mailer.domain.shape import DEFAULT, Shape

_LINE = re.compile(rb"[ -~]{1,998}")
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\n"
_ENCODED_WORD_BYTES = 39  # of UTF-8: 64 encoded, so that `Subject: ` and one word stay under RFC 2047's 76
_PLAIN = re.compile("[ -~]*")


@dataclass(frozen=True, slots=True)
class Letter:
    """What the headers say. `from_display` and `subject` may be any text; the addresses are checked again.

    `language` is that of our words beside a document that is a part of the mail.
    """

    from_address: str
    from_display: str
    to_address: str
    subject: str
    date: datetime
    message_id: str
    lead_id: UUID
    revision: int
    test: bool = False
    references: str | None = None
    reply_to: str | None = None
    copy: bool = False
    language: Language = ENGLISH


@dataclass(frozen=True, slots=True)
class Mail:
    """The exact bytes for SMTP, CRLF, not yet dot-stuffed."""

    raw: bytes
    message_id: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


def message_id(key: str, from_address: str, repeat: int = 0) -> str:
    """The same for every try of one delivery; another one for every repeat an operator orders."""
    name = f"adf-mail {key}" if repeat == 0 else f"adf-mail {key} repeat {repeat}"
    return f"<{uuid5(NAMESPACE, name)}@{domain(from_address)}>"


def compose(letter: Letter, document: bytes, *, encoded: bool, shape: Shape = DEFAULT) -> Mail:
    """The mail with `document` (LF line ends) as its whole body, or where `shape` has it.

    Plain 7bit, or quoted-printable when `encoded`: a link longer than a line must stay whole, or people's
    text is not ASCII.
    Raises ValueError when a header or the body cannot be written safely: a bug, not bad input.
    """
    note = "" if shape.layout == "body" else _note(letter)
    content = laid_out(document, shape, encoded=encoded, note=note, seed=letter.message_id)
    headers = [
        *_field("From", _mailbox(letter.from_display, letter.from_address)),
        *(_field("Reply-To", [addr_spec(letter.reply_to)]) if letter.reply_to else ()),
        *_field("To", [addr_spec(letter.to_address)]),
        *_field("Subject", _unstructured(letter.subject)),
        *_field("Date", [format_datetime(letter.date)]),
        *_field("Message-ID", [letter.message_id]),
        *(_field("References", [letter.references]) if letter.references else ()),
        *_field("MIME-Version", ["1.0"]),
        *_field("Content-Type", [content.content_type]),
        *_field("Content-Transfer-Encoding", [content.transfer_encoding]),
        *_field("Auto-Submitted", ["auto-generated"]),
        *_field("X-Leadbus-Lead", [str(letter.lead_id)]),
        *_field("X-Leadbus-Revision", [str(letter.revision)]),
        *(_field("X-Leadbus-Copy", ["yes"]) if letter.copy else ()),
        *(_field("X-Leadbus-Test", ["yes"]) if letter.test else ()),
    ]
    body = content.content.rstrip(b"\n")
    if body.translate(None, _PRINTABLE) or max(map(len, body.split(b"\n"))) > LINE_BYTES:
        raise ValueError("the body is not 7-bit text in lines of at most 998 bytes")
    return Mail(b"\r\n".join([*headers, b"", body.replace(b"\n", b"\r\n"), b""]), letter.message_id)


def _note(letter: Letter) -> str:
    """For a person who opens a mail that has the document beside its text. No word of it is the lead's."""
    lines = [label("note_lead", letter.language)]
    if letter.test:
        lines.append(label("note_test", letter.language))
    lines.append(label("note_id", letter.language, lead_id=letter.lead_id))
    return "\n".join(lines) + "\n"


def _field(name: str, words: list[str]) -> Iterator[bytes]:
    """One header; every word after the first on a folded line of its own."""
    for index, word in enumerate(words):
        line = (f"{name}: {word}" if index == 0 else f" {word}").encode("ascii")
        if not _LINE.fullmatch(line):
            raise ValueError(f"header {name} cannot be written safely")
        yield line


def _unstructured(value: str) -> list[str]:
    safe = _neutral(value)
    return [safe] if _PLAIN.fullmatch(safe) else _encoded_words(safe)


def _mailbox(display: str, address: str) -> list[str]:
    spec = f"<{addr_spec(address)}>"
    safe = _neutral(display)
    if not safe:
        return [spec]
    if _PLAIN.fullmatch(safe):
        quoted = safe.replace("\\", "\\\\").replace('"', '\\"')
        return [f'"{quoted}" {spec}']
    return [*_encoded_words(safe), spec]


def _neutral(value: str) -> str:
    """One line without control characters, and nothing in it that reads as an encoded word."""
    return text.line(value).replace("=?", "= ?")[:200].rstrip()


def _encoded_words(value: str) -> list[str]:
    words, current = [], b""
    for character in value:
        encoded = character.encode()
        if len(current) + len(encoded) > _ENCODED_WORD_BYTES:
            words.append(current)
            current = b""
        current += encoded
    return [f"=?utf-8?B?{base64.b64encode(word).decode()}?=" for word in (*words, current)]
