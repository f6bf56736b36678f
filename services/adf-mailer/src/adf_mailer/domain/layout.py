"""Where the document stands in the mail: alone, or among the parts of a MIME multipart.

Parts are put together by hand, as the headers are: the same lead gives the same bytes, boundary included.
"""

from __future__ import annotations

import hashlib
import quopri
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from adf_mailer.domain.shape import Shape


@dataclass(frozen=True, slots=True)
class Entity:
    """What MIME says of a mail or a part, and its content with LF."""

    content_type: str
    transfer_encoding: str
    content: bytes
    disposition: str | None = None

    def lines(self) -> Iterator[bytes]:
        """As a part, its headers first."""
        yield f"Content-Type: {self.content_type}".encode("ascii")
        yield f"Content-Transfer-Encoding: {self.transfer_encoding}".encode("ascii")
        if self.disposition:
            yield f"Content-Disposition: {self.disposition}".encode("ascii")
        yield b""
        yield self.content.rstrip(b"\n")


def laid_out(document: bytes, shape: Shape, *, encoded: bool, note: str, seed: str) -> Entity:
    """The mail's content: `document` (ASCII, LF) in its place.

    Plain 7bit, or quoted-printable when `encoded`. `note` is what a person reads where the document is a
    part; `seed` is of this mail alone, and makes the boundary.
    """
    if shape.layout == "body":
        return _document(document, shape.mime_type, shape, encoded=encoded)
    told = _told(note)
    if shape.layout == "multipart":
        return _mixed((told, _document(document, shape.mime_type, shape, encoded=encoded)), seed)
    shown = _document(document, "text/plain", shape, encoded=encoded) if shape.layout == "both" else told
    return _mixed((shown, _file(document, shape, encoded=encoded)), seed)


def _told(note: str) -> Entity:
    if note.isascii():
        return Entity("text/plain; charset=us-ascii", "7bit", note.encode("ascii"))
    return Entity("text/plain; charset=utf-8", "quoted-printable", quopri.encodestring(note.encode()))


def _document(document: bytes, mime_type: str, shape: Shape, *, encoded: bool) -> Entity:
    return Entity(
        f"{mime_type}; charset={shape.charset}",
        "quoted-printable" if encoded else "7bit",
        quopri.encodestring(document) if encoded else document,
    )


def _file(document: bytes, shape: Shape, *, encoded: bool) -> Entity:
    part = _document(document, shape.mime_type, shape, encoded=encoded)
    name = f'"{shape.attachment_name}"'
    return Entity(
        f"{part.content_type}; name={name}",
        part.transfer_encoding,
        part.content,
        f"attachment; filename={name}",
    )


def _mixed(parts: Sequence[Entity], seed: str) -> Entity:
    contents = [b"\n".join(part.lines()) for part in parts]
    boundary = _boundary(contents, seed)
    delimiter = b"--" + boundary.encode("ascii")
    content = b"".join(delimiter + b"\n" + part + b"\n" for part in contents) + delimiter + b"--\n"
    return Entity(f'multipart/mixed; boundary="{boundary}"', "7bit", content)


def _boundary(contents: Sequence[bytes], seed: str) -> str:
    """The first of the seed's boundaries that stands nowhere in the contents."""
    number = 0
    while True:
        boundary = f"leadbus-{hashlib.sha256(f'{seed} {number}'.encode()).hexdigest()[:32]}"
        if not any(boundary.encode("ascii") in content for content in contents):
            return boundary
        number += 1
