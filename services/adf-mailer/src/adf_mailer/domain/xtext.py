"""xtext (RFC 3461, section 4): how values stand in parameters of MAIL and RCPT, and in reports."""

from __future__ import annotations

import re

_PLAIN = frozenset(range(0x21, 0x7F)) - set(b"+=")
_HEX = re.compile(rb"\+([0-9A-F]{2})")


def encoded(value: str) -> str:
    """Printable ASCII without blanks; `+`, `=` and all else as `+XX`, UTF-8 byte by byte."""
    return "".join(chr(byte) if byte in _PLAIN else f"+{byte:02X}" for byte in value.encode())


def decoded(value: str) -> str:
    """What is no xtext stays as it is: many reports give the plain value."""
    plain = _HEX.sub(lambda found: bytes([int(found[1], 16)]), value.encode("utf-8", "replace"))
    return plain.decode("utf-8", "replace")
