"""Which content types the door takes, and how their body is to be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ingest.domain.refusal import Reason, Refusal

ACCEPTED = ("application/json", "application/*+json", "application/xml", "text/xml", "application/*+xml")
_MENDED = frozenset({"text/plain", "message/rfc822"})
_MAX_LENGTH = 200  # AMQP carries it as a short string of at most 255 bytes
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_MEDIA_TYPE = re.compile(
    rf"(?P<essence>{_WORD}/{_WORD})"
    rf"(?:[ \t]*;[ \t]*{_WORD}=(?:{_WORD}|\"[ !#-\[\]-~]*\"))*[ \t]*"
)
_CHARSET = re.compile(rf";[ \t]*charset=\"?(?P<name>{_WORD})", re.IGNORECASE)


class Form(StrEnum):
    """The two grammars a body can be in, and a document that the normalizer mends or reads as a mail."""

    JSON = "json"
    XML = "xml"
    MENDED = "mended"


@dataclass(frozen=True, slots=True)
class MediaType:
    """A content type as sent (``text``, forwarded untouched) and what it means for reading."""

    text: str
    form: Form
    charset: str | None


def read(text: str | None, *, mended: bool = False) -> MediaType:
    """Raise Refusal ``unsupported_type`` for everything but JSON and XML.

    Of a source whose documents are ``mended``, XML is whatever is called so, and plain text and mails are
    taken too.

    A CloudEvents document is refused although it is JSON: published as it is, it would be read as the
    envelope, and its sender could claim another source's identity in it.
    """
    match = _MEDIA_TYPE.fullmatch(text.strip()) if text and len(text) <= _MAX_LENGTH else None
    if match is None:
        raise _unsupported("A Content-Type is needed")
    essence = match["essence"].lower()
    form = Form.MENDED if mended and essence in _MENDED else _form(essence)
    if mended and form is Form.XML:
        form = Form.MENDED
    if form is None:
        raise _unsupported("This content type is not taken")
    charset = _CHARSET.search(match.string)
    return MediaType(match.string, form, charset["name"].lower() if charset else None)


def _form(essence: str) -> Form | None:
    kind, _, subtype = essence.partition("/")
    if subtype.startswith("cloudevents"):
        return None
    if essence == "application/json" or (kind == "application" and subtype.endswith("+json")):
        return Form.JSON
    if subtype == "xml" and kind in {"application", "text"}:
        return Form.XML
    return Form.XML if kind == "application" and subtype.endswith("+xml") else None


def _unsupported(what: str) -> Refusal:
    return Refusal(Reason.UNSUPPORTED_TYPE, f"{what}; taken are {', '.join(ACCEPTED)}.")
