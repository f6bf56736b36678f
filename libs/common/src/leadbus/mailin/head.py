"""What the head of a mail tells its receiver; its content is the normalizer's to read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_HOPS = 50
"""`Received` fields of a mail that is not going in circles."""

_HEAD_END = re.compile(rb"(?:\A|\n)(\r?\n)")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_LARGEST_HEAD_BYTES = 128 * 1024
# What servers on the way add: the same mail sent again may have come by another.
_TRACE = frozenset(
    {
        *("received", "x-received", "return-path", "delivered-to", "x-original-to", "envelope-to"),
        *("received-spf", "authentication-results", "dkim-signature"),
        *("arc-seal", "arc-message-signature", "arc-authentication-results"),
    }
)


@dataclass(frozen=True, slots=True)
class Head:
    """`digest` (SHA-256, hex) is of the whole mail without the fields that servers on its way add.

    `answer`: a machine answered some mail with it, or reports about one (RFC 3834, RFC 6522). `test`: another
    Leadbus marked it as a test.
    """

    digest: str
    hops: int = 0
    answer: bool = False
    test: bool = False


def read_head(mail: bytes) -> Head:
    """Read the head of a mail, however it is damaged; never raises."""
    end = _HEAD_END.search(mail, 0, _LARGEST_HEAD_BYTES)
    cut = end.start(1) if end else _LARGEST_HEAD_BYTES
    head, rest = mail[:cut], mail[cut:]
    digest = hashlib.sha256()
    hops, told = 0, dict[bytes, bytes]()
    for name, field in _fields(head):
        hops += name == b"received"
        told.setdefault(name, field)
        if name.decode("ascii") not in _TRACE:
            digest.update(field)
    digest.update(rest)
    return Head(
        digest=digest.hexdigest(),
        hops=hops,
        answer=_is_answer(told),
        test=_value(told, b"x-leadbus-test") == "yes",
    )


def _fields(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each field with its folded lines, name in lower case; what is none has no name."""
    name, lines = b"", list[bytes]()
    for line in head.splitlines(keepends=True):
        if lines and line[:1] in b" \t":
            lines.append(line)
            continue
        if lines:
            yield name, b"".join(lines)
        match = _NAME.match(line)
        name, lines = match[1].lower() if match else b"", [line]
    if lines:
        yield name, b"".join(lines)


def _is_answer(told: dict[bytes, bytes]) -> bool:
    submitted, kind = _value(told, b"auto-submitted"), _value(told, b"content-type")
    return submitted.startswith("auto-replied") or kind.startswith("multipart/report")


def _value(told: dict[bytes, bytes], name: bytes) -> str:
    value = told.get(name, b"").partition(b":")[2]
    return " ".join(value.decode("ascii", "replace").split()).lower()
