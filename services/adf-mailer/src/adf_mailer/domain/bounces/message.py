"""A stranger's mail, taken apart within bounds; never raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.policy import Compat32

READ_BYTES = 256 * 1024
"""Of a report nothing after that is read: what is for machines comes before what is returned."""
MOST_BOUNDARIES = 20
MOST_PARTS = 100

_HEADER_CHARS = 5_000
_PARAMETERS_CHARS = 1_000
_RETURNED = ("message/rfc822", "message/global")
_RETURNED_HEADERS = ("text/rfc822-headers", "message/global-headers")
_MALFORMED = (MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError, IndexError)


@dataclass(frozen=True, slots=True)
class Returned:
    """The mail that a report brings back, or its head."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is no mail within the mail: its type in lower case, and its text, decoded."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail: `headers` by name in lower case, `parts` in their order, `blocks` of parts for machines.

    `blocks` are groups of fields, by the type of their part; `returned` is the first mail within it.
    """

    kind: str
    report_type: str
    headers: Mapping[str, str]
    parts: tuple[Part, ...]
    blocks: Mapping[str, tuple[Mapping[str, str], ...]]
    returned: Returned | None = None


class _Bounded(Compat32):
    """The library reads the parameters of a header in time that grows with the square of their length."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_PARAMETERS_CHARS] if name.lower().startswith("content-") else value


_POLICY = _Bounded()


def take_apart(raw: bytes) -> Incoming:
    """What can be read of it. What nests without end, or too often, is a mail without parts."""
    head = raw[:READ_BYTES]
    try:
        if head.lower().count(b"boundary") > MOST_BOUNDARIES:
            parsed = BytesParser(policy=_POLICY).parsebytes(head, headersonly=True)
            return Incoming(_type(parsed), _report_type(parsed), _headers(parsed), (), {})
        return _apart(BytesParser(policy=_POLICY).parsebytes(head))
    except (RecursionError, *_MALFORMED):
        return Incoming("text/plain", "", {}, (), {})


def _apart(parsed: Message) -> Incoming:
    parts: list[Part] = []
    blocks: dict[str, tuple[Mapping[str, str], ...]] = {}
    returned: list[Returned] = []
    _gather(parsed, parts, blocks, returned)
    return Incoming(
        kind=_type(parsed),
        report_type=_report_type(parsed),
        headers=_headers(parsed),
        parts=tuple(parts),
        blocks=blocks,
        returned=returned[0] if returned else None,
    )


def _gather(
    parsed: Message,
    parts: list[Part],
    blocks: dict[str, tuple[Mapping[str, str], ...]],
    returned: list[Returned],
) -> None:
    """Into a mail within the mail only as far as its head, unless it is the whole mail."""
    waiting = [parsed]
    seen = 0
    while waiting and seen < MOST_PARTS:
        one = waiting.pop(0)
        seen += 1
        kind = _type(one)
        payload = one.get_payload()
        if kind in _RETURNED and isinstance(payload, list):
            returned += [Returned(_headers(inner)) for inner in payload if isinstance(inner, Message)]
        elif kind in _RETURNED_HEADERS:
            returned.append(Returned(_headers(_headers_of(one))))
        elif kind.startswith("message/"):
            blocks.setdefault(kind, tuple(_blocks(one)))
        elif isinstance(payload, list):
            waiting = [inner for inner in payload if isinstance(inner, Message)] + waiting
        else:
            parts.append(Part(kind, _text(one)))


def _blocks(part: Message) -> list[Mapping[str, str]]:
    payload = part.get_payload()
    inner = payload if isinstance(payload, list) else []
    found = [_headers(block) for block in inner[:MOST_PARTS] if isinstance(block, Message)]
    # The library knows `delivery-status` as groups of fields; of its younger sister it makes a mail,
    # whose head is the first group and whose text has the others.
    if part.get_content_subtype() != "delivery-status" and inner:
        rest = inner[0].get_payload() if isinstance(inner[0], Message) else ""
        if isinstance(rest, str):
            groups = rest.replace("\r\n", "\n").split("\n\n")[:MOST_PARTS]
            found += [_headers(HeaderParser().parsestr(group.lstrip("\n"))) for group in groups]
    if isinstance(payload, str):
        groups = _text(part).replace("\r\n", "\n").split("\n\n")[:MOST_PARTS]
        found += [_headers(HeaderParser().parsestr(group.lstrip("\n"))) for group in groups]
    return [block for block in found if block]


def _headers_of(part: Message) -> Message:
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        return payload[0]
    return HeaderParser().parsestr(_text(part).lstrip("\r\n"))


def _headers(message: Message) -> Mapping[str, str]:
    """The first of each name, decoded."""
    found: dict[str, str] = {}
    for name, value in message.items():
        found.setdefault(name.lower(), _decoded(value))
    return found


def _decoded(value: object) -> str:
    written = str(value)[:_HEADER_CHARS]
    if "=?" not in written:
        return " ".join(written.split())
    try:
        return " ".join(str(make_header(decode_header(written))).split())
    except _MALFORMED:
        return " ".join(written.split())


def _text(part: Message) -> str:
    try:
        payload = part.get_payload(decode=True)
    except _MALFORMED:
        payload = None
    if not isinstance(payload, bytes):
        raw = part.get_payload()
        return raw if isinstance(raw, str) else ""
    try:
        return payload.decode(part.get_content_charset() or "utf-8", "replace")
    except _MALFORMED:
        return payload.decode("latin-1")


def _type(part: Message) -> str:
    try:
        return part.get_content_type().lower()
    except _MALFORMED:
        return "text/plain"


def _report_type(part: Message) -> str:
    try:
        written = part.get_param("report-type")
    except _MALFORMED:
        written = None
    return written.lower() if isinstance(written, str) else ""
