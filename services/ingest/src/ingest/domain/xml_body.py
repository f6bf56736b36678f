"""Is a body well-formed XML, without anything that could reach beyond it?"""

from __future__ import annotations

from typing import NoReturn
from xml.parsers import expat

from ingest.domain.refusal import Position, Reason, Refusal

MAX_DEPTH = 100
_TOO_DEEP = f"Nested deeper than {MAX_DEPTH} levels."
_FORBIDDEN = "XML with a DOCTYPE or entities is not taken."
_UNDEFINED_ENTITY = expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]


def check(body: bytes, charset: str | None = None) -> None:
    """Raise Refusal unless the body is one namespace-well-formed XML document without a DOCTYPE.

    Without a DOCTYPE there are no entities to expand or fetch, so the parser stops at the first sign of
    one. ``charset`` of the content type goes before the encoding the document declares (RFC 7303 section
    3), and a byte order mark before both. Read are UTF-8, UTF-16 and every single-byte encoding Python knows.
    """
    marked = body.startswith((b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe"))
    # expat and not lxml: it builds no tree, stops inside the DOCTYPE, and tells the byte of an error.
    parser = expat.ParserCreate(None if marked else charset, " ")
    depth = 0

    def start(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise Refusal(Reason.TOO_DEEP, _TOO_DEEP, _position(parser))

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_: object) -> NoReturn:
        raise Refusal(Reason.XML_FORBIDDEN, _FORBIDDEN, _position(parser))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise _refusal(error, parser) from None
    except (LookupError, ValueError):
        what = "The declared encoding cannot be read; UTF-8 always can."
        raise Refusal(Reason.NOT_XML, what, Position(1, 1, 0)) from None


def _refusal(error: expat.ExpatError, parser: expat.XMLParserType) -> Refusal:
    position = Position(error.lineno, error.offset + 1, max(parser.ErrorByteIndex, 0))
    if error.code == _UNDEFINED_ENTITY:
        return Refusal(Reason.XML_FORBIDDEN, _FORBIDDEN, position)
    return Refusal(Reason.NOT_XML, f"{expat.ErrorString(error.code).capitalize()}.", position)


def _position(parser: expat.XMLParserType) -> Position:
    return Position(parser.CurrentLineNumber, parser.CurrentColumnNumber + 1, max(parser.CurrentByteIndex, 0))
